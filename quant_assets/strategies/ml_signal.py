"""Trading on out-of-sample model probabilities, and the plain rule it has to beat."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from quant_assets.strategies.base import Knowledge, Strategy
from quant_assets.strategies.parameters import parameter
from quant_assets.strategies.score_rule import above_own_level
from quant_assets.strategies.targets import Targets, nothing

__all__ = ["MlSignal", "MomentumTwin"]

_NOTHING = "no walk-forward predictions are stored for these symbols, so there is nothing to trade on"


class MlSignal(Strategy):
    """Hold a symbol while its walk-forward probability is high for that symbol.

    Only predictions of models that had not seen the session are used (``signals.walk_forward_predictions``).
    """

    name: ClassVar[str] = "ml_signal"
    summary: ClassVar[str] = "Long while the model's out-of-sample probability is high for the symbol."

    lookback: int = parameter(
        252, low=20, high=756, step=1, unit="sessions", description="Own past scores that say what is high."
    )
    quantile: float = parameter(0.5, low=0.1, high=0.95, step=0.05, unit="fraction", description="What counts as high.")

    def targets(self, known: Knowledge) -> Targets:
        """Slot weight while the probability is above the quantile of its own past."""
        if known.probability is None or not np.isfinite(known.probability).any():
            return nothing(known.panel.shape, _NOTHING)
        return above_own_level(known.probability, known, lookback=self.lookback, quantile=self.quantile)

    def twin(self) -> MomentumTwin:
        """The rule with the same sizes that knows no model."""
        return MomentumTwin(lookback=self.lookback, quantile=self.quantile)


class MomentumTwin(Strategy):
    """``ml_signal`` with the model's probability replaced by the past return, on the same sessions and symbols."""

    name: ClassVar[str] = "ml_signal_twin"
    summary: ClassVar[str] = "The rule twin of ml_signal: the past return in place of the probability."

    lookback: int = parameter(
        252, low=20, high=756, step=1, unit="sessions", description="Own past scores that say what is high."
    )
    quantile: float = parameter(0.5, low=0.1, high=0.95, step=0.05, unit="fraction", description="What counts as high.")
    span: int = parameter(20, low=2, high=252, step=1, unit="sessions", description="Span of the past return.")

    def targets(self, known: Knowledge) -> Targets:
        """Slot weight while the past return is above the quantile of its own past."""
        if known.probability is None or not np.isfinite(known.probability).any():
            return nothing(known.panel.shape, _NOTHING)
        score = np.where(np.isfinite(known.probability), known.indicators.change(self.span), np.nan)
        return above_own_level(score, known, lookback=self.lookback, quantile=self.quantile)
