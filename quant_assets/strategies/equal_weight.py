"""Equal weights, rebalanced."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from quant_assets.strategies.base import Knowledge, Strategy
from quant_assets.strategies.parameters import parameter
from quant_assets.strategies.targets import Targets, rebalanced

__all__ = ["EqualWeight"]


class EqualWeight(Strategy):
    """Every symbol gets the same weight, restored every ``every`` sessions; one without a bar that day is kept."""

    name: ClassVar[str] = "equal_weight"
    summary: ClassVar[str] = "All symbols at the same weight, restored at a fixed rhythm (1/N)."

    every: int = parameter(
        21, low=1, high=252, step=1, unit="sessions", description="Sessions from one rebalancing to the next."
    )

    def targets(self, known: Knowledge) -> Targets:
        """Equal weights of the symbols with a bar at this close, beside those held that have none."""
        alive = known.panel.has_bar.astype(np.float64)
        return rebalanced(alive / np.maximum(alive.sum(axis=1, keepdims=True), 1.0), self.every, known.panel.has_bar)
