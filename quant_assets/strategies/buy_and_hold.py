"""Buy and hold."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from quant_assets.strategies.base import Knowledge, Strategy, slot
from quant_assets.strategies.targets import Targets, on_change

__all__ = ["BuyAndHold"]


class BuyAndHold(Strategy):
    """Buy an equal slot of each symbol after its first bar and never trade again.

    The slot of a symbol that lists later waits in cash: who it will be is not known before.
    """

    name: ClassVar[str] = "buy_and_hold"
    summary: ClassVar[str] = "Buy each symbol once, in equal slots, and keep it."

    def targets(self, known: Knowledge) -> Targets:
        """Weight 1 / n_symbols from the first bar on, decided once."""
        listed = np.logical_or.accumulate(known.panel.has_bar, axis=0)
        return on_change(listed * slot(known))
