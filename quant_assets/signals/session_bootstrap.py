"""Intervals by resampling blocks of sessions: all symbols of a session stay together, and so do neighbouring sessions.

Rows of one session share the market's move and labels of neighbouring sessions overlap, so rows are far from
independent; drawing circular blocks of whole sessions keeps both. Source: Politis, D. and Romano, J. (1992), A circular
block-resampling procedure for stationary data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["BLOCK_SESSIONS", "RESAMPLES", "SessionBootstrap", "block_length", "interval"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BLOCK_SESSIONS = 21
"""A month: the shortest block, which holds four horizons of either default model."""
_HORIZONS = 4
"""Labels over h sessions overlap in h - 1 of them; a block of four horizons cuts at most a quarter of the overlaps."""
RESAMPLES = 1000
_SCORE_BINS = 1000
_AUC_RESAMPLES = 200


def block_length(horizon_days: int) -> int:
    """Sessions of a block for labels over a horizon: a month, or four horizons where that is longer."""
    return max(BLOCK_SESSIONS, _HORIZONS * horizon_days)


@dataclass(frozen=True, slots=True, eq=False)
class SessionBootstrap:
    """The same drawn blocks for every statistic of some rows, so that differences between statistics are paired.

    Parameters
    ----------
    session_of_row : array of int, shape (n,)
        Number of each row's session, 0 to ``sessions - 1``.
    starts : array of int, shape (resamples, blocks)
        First session of each drawn block.
    lengths : array of int, shape (blocks,)
        The last block is shorter where the sessions are no multiple.
    sessions : int
    """

    session_of_row: Integers = field(repr=False)
    starts: Integers = field(repr=False)
    lengths: Integers = field(repr=False)
    sessions: int

    @classmethod
    def draw(
        cls,
        dates: npt.NDArray[np.datetime64],
        rng: np.random.Generator,
        *,
        resamples: int = RESAMPLES,
        block_sessions: int = BLOCK_SESSIONS,
    ) -> SessionBootstrap:
        """Draw blocks for rows with these dates; a history shorter than two blocks uses shorter ones."""
        unique, numbers = np.unique(dates, return_inverse=True)
        count = len(unique)
        length = max(1, min(block_sessions, count // 2))
        blocks = math.ceil(count / length)
        lengths = np.full(blocks, length, dtype=np.int64)
        lengths[-1] = count - length * (blocks - 1)
        return cls(numbers.astype(np.int64), rng.integers(0, count, (resamples, blocks)), lengths, count)

    def sums(self, values: Floats) -> Floats:
        """Sum of a row value over each resample, shape (resamples,)."""
        by_session = np.bincount(self.session_of_row, weights=values, minlength=self.sessions)
        running = np.concatenate([[0.0], np.cumsum(np.concatenate([by_session, by_session]))])
        total: Floats = (running[self.starts + self.lengths] - running[self.starts]).sum(axis=1)
        return total

    def auc(self, scores: Floats, labels: Floats) -> Floats:
        """AUC of the first 200 resamples, from a thousand bins of the score.

        Scores of one bin count as equal: at most one pair in 2,000 is then counted as half right.
        """
        edges = np.quantile(scores, np.linspace(0.0, 1.0, _SCORE_BINS + 1)[1:-1])
        bins = np.searchsorted(edges, scores, side="right")
        cells = self.session_of_row * _SCORE_BINS + bins
        size = self.sessions * _SCORE_BINS
        shape = (self.sessions, _SCORE_BINS)
        events = np.bincount(cells, weights=labels, minlength=size).reshape(shape)
        others = np.bincount(cells, weights=1.0 - labels, minlength=size).reshape(shape)
        drawn = self._session_counts(min(_AUC_RESAMPLES, len(self.starts)))
        positive, negative = drawn @ events, drawn @ others
        below = np.cumsum(negative, axis=1) - 0.5 * negative
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        won = (positive * below).sum(axis=1)
        areas: Floats = np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
        return areas

    def _session_counts(self, resamples: int) -> Floats:
        """How often each session was drawn, shape (resamples, sessions)."""
        counts = np.zeros((resamples, 2 * self.sessions + 1))
        rows = np.arange(resamples)[:, None]
        np.add.at(counts, (rows, self.starts[:resamples]), 1.0)
        np.add.at(counts, (rows, self.starts[:resamples] + self.lengths), -1.0)
        running = np.cumsum(counts, axis=1)
        folded: Floats = running[:, : self.sessions] + running[:, self.sessions : 2 * self.sessions]
        return folded


def interval(drawn: Floats, level: float = 0.95) -> tuple[float, float]:
    """Two-sided percentile interval of resampled values; NaN where none is finite."""
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return float("nan"), float("nan")
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(finite, [tail, 1.0 - tail])
    return float(low), float(high)
