"""Tables of the ``forecasts`` schema."""

from __future__ import annotations

from quant_assets.forecasts.parameters import LEVEL_NAMES, LEVELS
from quant_assets.forecasts.record import RAW_NAMES
from quant_assets.foundation.tables import Column, Table

__all__ = [
    "COMPONENT_VAR",
    "EQUITY_HISTORY",
    "FITS",
    "FORECAST_EVALUATIONS",
    "MODEL_CHOICES",
    "OUTCOMES",
    "PIT_HISTOGRAMS",
    "PORTFOLIO_FORECASTS",
    "PORTFOLIO_MEASURES",
    "POSITIONS",
    "ROLLING_ORIGINS",
    "STRESS_WINDOWS",
    "TABLES",
]


def _table(name: str, key: tuple[str, ...], description: str, *columns: Column) -> Table:
    return Table("forecasts", name, columns, key, description)


def _number(name: str, description: str, unit: str = "", *, nullable: bool = False) -> Column:
    return Column(name, "DOUBLE", description, unit, nullable)


_AS_OF = Column("as_of", "DATE", "Session on whose close the forecast was made.")
_HORIZON = Column("horizon_days", "INTEGER", "Sessions ahead.", "sessions")
_MODEL = Column(
    "model", "VARCHAR", "random_walk, block_bootstrap, filtered_simulation, prophet or blend (of two of them)."
)
_TARGET = Column("target_date", "DATE", "Session that is forecast.")
_PORTFOLIO = Column("portfolio_id", "VARCHAR", "Changes when the holdings of the universe file do.")
_SELECTED = Column("is_selected", "BOOLEAN", "Whether this model is the one served.")
_MONEY = "currency"

PORTFOLIO_FORECASTS = _table(
    "portfolio_forecasts",
    ("as_of", "horizon_days", "model"),
    (
        "One row per night, horizon and model: the distribution of the portfolio's value, corrected by the model's own "
        "record, with VaR, CVaR and drawdown risk. is_selected marks what is served."
    ),
    _AS_OF,
    _HORIZON,
    _MODEL,
    _TARGET,
    *(
        _number(name, f"Value not reached with a probability of {level:.0%}.", _MONEY)
        for name, level in zip(LEVEL_NAMES, LEVELS.tolist(), strict=True)
    ),
    _number("mean", "Mean value.", _MONEY),
    _number("var_95", "Loss exceeded with a probability of 5 %; negative where even that is a gain.", _MONEY),
    _number("cvar_95", "Mean loss in the worst 5 %.", _MONEY),
    _number("var_99", "Loss exceeded with a probability of 1 %.", _MONEY),
    _number("cvar_99", "Mean loss in the worst 1 %.", _MONEY),
    _number("var_95_pct", "var_95 of the value; null where that is not positive.", "%", nullable=True),
    _number("cvar_95_pct", "cvar_95 of the value.", "%", nullable=True),
    _number("var_99_pct", "var_99 of the value.", "%", nullable=True),
    _number("cvar_99_pct", "cvar_99 of the value.", "%", nullable=True),
    _number("current_value", "Value on the night of the forecast.", _MONEY),
    _number("base_value", "Absolute positions plus absolute cash.", _MONEY),
    *(
        _number(
            f"drawdown_{limit}_probability",
            f"Probability that the value falls {int(limit)} % from its highest point within the horizon; null for "
            "models without paths.",
            "ratio",
            nullable=True,
        )
        for limit in ("05", "10", "20")
    ),
    _number("raw_p05", "p05 before the correction.", _MONEY),
    _number("raw_p95", "p95 before the correction.", _MONEY),
    _SELECTED,
    _PORTFOLIO,
)

OUTCOMES = _table(
    "outcomes",
    ("as_of", "horizon_days", "model"),
    "One row per stored forecast whose target date has been reached: what it said and what happened.",
    _AS_OF,
    _HORIZON,
    _MODEL,
    _TARGET,
    _number("p05", "As forecast.", _MONEY),
    _number("p50", "As forecast.", _MONEY),
    _number("p95", "As forecast.", _MONEY),
    _number("realised", "Value on the target date of the positions held on the night.", _MONEY),
    Column("inside", "BOOLEAN", "Whether it lies between p05 and p95."),
    Column("is_breach", "BOOLEAN", "Whether the loss was larger than var_95."),
    Column("is_selected", "BOOLEAN", "Whether the model was served that night."),
)

FORECAST_EVALUATIONS = _table(
    "forecast_evaluations",
    ("model", "horizon_days"),
    (
        "One row per model and horizon: how its forecasts at rolling origins did, beside the random walk. The model "
        "'selected' is what would have been served, chosen with what was known at the time. Errors and losses are in "
        "per cent of the base (the value, where nothing is short)."
    ),
    Column("model", "VARCHAR", "A model, or selected."),
    _HORIZON,
    Column("origins", "BIGINT", "Origins with an outcome; they overlap for horizons over the step."),
    _number("mae_pct", "Mean absolute error of the median.", "%"),
    _number("pinball_loss", "Mean pinball loss of the 5, 50 and 95 % levels.", "%"),
    _number("coverage_90", "Share of outcomes between p05 and p95.", "ratio"),
    _number("kupiec_p_value", "VaR 95: probability of as odd a number of breaches were it right."),
    _number("mae_pct_no_change", "Error of saying that nothing will change.", "%"),
    _number("mae_to_random_walk", "mae_pct over that of the random walk.", "ratio", nullable=True),
    _number("pinball_to_random_walk", "pinball_loss over that of the random walk.", "ratio", nullable=True),
    _number(
        "pinball_t_value",
        "t value (Newey-West) of the difference of pinball losses; below -2 is better by more than chance.",
        nullable=True,
    ),
    _number("crps", "Mean continuous ranked probability score.", "%"),
    _number("raw_pinball_loss", "pinball_loss before the conformal correction.", "%"),
    _number("raw_coverage_90", "coverage_90 before the conformal correction.", "ratio"),
    _number("coverage_90_crisis", "coverage_90 of origins from 2008-09 to 2009-03.", "ratio", nullable=True),
    Column("origins_crisis", "BIGINT", "Origins in that window."),
    Column("independent_origins", "BIGINT", "Origins at least the horizon apart, on which VaR is tested."),
    Column("breaches_95", "BIGINT", "Of those, losses over VaR 95."),
    Column("breaches_99", "BIGINT", "Of those, losses over VaR 99."),
    _number("kupiec_99_p_value", "The same for VaR 99."),
    _number("christoffersen_p_value", "VaR 95: the same for number and clustering together.", nullable=True),
    Column("first_origin", "DATE", "Oldest origin counted."),
    Column("last_origin", "DATE", "Newest origin counted."),
)

PIT_HISTOGRAMS = _table(
    "pit_histograms",
    ("model", "horizon_days", "tenth"),
    "One row per model, horizon and tenth of the forecast: a tenth of the outcomes belongs in each.",
    Column("model", "VARCHAR", "A model, or selected."),
    _HORIZON,
    Column("tenth", "INTEGER", "1 is the lowest."),
    _number("share", "Share of outcomes.", "ratio"),
)

ROLLING_ORIGINS = _table(
    "rolling_origins",
    ("model", "origin_date", "horizon_days"),
    (
        "One row per model, past origin and horizon of the present portfolio: quantiles of the change of value as "
        "fractions of the base, corrected and raw, with nothing later than the origin, and what happened."
    ),
    _MODEL,
    Column("origin_date", "DATE", "Session on whose close the forecast would have been made."),
    _HORIZON,
    _TARGET,
    _number("realised_change", "What happened; null until it has.", "ratio", nullable=True),
    *(_number(name, f"Corrected quantile {name[1:]} %.", "ratio") for name in LEVEL_NAMES),
    *(_number(name, f"Quantile {name[5:]} % of the model itself.", "ratio") for name in RAW_NAMES),
    _PORTFOLIO,
)

FITS = _table(
    "fits",
    ("model", "subject", "refit_date"),
    "Every fit of a forecast model, failed ones included: what it saw, what came out, or why nothing did.",
    _MODEL,
    Column("subject", "VARCHAR", "A symbol, or portfolio."),
    Column("refit_date", "DATE", "First session that the fit may serve; it saw only earlier ones."),
    Column("status", "VARCHAR", "fitted or failed."),
    Column("reason", "VARCHAR", "Why it failed; empty otherwise."),
    Column("fitted_from", "DATE", "First session used.", nullable=True),
    Column("fitted_to", "DATE", "Last session used.", nullable=True),
    Column("sessions", "BIGINT", "Returns used."),
    Column("parameters", "VARCHAR", "JSON."),
    _PORTFOLIO,
)

MODEL_CHOICES = _table(
    "model_choices",
    ("as_of", "model"),
    "One row per night and model: its score by the record, and whether and why it is served or not.",
    _AS_OF,
    _MODEL,
    Column("decided_on", "DATE", "First session of the quarter: only outcomes before it count."),
    Column("rank", "INTEGER", "Order in which models serve; the next one stands in for one that cannot."),
    _number("score", "Mean CRPS over the random walk's; null without a record.", "ratio", nullable=True),
    Column("outcomes", "BIGINT", "Origins that the score rests on."),
    _SELECTED,
    Column("is_available", "BOOLEAN", "Whether the model could forecast tonight."),
    Column("reason", "VARCHAR", "Why it could not; empty otherwise."),
)

POSITIONS = _table(
    "positions",
    ("as_of", "symbol"),
    "One row per night and holding: what it was worth, how old its price is and how long its history.",
    _AS_OF,
    Column("symbol", "VARCHAR", "Holding."),
    _number("value", "Money in it; negative is short.", _MONEY),
    _number("weight", "Value over the base.", "ratio"),
    _number("price", "Adjusted close it is valued at.", _MONEY),
    Column("sessions", "BIGINT", "Sessions since its first bar."),
    Column("last_bar", "DATE", "Session of the price: older than the night where bars are missing or withheld."),
    Column("stale_sessions", "BIGINT", "Sessions since then."),
    Column(
        "history_rule", "VARCHAR", "Whether returns are its own, or follow the other holdings before its first bar."
    ),
)

COMPONENT_VAR = _table(
    "component_var",
    ("as_of", "horizon_days", "symbol"),
    "One row per night, horizon and holding: its part of the served VaR and CVaR; the parts add up.",
    _AS_OF,
    _HORIZON,
    Column("symbol", "VARCHAR", "Holding."),
    _number("value", "Money in it.", _MONEY),
    _number("component_var_95", "Part of VaR 95; negative for a hedge.", _MONEY),
    _number("component_cvar_95", "Part of CVaR 95.", _MONEY),
    Column("method", "VARCHAR", "simulated (from joint paths) or normal (from covariances)."),
)

EQUITY_HISTORY = _table(
    "equity_history",
    ("date",),
    "One row per session: what the holdings of the newest night would have been worth.",
    Column("date", "DATE", "Exchange session."),
    _number("value", "Value of today's holdings, bought and held backwards.", _MONEY),
)

PORTFOLIO_MEASURES = _table(
    "portfolio_measures",
    ("as_of", "measure"),
    "One row per night and measure of today's holdings over their history (risk-free rate 0).",
    _AS_OF,
    Column("measure", "VARCHAR", "Name."),
    _number("value", "Fractions and ratios, or currency; null where undefined.", nullable=True),
)

STRESS_WINDOWS = _table(
    "stress_windows",
    ("as_of", "stress_window"),
    "One row per night and crisis: what tonight's positions would have gone through from its first day.",
    _AS_OF,
    Column("stress_window", "VARCHAR", "Name of the crisis."),
    Column("start_date", "DATE", "First session used; null where the prices do not reach it.", nullable=True),
    Column("end_date", "DATE", "Last session used.", nullable=True),
    _number("value_at_end", "Tonight's value after the crisis.", _MONEY, nullable=True),
    _number("change_pct", "Change over the window.", "%", nullable=True),
    _number("max_loss", "Deepest fall from a high inside the window.", _MONEY, nullable=True),
    _number("max_loss_pct", "The same, of the high.", "%", nullable=True),
    Column("trough_date", "DATE", "When it was deepest.", nullable=True),
    Column("recovery_date", "DATE", "First session back at the high; null where it has not come.", nullable=True),
    Column("recovery_sessions", "BIGINT", "Sessions from the trough to it.", "sessions", nullable=True),
    _number(
        "proxied_share",
        "Share in holdings not listed yet, moved with the others.",
        "ratio",
        nullable=True,
    ),
    Column("note", "VARCHAR", "What the prices do not cover; empty otherwise."),
)

TABLES = (
    PORTFOLIO_FORECASTS,
    OUTCOMES,
    FORECAST_EVALUATIONS,
    PIT_HISTOGRAMS,
    ROLLING_ORIGINS,
    FITS,
    MODEL_CHOICES,
    POSITIONS,
    COMPONENT_VAR,
    EQUITY_HISTORY,
    PORTFOLIO_MEASURES,
    STRESS_WINDOWS,
)
"""Every table of the room."""
