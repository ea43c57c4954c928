"""Tables of the ``regimes`` schema that the feature store joins."""

from __future__ import annotations

from quant_assets.foundation.tables import Column, Table

__all__ = ["MARKET_REGIMES", "SYMBOL_REGIMES", "TABLES"]

_REGIME = Column("regime", "VARCHAR", "Most probable state: bullish, bearish, sideways or high_volatility.")
_PROBABILITIES = tuple(
    Column(
        f"p_{state}",
        "DOUBLE",
        f"Filtered probability of the {state.replace('_', ' ')} state, from rows up to this session and a model "
        "fitted before it.",
        "probability",
    )
    for state in ("bullish", "bearish", "sideways", "high_volatility")
)
_MODEL_VERSION = Column("model_version", "VARCHAR", "Model that gave the probabilities.")

MARKET_REGIMES = Table(
    schema="regimes",
    name="market_regimes",
    key=("date",),
    description="One row per session: the regime of the market symbol as known after that session's close.",
    columns=(Column("date", "DATE", "Exchange session."), _REGIME, *_PROBABILITIES, _MODEL_VERSION),
)

SYMBOL_REGIMES = Table(
    schema="regimes",
    name="symbol_regimes",
    key=("symbol", "date"),
    description="One row per symbol and session: the symbol's own regime, as it could be known after that close.",
    columns=(
        Column("symbol", "VARCHAR", "Symbol as the vendor writes it."),
        Column("date", "DATE", "Exchange session."),
        _REGIME,
        *_PROBABILITIES,
        _MODEL_VERSION,
    ),
)

TABLES = (MARKET_REGIMES, SYMBOL_REGIMES)
