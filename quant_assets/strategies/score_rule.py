"""Trading on a score: the one rule that a model's probability and its plain twin share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.strategies.base import Knowledge, slot
from quant_assets.strategies.settling import settle
from quant_assets.strategies.targets import Targets

__all__ = ["above_own_level"]

Floats = npt.NDArray[np.float64]


def above_own_level(score: Floats, known: Knowledge, *, lookback: int, quantile: float) -> Targets:
    """Hold a symbol while its score is above that quantile of its own last ``lookback`` scores.

    Comparing a score with its own past needs no calibration and no base rate, so any two scores are traded alike:
    in the market about ``1 - quantile`` of the time, in the same slots. NaN (no score today) keeps what is held; the
    first quarter of the look-back is for learning the level.
    """
    wanted = np.full(score.shape, np.nan)
    for column in range(score.shape[1]):
        rows = np.flatnonzero(np.isfinite(score[:, column]))
        series = pl.Series(score[rows, column])
        least = max(lookback // 4, 2)
        level = series.shift(1).rolling_quantile(quantile, "linear", window_size=lookback, min_samples=least)
        wanted[rows, column] = (series > level).cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return settle(wanted * slot(known))
