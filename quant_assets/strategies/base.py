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

__all__ = ["Knowledge", "Strategy", "hold_through_gaps", "slots"]

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


def slots(wanted: Floats, known: Knowledge) -> Floats:
    """Give each symbol an equal slot of the equity: ``wanted`` (-1 to 1) over the number of symbols."""
    weights: Floats = wanted / known.panel.shape[1]
    return weights


def hold_through_gaps(wanted: Floats) -> Floats:
    """Carry the last decided value over NaN (a missing bar, an indicator without value); 0 before the first."""
    rows = np.arange(len(wanted))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(wanted), -1, rows), axis=0)
    carried = np.take_along_axis(wanted, np.maximum(last, 0), axis=0)
    filled: Floats = np.where(last >= 0, carried, 0.0)
    return filled
