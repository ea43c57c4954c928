"""Each symbol's own past return."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from quant_assets.strategies.base import Knowledge, Strategy, hold_through_gaps, slots
from quant_assets.strategies.parameters import parameter
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
        """Slot weight by the sign of the past return; traded where the sign changes or a rebalancing is due."""
        change = known.indicators.change(self.lookback)
        wanted = np.where(change > 0, 1.0, 0.0 if self.side == "long" else -1.0)
        wanted[np.isnan(change)] = np.nan
        due = np.zeros(len(wanted), dtype=bool)
        due[:: self.every] = True
        judged = hold_through_gaps(np.where(due[:, None], hold_through_gaps(wanted), np.nan))
        decided = np.repeat(due[:, None], wanted.shape[1], axis=1).astype(np.uint8)
        return Targets(slots(judged, known), decided)
