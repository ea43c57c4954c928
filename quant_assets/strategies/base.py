"""What every strategy is: typed parameters, and a pure function from what is known to target weights."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from quant_assets.strategies.indicators import Indicators
from quant_assets.strategies.panel import PricePanel
from quant_assets.strategies.targets import Targets

__all__ = ["Knowledge", "Strategy", "slot"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """What a strategy may look at, every row dated t known at the close of t.

    Parameters
    ----------
    panel : PricePanel
    indicators : Indicators
        Of the same panel.
    probability : ndarray of shape (n_sessions, n_symbols), optional
        Out-of-sample model probabilities, NaN where there is none.
    regime : array of str of shape (n_sessions,), optional
        Regime of the market as filtered at each close, empty where it is not known.
    """

    panel: PricePanel
    indicators: Indicators
    probability: Floats | None = None
    regime: npt.NDArray[np.str_] | None = None

    def until(self, position: int) -> Knowledge:
        """What was known at the close of session ``position``."""
        panel = self.panel.until(self.panel.dates[position].item())
        rows = slice(position + 1)
        return Knowledge(
            panel,
            Indicators(panel),
            None if self.probability is None else self.probability[rows].copy(),
            None if self.regime is None else self.regime[rows].copy(),
        )


class Strategy(BaseModel):
    """A rule with parameters; equal parameters are equal strategies.

    ``targets`` must be causal: row t of its result may depend on rows up to t only. ``backtests.causality`` proves
    it for any strategy by cutting off and corrupting the future.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def targets(self, known: Knowledge) -> Targets:
        """Target weights decided at each close."""


def slot(known: Knowledge) -> float:
    """The equal slot of equity that each symbol of the panel has: 1 / n_symbols."""
    return 1.0 / known.panel.shape[1]
