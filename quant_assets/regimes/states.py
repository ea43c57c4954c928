"""The four states by name, in the order in which every array, column and model of this room keeps them."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["PROBABILITY_COLUMNS", "STATES", "STATE_COUNT", "Regime"]


class Regime(StrEnum):
    """A market state."""

    BULLISH = "bullish"
    BEARISH = "bearish"
    SIDEWAYS = "sideways"
    HIGH_VOLATILITY = "high_volatility"


STATES: tuple[Regime, ...] = tuple(Regime)
STATE_COUNT = len(STATES)
PROBABILITY_COLUMNS: tuple[str, ...] = tuple(f"p_{state}" for state in STATES)
