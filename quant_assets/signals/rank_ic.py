"""Rank information coefficient: how well the order of the probabilities foretells the order of the returns, by session.

Daily values of overlapping returns repeat each other, so the error of their mean is Newey and West's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["MIN_SYMBOLS", "RankIc", "daily_rank_ic", "newey_west_error", "summarise_rank_ic"]

Floats = npt.NDArray[np.float64]
MIN_SYMBOLS = 3
"""Symbols with both values that a session needs to count."""


@dataclass(frozen=True, slots=True, eq=False)
class RankIc:
    """Daily rank ICs and their summary.

    Parameters
    ----------
    sessions : array of datetime64[D], shape (s,)
    daily : array, shape (s,)
    mean : float
    ratio : float
        Mean over standard deviation of the daily values (ICIR), not annualised.
    error : float
        Newey-West standard error of the mean.
    """

    sessions: npt.NDArray[np.datetime64] = field(repr=False)
    daily: Floats = field(repr=False)
    mean: float
    ratio: float
    error: float

    @property
    def t_statistic(self) -> float:
        """Mean over its error; NaN without one."""
        return self.mean / self.error if self.error > 0.0 else float("nan")


def daily_rank_ic(
    dates: npt.NDArray[np.datetime64], probability: Floats, returns: Floats
) -> tuple[npt.NDArray[np.datetime64], Floats]:
    """Spearman's correlation of probability and forward return within each session.

    Sessions with fewer than ``MIN_SYMBOLS`` rows, or with all values equal on one side, are left out. NaN returns are
    not counted.

    Returns
    -------
    tuple
        Sessions, ascending, and their coefficients.
    """
    frame = pl.DataFrame({"date": pl.Series(dates).cast(pl.Date), "p": probability, "r": returns})
    daily = (
        frame.filter(pl.col("r").is_not_nan() & pl.col("p").is_not_nan())
        .group_by("date")
        .agg(ic=pl.corr("p", "r", method="spearman"), symbols=pl.len())
        .filter((pl.col("symbols") >= MIN_SYMBOLS) & pl.col("ic").is_not_nan() & pl.col("ic").is_not_null())
        .sort("date")
    )
    return daily["date"].to_numpy().astype("datetime64[D]"), daily["ic"].to_numpy()


def summarise_rank_ic(sessions: npt.NDArray[np.datetime64], daily: Floats, horizon_days: int) -> RankIc:
    """Mean, ratio and Newey-West error of daily coefficients; NaN below two sessions.

    Lags are at least ``horizon_days - 1``, over which returns overlap, and at least Newey and West's rule
    ``4 (n / 100)^(2/9)``.
    """
    count = len(daily)
    if count < 2:
        mean = float(daily[0]) if count else float("nan")
        return RankIc(sessions, daily, mean, float("nan"), float("nan"))
    deviation = float(daily.std(ddof=1))
    lags = min(count - 1, max(horizon_days - 1, math.floor(4.0 * (count / 100.0) ** (2.0 / 9.0))))
    mean = float(daily.mean())
    ratio = mean / deviation if deviation > 0.0 else float("nan")
    return RankIc(sessions, daily, mean, ratio, newey_west_error(daily, lags))


def newey_west_error(values: Floats, lags: int) -> float:
    r"""Standard error of the mean of a correlated series.

    .. math:: \sqrt{\frac{1}{n^2} \left(\gamma_0 + 2 \sum_{l=1}^{L} (1 - \tfrac{l}{L+1}) \gamma_l\right)},
              \quad \gamma_l = \sum_t e_t e_{t-l}

    Source: Newey, W. and West, K. (1987), Econometrica 55. Equals statsmodels' HAC covariance of a regression on a
    constant, without small-sample correction.
    """
    residuals = values - values.mean()
    total = float(residuals @ residuals)
    for lag in range(1, lags + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * float(residuals[lag:] @ residuals[:-lag])
    return math.sqrt(max(total, 0.0)) / len(values)
