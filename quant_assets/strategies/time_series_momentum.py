"""Each symbol's own past return."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from quant_assets.strategies.base import Knowledge, Strategy, slot
from quant_assets.strategies.parameters import parameter
from quant_assets.strategies.settling import hold_above, settle
from quant_assets.strategies.sma_crossover import Side, side_field
from quant_assets.strategies.targets import Targets

__all__ = ["TimeSeriesMomentum"]


class TimeSeriesMomentum(Strategy):
    """Hold what has risen over the look-back (Moskowitz, Ooi and Pedersen, 2012), judged at a fixed rhythm."""

    name: ClassVar[str] = "time_series_momentum"
    summary: ClassVar[str] = "Long what rose over the look-back, judged monthly."

    lookback: int = parameter(252, low=5, high=504, step=1, unit="sessions", description="Span of the past return.")
    every: int = parameter(21, low=1, high=126, step=1, unit="sessions", description="Sessions between judgements.")
    side: Side = side_field()

    def targets(self, known: Knowledge) -> Targets:
        """Slot weight by the sign of the past return; judged and traded back to the slot at the rhythm."""
        change = known.indicators.change(self.lookback)
        size = slot(known)
        daily = hold_above(change, np.zeros(change.shape), weight=size, otherwise=0.0 if self.side == "long" else -size)
        due = np.zeros((len(change), 1), dtype=bool)
        due[:: self.every] = True
        judged = settle(np.where(due, daily.weights, np.nan))
        return Targets(judged.weights, np.repeat(due, change.shape[1], axis=1).astype(np.uint8))
