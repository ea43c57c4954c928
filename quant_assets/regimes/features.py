"""What the models look at: causal features of one price series and of the universe's cross-section.

Row t of every feature uses closes up to and including t, over a fixed number of sessions, and each window is summed
afresh, so that a value does not depend on where the history starts: a night that reads only the tail gets the same bits
as a full rebuild.

A feature that averages the last w sessions repeats itself: neighbouring values share w - 1 of their w sessions. A
hidden Markov model takes its observations for independent given the state, so ten correlated readings of the same week
would count as ten weeks of evidence. Each feature therefore carries a weight: the sessions of evidence that one reading
is worth, 1/w for a window of w (a composite likelihood; Varin, Reid and Firth 2011, Statistica Sinica 21). Two readings
of the same thing share one weight: the return and the size of the move, the two measures of one correlation matrix (at
1/60 each those two cost 2 points of accuracy on ten development markets, seeds 100 to 109).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from quant_assets.foundation.errors import DataError

__all__ = [
    "CROSS_FEATURES",
    "FEATURES",
    "FIRST_LABEL",
    "LOOKBACK",
    "SERIES_FEATURES",
    "Feature",
    "own_scale",
    "series_features",
]

Floats = npt.NDArray[np.float64]

MOVE_POWER = 0.4
"""|z|^0.4 is the power of an absolute return closest to a normal curve for both thin and fat tails: its skewness is
-0.13 for normal z and 0.19 for Student-t with 6 degrees of freedom (0.29 and 0.75 at 0.6; 2 million draws)."""
FAST, SLOW, TREND, YEAR, CROSS = 5, 20, 60, 252, 60
FIRST_LABEL = SLOW
"""Returns needed before a session gets features at all; shorter windows are used until a longer one is full."""
SCALE_SESSIONS = 2520
"""Sessions, about ten years, over which a symbol's own volatility is measured to make symbols comparable."""
LOOKBACK = SCALE_SESSIONS + 1
"""Closes before a session that its features can depend on."""
_FLOOR = 1e-8
"""Volatility, as a share of the scale, below which a series counts as constant."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: name, window in sessions, weight in the likelihood, meaning and unit."""

    name: str
    window: int
    weight: float
    description: str
    unit: str


SERIES_FEATURES: tuple[Feature, ...] = (
    Feature("return_1d", 1, 0.15, "asinh of the session's log return over the scale", "asinh of scales"),
    Feature("move_size_1d", 1, 0.85, "size of the session's log return over the scale, to the power 0.4", "scales^0.4"),
    Feature("volatility_change", FAST, 1 / SLOW, "log of the 5-session over the 20-session volatility", "log ratio"),
    Feature("trend_60d", TREND, 1 / TREND, "sum of 60 returns over their root sum of squares", "t-statistic"),
    Feature(
        "drawdown_252d", YEAR, 1 / YEAR, "log distance from the 252-session high over a year's volatility", "years"
    ),
    Feature(
        "volatility_20d", SLOW, 0.0, "root mean square of 20 returns, annualised; described, not modelled", "a year"
    ),
)
"""``volatility_20d`` names states, explains changes and feeds the baselines. In the likelihood it would repeat what
``move_size_1d`` has said before: at 1/20 it cost 1.8 points of accuracy on ten development markets (seeds 100-109)."""

CROSS_FEATURES: tuple[Feature, ...] = (
    Feature(
        "correlation_60d", CROSS, 0.5 / CROSS, "mean pairwise correlation of the universe's returns", "correlation"
    ),
    Feature("first_component_60d", CROSS, 0.5 / CROSS, "first principal component's share of correlation", "share"),
)
FEATURES = SERIES_FEATURES + CROSS_FEATURES


def series_features(close: Floats, scale: Floats, start: int = 0) -> Floats:
    """Features of one price series.

    Parameters
    ----------
    close : array, shape (n,)
        Adjusted closes, positive and finite.
    scale : array, shape (n,)
        Daily volatility that returns are measured in, as known at each session (fraction, not per cent).
    start : int
        First row to compute.

    Returns
    -------
    array, shape (n, 6)
        Columns as ``SERIES_FEATURES``; NaN before ``start``, in the first ``FIRST_LABEL`` rows and where the scale is
        NaN. A constant stretch has trend, drawdown and change of volatility 0.

    Raises
    ------
    DataError
        Where a close is not a positive number.
    """
    if not np.all(np.isfinite(close) & (close > 0)):
        raise DataError("a close price is missing, zero or negative; withhold the bar or mend the price file")
    return _series_features(log_returns(close), np.log(close), scale, max(start, FIRST_LABEL))


def log_returns(close: Floats) -> Floats:
    """Log return of each session against the one before; NaN in the first row."""
    returns = np.full(len(close), np.nan)
    returns[1:] = np.log(close[1:] / close[:-1])
    return returns


def own_scale(close: Floats, start: int = 0) -> Floats:
    """Root mean square of a series' last ``SCALE_SESSIONS`` log returns, as known at each session.

    NaN before ``start``, before ``FIRST_LABEL`` returns and where the price never moved.
    """
    return _trailing_rms(log_returns(close), max(start, FIRST_LABEL))


@numba.njit(cache=True, nogil=True)
def _trailing_rms(returns: Floats, start: int) -> Floats:  # pragma: no cover - compiled
    out = np.full(len(returns), np.nan)
    for t in range(start, len(returns)):
        first = max(1, t - SCALE_SESSIONS + 1)
        total = 0.0
        for i in range(first, t + 1):
            total += returns[i] * returns[i]
        if total > 0.0:
            out[t] = math.sqrt(total / (t - first + 1))
    return out


@numba.njit(cache=True, nogil=True)
def _sums(returns: Floats, t: int, window: int) -> tuple[float, float, int]:  # pragma: no cover
    """Sum, sum of squares and count of the last ``window`` returns up to t, fewer at the start of a series."""
    first = max(1, t - window + 1)
    total, squares = 0.0, 0.0
    for i in range(first, t + 1):
        total += returns[i]
        squares += returns[i] * returns[i]
    return total, squares, t - first + 1


@numba.njit(cache=True, nogil=True)
def _series_features(returns: Floats, log_close: Floats, scale: Floats, start: int) -> Floats:  # pragma: no cover
    n = len(returns)
    out = np.full((n, 6), np.nan)
    for t in range(start, n):
        if not scale[t] > 0.0:
            continue
        move = returns[t] / scale[t]
        _, fast, fast_count = _sums(returns, t, FAST)
        _, slow, slow_count = _sums(returns, t, SLOW)
        drift, path, _ = _sums(returns, t, TREND)
        _, year, _ = _sums(returns, t, YEAR)
        high = log_close[t]
        for i in range(max(0, t - YEAR + 1), t):
            high = max(high, log_close[i])
        floor = _FLOOR * scale[t]
        fast_volatility = max(math.sqrt(fast / fast_count), floor)
        slow_volatility = max(math.sqrt(slow / slow_count), floor)
        out[t, 0] = math.asinh(move)
        out[t, 1] = abs(move) ** MOVE_POWER
        # A week without any move after a lively month would be minus infinity; -2 is a seventh.
        out[t, 2] = max(math.log(fast_volatility / slow_volatility), -2.0)
        out[t, 3] = drift / math.sqrt(path) if path > 0.0 else 0.0
        out[t, 4] = (log_close[t] - high) / math.sqrt(year) if year > 0.0 else 0.0
        out[t, 5] = math.sqrt(slow / slow_count * YEAR)
    return out
