"""Reversion to the middle of Bollinger's bands."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from quant_assets.strategies.base import Knowledge, Strategy, slot
from quant_assets.strategies.parameters import parameter
from quant_assets.strategies.settling import settle
from quant_assets.strategies.targets import Targets

__all__ = ["BollingerReversion"]


class BollingerReversion(Strategy):
    """Buy a close below the lower band, sell at the middle one (Bollinger, 2001)."""

    name: ClassVar[str] = "bollinger_reversion"
    summary: ClassVar[str] = "Buy a close below the lower Bollinger band, sell at the middle."

    window: int = parameter(20, low=5, high=200, step=1, unit="sessions", description="Window of average and width.")
    width: float = parameter(
        2.0, low=0.5, high=4.0, step=0.1, unit="standard deviations", description="Distance of the band."
    )

    def targets(self, known: Knowledge) -> Targets:
        """Slot weight from a close below the lower band to a close at or above the average."""
        close = known.panel.total_return_close
        middle = known.indicators.sma(self.window)
        lower = middle - self.width * known.indicators.deviation(self.window)
        wanted = np.where(close < lower, 1.0, np.where(close >= middle, 0.0, np.nan))
        return settle(wanted * slot(known))
