"""Reversal after an oversold relative strength index."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import model_validator

from quant_assets.strategies.base import Knowledge, Strategy, slot
from quant_assets.strategies.parameters import parameter
from quant_assets.strategies.settling import settle
from quant_assets.strategies.targets import Targets

__all__ = ["RsiReversal"]


class RsiReversal(Strategy):
    """Buy when the RSI (Wilder, 1978) falls below one level, sell when it rises above another."""

    name: ClassVar[str] = "rsi_reversal"
    summary: ClassVar[str] = "Buy when the relative strength index is oversold, sell when it has recovered."

    window: int = parameter(14, low=2, high=100, step=1, unit="sessions", description="Window of the index.")
    enter_below: float = parameter(30, low=5, high=50, step=1, unit="index points", description="Buy below this.")
    exit_above: float = parameter(55, low=30, high=95, step=1, unit="index points", description="Sell above this.")

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        if self.enter_below >= self.exit_above:
            raise ValueError(f"enter_below ({self.enter_below:g}) must be below exit_above ({self.exit_above:g})")
        return self

    def targets(self, known: Knowledge) -> Targets:
        """Slot weight from a close below the lower level to a close above the upper one."""
        rsi = known.indicators.rsi(self.window)
        wanted = np.where(rsi < self.enter_below, 1.0, np.where(rsi > self.exit_above, 0.0, np.nan))
        return settle(wanted * slot(known))
