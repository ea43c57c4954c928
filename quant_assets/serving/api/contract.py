"""The published tables that the API reads, and the columns it may rely on.

These names are the contract between the rooms that write the tables and everybody who reads ``quant.duckdb``. The API
knows nothing else about those rooms, so a publication that lacks a table, or was written before a column existed, is
answered in plain words instead of with a failure.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ADJUSTED_PRICES",
    "ANOMALY_EVENTS",
    "BACKTESTS",
    "CONTRIBUTIONS",
    "DAILY_PRICES",
    "DAILY_SUMMARY",
    "EQUITY_CURVES",
    "FEATURE_CATALOG",
    "FORECASTS",
    "MARKET_REGIMES",
    "MODELS",
    "MODEL_METRICS",
    "PROMISED",
    "REGIME_CHANGES",
    "REGIME_MODELS",
    "SIGNALS",
    "SYMBOL_REGIMES",
    "TRADES",
    "Promised",
    "feature_store",
]


@dataclass(frozen=True, slots=True)
class Promised:
    """One promised table.

    Parameters
    ----------
    name : str
        Schema and table.
    columns : tuple of str
        Columns that a publication must have for the routes that read the table.
    noun : str
        What the table holds, as it reads in "no ... have been published yet".
    """

    name: str
    columns: tuple[str, ...]
    noun: str


def _promised(name: str, noun: str, columns: str) -> Promised:
    return Promised(name, tuple(columns.split()), noun)


_PROBABILITIES = "p_bullish p_bearish p_sideways p_high_volatility model_version"

DAILY_PRICES = _promised(
    "market_data.daily_prices",
    "prices",
    "symbol date open high low close volume adjusted_close dividend_amount split_coefficient",
)
ADJUSTED_PRICES = _promised("market_data.adjusted_prices", "adjusted prices", "symbol date open high low close volume")
ANOMALY_EVENTS = _promised(
    "quality.anomaly_events",
    "data-quality events",
    "event_id symbol date kind severity isolation_score prophet_score volume_zscore details detected_at status "
    "status_by status_at note",
)
DAILY_SUMMARY = _promised(
    "quality.daily_summary",
    "data-quality summaries",
    "date bars_checked events_low events_medium events_high quarantined",
)
FEATURE_CATALOG = _promised(
    "features.feature_catalog",
    "feature descriptions",
    "version feature description logic unit depends_on created_at used_by",
)
MARKET_REGIMES = _promised("regimes.market_regimes", "market regimes", f"date regime {_PROBABILITIES}")
SYMBOL_REGIMES = _promised("regimes.symbol_regimes", "symbol regimes", f"symbol date regime {_PROBABILITIES}")
REGIME_CHANGES = _promised(
    "regimes.regime_changes", "regime changes", "scope date before after probability detected_at"
)
REGIME_MODELS = _promised(
    "regimes.models", "regime models", "model_version fitted_from fitted_to states log_likelihood parameters"
)
SIGNALS = _promised(
    "signals.signals",
    "signals",
    "symbol date model probability base_rate recommendation source model_version decided_at",
)
CONTRIBUTIONS = _promised(
    "signals.contributions", "signal explanations", "symbol date model feature value contribution"
)
MODELS = _promised(
    "signals.models",
    "models",
    "model model_version alias created_at trained_from trained_to feature_version features parameters "
    "git_revision seed",
)
MODEL_METRICS = _promised("signals.model_metrics", "model metrics", "model model_version metric slice value baseline")
FORECASTS = _promised(
    "forecasts.portfolio_forecasts",
    "portfolio forecasts",
    "as_of horizon_days model target_date p05 p50 p95 mean var_95 cvar_95 current_value",
)
BACKTESTS = _promised(
    "backtests.runs",
    "backtests",
    "backtest_id strategy parameters symbols start_date end_date cost_bps total_return cagr volatility_ann sharpe "
    "sortino calmar max_drawdown var_95 cvar_95 win_rate turnover_ann exposure trades",
)
EQUITY_CURVES = _promised("backtests.equity_curves", "equity curves", "backtest_id date equity exposure drawdown")
TRADES = _promised(
    "backtests.trades",
    "trades",
    "backtest_id trade_id symbol entry_date entry_price exit_date exit_price quantity pnl trade_return costs",
)


def feature_store(version: int) -> Promised:
    """One version of the feature store; its features are whatever columns it has."""
    return Promised(f"features.feature_store_v{version}", ("symbol", "date"), f"features of version {version}")


PROMISED = (
    DAILY_PRICES,
    ADJUSTED_PRICES,
    ANOMALY_EVENTS,
    DAILY_SUMMARY,
    FEATURE_CATALOG,
    MARKET_REGIMES,
    SYMBOL_REGIMES,
    REGIME_CHANGES,
    REGIME_MODELS,
    SIGNALS,
    CONTRIBUTIONS,
    MODELS,
    MODEL_METRICS,
    FORECASTS,
    BACKTESTS,
    EQUITY_CURVES,
    TRADES,
)
