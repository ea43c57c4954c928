"""Trend following whose window and size depend on the regime known at the close."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from quant_assets.strategies.base import Knowledge, Strategy, slot
from quant_assets.strategies.parameters import parameter
from quant_assets.strategies.settling import settle
from quant_assets.strategies.targets import Targets, nothing

__all__ = ["REGIMES", "RegimeAdaptive"]

REGIMES = ("bullish", "bearish", "sideways", "high_volatility")
_NOTHING = "no market regimes are stored for these sessions, so there is nothing to adapt to"


def _window(default: int) -> int:
    window: int = parameter(
        default, low=2, high=400, step=1, unit="sessions", description="Window of the trend average in this regime."
    )
    return window


def _size(default: float) -> float:
    size: float = parameter(
        default, low=0.0, high=1.0, step=0.05, unit="fraction", description="Part of a slot held in this regime."
    )
    return size


class RegimeAdaptive(Strategy):
    """Hold a symbol above its average, with window and size of the regime filtered at this close.

    A session without a known regime keeps the one before; before the first, nothing is held.
    """

    name: ClassVar[str] = "regime_adaptive"
    summary: ClassVar[str] = "Trend following with window and size by the market regime known at the close."

    bullish_window: int = _window(200)
    bullish_size: float = _size(1.0)
    bearish_window: int = _window(50)
    bearish_size: float = _size(0.5)
    sideways_window: int = _window(100)
    sideways_size: float = _size(0.8)
    high_volatility_window: int = _window(20)
    high_volatility_size: float = _size(0.25)

    def targets(self, known: Knowledge) -> Targets:
        """Slot weight times the regime's size while the close is above the regime's average."""
        regime = known.regime
        if regime is None or not np.isin(regime, REGIMES).any():
            return nothing(known.panel.shape, _NOTHING)
        close = known.panel.total_return_close
        wanted = np.full(close.shape, np.nan)
        for name in REGIMES:
            average = known.indicators.sma(getattr(self, f"{name}_window"))
            held = np.where(close > average, getattr(self, f"{name}_size"), 0.0)
            held[np.isnan(average)] = np.nan
            rows = regime == name
            wanted[rows] = held[rows]
        return settle(wanted * slot(known))
