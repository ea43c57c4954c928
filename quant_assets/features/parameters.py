"""Lengths and multiples of the indicators that are not part of a column's name, in one place.

Changing one changes the definition of a published version, so it belongs into a new version.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "BOLLINGER_DEVIATIONS",
    "BOLLINGER_WINDOW",
    "CCI_SCALE",
    "LEAST_CHANGE",
    "LEAST_MARKET_PAIRS",
    "MACD_FAST",
    "MACD_SIGNAL",
    "MACD_SLOW",
    "MOMENTUM_BARS",
    "MOMENTUM_SKIPPED_BARS",
    "RSI_SPAN",
    "SESSIONS_A_YEAR",
    "STOCHASTIC_D_WINDOW",
    "YANG_ZHANG_ALPHA",
]

RSI_SPAN: Final = 14
BOLLINGER_WINDOW: Final = 20
BOLLINGER_DEVIATIONS: Final = 2.0
MACD_FAST: Final = 12
MACD_SLOW: Final = 26
MACD_SIGNAL: Final = 9
STOCHASTIC_D_WINDOW: Final = 3
CCI_SCALE: Final = 0.015
MOMENTUM_BARS: Final = 252
MOMENTUM_SKIPPED_BARS: Final = 21
YANG_ZHANG_ALPHA: Final = 1.34
SESSIONS_A_YEAR: Final = 252.0
LEAST_MARKET_PAIRS: Final = 200
"""Pairs of returns that a window of 252 needs for a relation to the market: what Bali, Engle and Murray (2016),
Empirical Asset Pricing, ask of a year of daily returns. A slope of 200 pairs has a standard error 12 % above that of
252, and a market symbol that ended is forgotten after 52 sessions."""
LEAST_CHANGE: Final = 1e-12
"""What is smaller than this share of the level is no change: prices equal in ticks differ after an adjustment by their
rounding, up to about 1e-15 of themselves; the finest tick of a real price is above 1e-9 of it. The SQL of the marts
says the same number."""
