"""Past returns ranked against each other."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import model_validator

from quant_assets.strategies.base import Knowledge, Strategy
from quant_assets.strategies.parameters import parameter
from quant_assets.strategies.targets import Targets, rebalanced

__all__ = ["CrossSectionalMomentum"]


class CrossSectionalMomentum(Strategy):
    """Hold the symbols with the best past returns (Jegadeesh and Titman, 1993), the newest month left out."""

    name: ClassVar[str] = "cross_sectional_momentum"
    summary: ClassVar[str] = "Long the best past performers in equal parts, ranked monthly."

    lookback: int = parameter(252, low=21, high=504, step=1, unit="sessions", description="Span of the past return.")
    skip: int = parameter(21, low=0, high=63, step=1, unit="sessions", description="Newest sessions left out.")
    share: float = parameter(0.4, low=0.1, high=1.0, step=0.1, unit="fraction", description="Part of symbols held.")
    every: int = parameter(21, low=1, high=126, step=1, unit="sessions", description="Sessions between rankings.")

    @model_validator(mode="after")
    def _skip_is_shorter(self) -> Self:
        if self.skip >= self.lookback:
            raise ValueError(f"skip ({self.skip}) must be below lookback ({self.lookback})")
        return self

    def targets(self, known: Knowledge) -> Targets:
        """Equal weights over the best ``share`` of ranked symbols with a bar today, at least one; others are kept."""
        whole, newest = known.indicators.change(self.lookback), np.zeros(known.panel.shape)
        if self.skip:
            newest = known.indicators.change(self.skip)
        score = (1.0 + whole) / (1.0 + newest) - 1.0
        ranked = np.isfinite(score)
        count = ranked.sum(axis=1)
        held = np.where(count > 0, np.maximum(np.floor(count * self.share + 1e-9), 1), 0).astype(int)
        # Ties go to the symbol that stands first; a symbol without a score is last.
        order = np.argsort(-np.where(ranked, score, -np.inf), axis=1, kind="stable")
        rank = np.argsort(order, axis=1, kind="stable")
        chosen = ranked & (rank < held[:, None])
        return rebalanced(chosen / np.maximum(held, 1)[:, None], self.every, known.panel.has_bar)
