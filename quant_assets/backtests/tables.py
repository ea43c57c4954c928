"""Tables of the ``backtests`` schema."""

from __future__ import annotations

from quant_assets.foundation.tables import Column, Table

__all__ = ["BY_REGIME", "BY_YEAR", "EQUITY_CURVES", "RUNS", "TABLES", "TRADES"]

_ID = Column(
    "backtest_id", "VARCHAR", "Hash of code, data, strategy, parameters, dates, rules and costs: same run, same id."
)


def _measure(name: str, description: str, unit: str = "fraction") -> Column:
    return Column(name, "DOUBLE", description, unit, nullable=True)


_RISK = (
    _measure("total_return", "Last equity over the capital, less one."),
    _measure("cagr", "Compound growth per calendar year.", "fraction a year"),
    _measure("volatility_ann", "Standard deviation of daily returns times sqrt(252).", "fraction a year"),
    _measure("sharpe", "Mean excess return over its deviation, annualised.", "ratio"),
    _measure("sortino", "Mean excess return over its downside deviation, annualised.", "ratio"),
    _measure("calmar", "CAGR over the size of the deepest drawdown.", "ratio"),
    _measure("max_drawdown", "Deepest fall below the running peak, 0 or negative."),
    _measure("var_95", "Loss of a session exceeded in at most 5 % of sessions; positive is a loss."),
    _measure("cvar_95", "Mean loss of the worst 5 % of sessions; positive is a loss."),
)
_TRADING = (
    _measure("win_rate", "Share of closed round trips with a profit after costs."),
    _measure("turnover_ann", "One-way turnover: half the traded value over equity, a year.", "multiple a year"),
    _measure("exposure", "Mean gross position over equity at the close.", "fraction of equity"),
    Column("trades", "BIGINT", "Round trips, those still open included.", "round trips"),
)
_MORE = (
    _measure("omega", "Excess gains over excess losses around the risk-free rate.", "ratio"),
    _measure("skewness", "Third standardised moment of daily returns.", "ratio"),
    _measure("kurtosis", "Fourth standardised moment of daily returns (3 for a normal).", "ratio"),
    _measure("tail_ratio", "95th percentile of daily returns over the size of the 5th.", "ratio"),
    _measure("profit_factor", "Money won over money lost by closed round trips; null without a loser.", "ratio"),
    _measure("average_trade", "Mean return of closed round trips."),
    _measure("average_pnl", "Mean profit of closed round trips.", "currency"),
    _measure("alpha_ann", "Intercept of the regression on the market, times 252.", "fraction a year"),
    _measure("beta", "Slope of the regression on the market.", "ratio"),
    _measure("information_ratio", "Mean return above the market over its deviation, annualised.", "ratio"),
    _measure("probabilistic_sharpe", "Probability that the true Sharpe ratio is above 0.", "probability"),
    _measure("deflated_sharpe", "The same after allowing for the best of the variants tried.", "probability"),
    Column(
        "variants", "BIGINT", "Variants tried, in this and earlier calls, that this run was picked from.", "variants"
    ),
    Column("drawdown_peak_date", "DATE", "Session of the peak before the deepest fall.", nullable=True),
    Column("drawdown_trough_date", "DATE", "Session of its deepest point.", nullable=True),
    Column("drawdown_recovery_date", "DATE", "First session at the peak again; null while it lasts.", nullable=True),
    _measure("final_equity", "Equity at the last close.", "currency"),
    _measure("costs_paid", "Commissions, spread and impact.", "currency"),
    _measure("financing_paid", "Borrow fees and interest paid, less interest earned.", "currency"),
    _measure("dividends_received", "Dividends received, less those paid on short positions.", "currency"),
)
_TWIN = (
    Column(
        "twin_strategy", "VARCHAR", "Rule twin with the same sizes and costs; null where there is none.", nullable=True
    ),
    _measure("twin_sharpe", "Sharpe ratio of the rule twin over the same sessions.", "ratio"),
    _measure("sharpe_difference", "Sharpe ratio of this run less the twin's.", "ratio"),
    _measure("sharpe_difference_low", "Lower end of its 95 % interval (paired block bootstrap).", "ratio"),
    _measure("sharpe_difference_high", "Upper end of that interval.", "ratio"),
)

RUNS = Table(
    schema="backtests",
    name="runs",
    key=("backtest_id",),
    description=(
        "One row per backtest: what was asked and every measure. Undefined measures (no trades, no deviation) are "
        "null. Decisions on a close are filled in the next session; measures are after all costs."
    ),
    columns=(
        _ID,
        Column("strategy", "VARCHAR", "Name of the strategy."),
        Column("parameters", "VARCHAR", "Its parameters as JSON."),
        Column("symbols", "VARCHAR", "Symbols traded, separated by commas."),
        Column("start_date", "DATE", "Session whose close opens the account with cash."),
        Column("end_date", "DATE", "Last session, at whose marks the account is valued."),
        Column("cost_bps", "DOUBLE", "Commission and half-spread of a fill.", "basis points"),
        *_RISK,
        *_TRADING,
        *_MORE,
        *_TWIN,
        Column("origin", "VARCHAR", "default (the nightly set), requested, or sweep."),
        Column("market", "VARCHAR", "Symbol that alpha, beta and information ratio are against.", nullable=True),
        Column("risk_free_rate", "DOUBLE", "Annual rate taken off.", "fraction a year"),
        Column("capital", "DOUBLE", "Cash at the start.", "currency"),
        Column("rules", "VARCHAR", "Trading rules as JSON."),
        Column("costs", "VARCHAR", "Costs as JSON."),
        Column("events", "BIGINT", "Orders not filled, capped or scaled, close-outs and the like.", "events"),
        Column("note", "VARCHAR", "Why there is nothing to see, where there is nothing; empty otherwise."),
        Column("code_digest", "VARCHAR", "Hash of the code the numbers depend on."),
        Column("data_digest", "VARCHAR", "Hash of the prices and predictions they depend on."),
    ),
)

EQUITY_CURVES = Table(
    schema="backtests",
    name="equity_curves",
    key=("backtest_id", "date"),
    description="One row per backtest and session. Of a sweep only the best runs have a curve, the rest a row in runs.",
    columns=(
        _ID,
        Column("date", "DATE", "Exchange session."),
        Column("equity", "DOUBLE", "Cash and positions at the close.", "currency"),
        Column("exposure", "DOUBLE", "Gross position over equity at the close.", "fraction of equity"),
        Column("drawdown", "DOUBLE", "Equity over its running peak, less one.", "fraction"),
        Column("net_exposure", "DOUBLE", "Long less short position over equity.", "fraction of equity"),
        Column("traded", "DOUBLE", "Absolute value of the session's fills.", "currency"),
        Column("costs", "DOUBLE", "Trading costs of the session.", "currency"),
    ),
)

TRADES = Table(
    schema="backtests",
    name="trades",
    key=("backtest_id", "trade_id"),
    description=(
        "One row per round trip of a symbol, from flat to flat (or to a turn-around). Several fills are averaged. "
        "Prices are as traded on their dates; quantity is in the shares of the entry."
    ),
    columns=(
        _ID,
        Column("trade_id", "INTEGER", "Number within the run, in the order of the exits, open ones last."),
        Column("symbol", "VARCHAR", "Symbol traded."),
        Column("entry_date", "DATE", "Session of the first fill."),
        Column("entry_price", "DOUBLE", "Average price paid or received on opening, as traded.", "currency"),
        Column("exit_date", "DATE", "Session of the last fill; null while the trip is open.", nullable=True),
        Column("exit_price", "DOUBLE", "Average price of closing as traded; of an open trip the mark.", "currency"),
        Column("quantity", "DOUBLE", "Shares opened in all, in the shares of the entry; negative is short.", "shares"),
        Column("pnl", "DOUBLE", "Profit with dividends and after costs; of an open trip at the mark.", "currency"),
        Column("trade_return", "DOUBLE", "Profit over the value opened.", "fraction"),
        Column("costs", "DOUBLE", "Trading costs and borrow fees of the trip.", "currency"),
        Column("dividends", "DOUBLE", "Dividends received (short: paid, negative).", "currency"),
        Column("split_ratio", "DOUBLE", "Product of the splits while the trip was open.", "ratio"),
    ),
)

_PART = (
    Column("sessions", "BIGINT", "Sessions in the part.", "sessions"),
    _measure("total_return", "Returns of the part's sessions compounded."),
    _measure("volatility_ann", "Their standard deviation times sqrt(252).", "fraction a year"),
    _measure("sharpe", "Their Sharpe ratio, annualised.", "ratio"),
    _measure("max_drawdown", "Deepest fall of the compounded returns of the part."),
    _measure("exposure", "Mean gross position over equity.", "fraction of equity"),
)

BY_REGIME = Table(
    schema="backtests",
    name="by_regime",
    key=("backtest_id", "regime"),
    description="One row per backtest and market regime known at the close before each session (unknown: none stored).",
    columns=(_ID, Column("regime", "VARCHAR", "Regime known when the session began."), *_PART),
)

BY_YEAR = Table(
    schema="backtests",
    name="by_year",
    key=("backtest_id", "year"),
    description="One row per backtest and calendar year.",
    columns=(_ID, Column("year", "INTEGER", "Calendar year.", "year"), *_PART),
)

TABLES = (RUNS, EQUITY_CURVES, TRADES, BY_REGIME, BY_YEAR)
