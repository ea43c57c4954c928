"""An overlay that scales any strategy to a constant volatility."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, SerializeAsAny

from quant_assets.foundation.performance.periods import SESSIONS_PER_YEAR
from quant_assets.strategies.base import Knowledge, Strategy
from quant_assets.strategies.buy_and_hold import BuyAndHold
from quant_assets.strategies.parameters import parameter
from quant_assets.strategies.targets import Targets

__all__ = ["VolatilityTarget"]

Floats = npt.NDArray[np.float64]


class VolatilityTarget(Strategy):
    """Scale the weights of ``of`` so that their own recent volatility would have been the target.

    The estimate is the standard deviation of what yesterday's weights earned over the last ``window`` sessions
    (Moreira and Muir, 2017); the scale is at most ``most``.
    """

    name: ClassVar[str] = "volatility_target"
    summary: ClassVar[str] = "Another strategy, held at a constant volatility."

    target_ann: float = parameter(
        0.15, low=0.02, high=0.6, step=0.01, unit="fraction a year", description="Volatility aimed at."
    )
    window: int = parameter(63, low=10, high=252, step=1, unit="sessions", description="Span of the estimate.")
    every: int = parameter(5, low=1, high=63, step=1, unit="sessions", description="Sessions between adjustments.")
    most: float = parameter(1.0, low=0.1, high=3.0, step=0.1, unit="multiple", description="Largest scale.")
    of: SerializeAsAny[Strategy] = Field(default_factory=BuyAndHold, description="The strategy that is scaled.")

    def targets(self, known: Knowledge) -> Targets:
        """Weights of ``of`` times the scale; traded when ``of`` trades or an adjustment is due."""
        inner = self.of.targets(known)
        scale = self._scale(inner.weights, known)
        due = np.zeros(len(scale), dtype=bool)
        due[:: self.every] = True
        traded = inner.decided.any(axis=1)
        # Between adjustments the scale stands still, so that it does not drift into trades of the inner strategy.
        rows = np.maximum.accumulate(np.where(due | traded, np.arange(len(scale)), 0))
        decided = np.where((due | traded)[:, None], np.uint8(1), np.uint8(0))
        weights = inner.weights * scale[rows][:, None]
        return Targets(weights, np.ascontiguousarray(np.broadcast_to(decided, weights.shape)), inner.reason)

    def _scale(self, weights: Floats, known: Knowledge) -> Floats:
        worth = known.panel.mark * known.panel.growth
        change = np.zeros_like(worth)
        np.divide(worth[1:], worth[:-1], out=change[1:], where=worth[:-1] > 0)
        change[1:] = np.where(worth[:-1] > 0, change[1:] - 1.0, 0.0)
        earned = np.zeros(len(worth))
        earned[1:] = (weights[:-1] * change[1:]).sum(axis=1)
        scale = np.zeros(len(worth))
        if len(earned) < self.window:
            return scale
        spread = np.lib.stride_tricks.sliding_window_view(earned, self.window).std(axis=1, ddof=1)
        aimed = self.target_ann / np.sqrt(SESSIONS_PER_YEAR)
        scale[self.window - 1 :] = np.where(spread > 0, np.minimum(aimed / np.maximum(spread, 1e-12), self.most), 0.0)
        return scale
