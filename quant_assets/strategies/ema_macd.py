"""Moving average convergence divergence."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import model_validator

from quant_assets.strategies.base import Knowledge, Strategy, slot
from quant_assets.strategies.parameters import parameter
from quant_assets.strategies.settling import hold_above
from quant_assets.strategies.sma_crossover import Side, side_field
from quant_assets.strategies.targets import Targets

__all__ = ["EmaMacd"]


class EmaMacd(Strategy):
    """Hold a symbol while its MACD line is above its signal line (Appel, 1979)."""

    name: ClassVar[str] = "ema_macd"
    summary: ClassVar[str] = "Long while MACD (difference of two exponential averages) is above its signal line."

    fast: int = parameter(12, low=2, high=100, step=1, unit="sessions", description="Span of the fast average.")
    slow: int = parameter(26, low=3, high=200, step=1, unit="sessions", description="Span of the slow average.")
    signal: int = parameter(9, low=2, high=50, step=1, unit="sessions", description="Span of the signal line.")
    side: Side = side_field()

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")
        return self

    def targets(self, known: Knowledge) -> Targets:
        """Slot weight where the histogram is positive; minus it (both) or nothing (long) where not."""
        histogram = known.indicators.macd_histogram(self.fast, self.slow, self.signal)
        size = slot(known)
        return hold_above(
            histogram,
            np.zeros(histogram.shape),
            weight=size,
            otherwise=0.0 if self.side == "long" else -size,
        )
