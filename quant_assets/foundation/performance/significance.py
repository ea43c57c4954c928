"""How sure one may be of a Sharpe ratio: probabilistic and deflated Sharpe, and the interval of a difference.

Inside this module Sharpe ratios are per session, not annualised; ``returns`` has shape (n,).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from quant_assets.foundation.errors import UsageError
from quant_assets.foundation.performance.growth import FLAT_VOLATILITY, Floats
from quant_assets.foundation.performance.periods import SESSIONS_PER_YEAR, rate_per_session
from quant_assets.foundation.performance.tails import kurtosis, skewness

__all__ = [
    "SharpeDifference",
    "deflated_sharpe_ratio",
    "expected_max_sharpe",
    "probabilistic_sharpe_ratio",
    "sharpe_difference",
]

_NORMAL = NormalDist()


def probabilistic_sharpe_ratio(returns: Floats, *, risk_free_rate: float, threshold: float = 0.0) -> float:
    r"""Probability that the true Sharpe ratio exceeds ``threshold`` (per session).

    .. math:: \Phi\left[(SR - SR^*) \sqrt{n - 1} / \sqrt{1 - \gamma_3 SR + \tfrac{\gamma_4 - 1}{4} SR^2}\right]

    Source: Bailey, D. and Lopez de Prado, M. (2012), "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2),
    eq. 9. NaN below 3 observations, for a flat series, and where the variance term is not positive.
    """
    count = len(returns)
    if count < 3:
        return float("nan")
    deviation = float(np.std(returns, ddof=1))
    if deviation < FLAT_VOLATILITY:
        return float("nan")
    sharpe = (float(np.mean(returns)) - rate_per_session(risk_free_rate)) / deviation
    variance = 1.0 - skewness(returns) * sharpe + (kurtosis(returns) - 1.0) / 4.0 * sharpe**2
    if variance <= 0:
        return float("nan")
    return _NORMAL.cdf((sharpe - threshold) * math.sqrt(count - 1) / math.sqrt(variance))


def expected_max_sharpe(trials: int, deviation: float) -> float:
    r"""Expected best Sharpe ratio of ``trials`` independent worthless strategies.

    .. math:: \sigma [(1 - \gamma) \Phi^{-1}(1 - 1/N) + \gamma \Phi^{-1}(1 - 1/(N e))]

    ``deviation`` is the standard deviation of the trials' Sharpe ratios, in the same period as the result; one
    trial, or trials that do not differ, need no correction (0). Source: Bailey, D. and Lopez de Prado, M. (2014),
    "The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5), eq. 1.

    Raises
    ------
    UsageError
        Where ``trials`` is below 1 or ``deviation`` is negative.
    """
    if trials < 1 or deviation < 0:
        raise UsageError("the number of variants tried must be at least 1 and the deviation of their Sharpes >= 0")
    if trials == 1 or deviation == 0:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return deviation * ((1.0 - np.euler_gamma) * first + np.euler_gamma * second)


def deflated_sharpe_ratio(returns: Floats, *, risk_free_rate: float, trials: int, trial_deviation: float) -> float:
    """Probability that the true Sharpe ratio is above zero, given that the best of ``trials`` variants was picked.

    The probabilistic Sharpe ratio against the threshold of :func:`expected_max_sharpe`. Variants of one strategy
    are correlated, so counting each as independent deflates too much rather than too little.
    """
    threshold = expected_max_sharpe(trials, trial_deviation)
    return probabilistic_sharpe_ratio(returns, risk_free_rate=risk_free_rate, threshold=threshold)


@dataclass(frozen=True, slots=True)
class SharpeDifference:
    """Annualised Sharpe ratio of one series less that of another, with its two-sided interval."""

    difference: float
    low: float
    high: float
    level: float


def sharpe_difference(  # a paired comparison has this many knobs, all but the first two by name
    ours: Floats,
    theirs: Floats,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 2000,
    block_sessions: int = 21,
) -> SharpeDifference:
    """Difference of the annualised Sharpe ratios of two series over the same sessions, by a paired bootstrap.

    Circular blocks keep the serial dependence of returns, drawing the same blocks from both keeps their
    correlation; the interval is the percentile one. Source: Ledoit, O. and Wolf, M. (2008), "Robust performance
    hypothesis testing with the Sharpe ratio", Journal of Empirical Finance 15(5), sec. 3.2; blocks after Politis
    and Romano (1992). The risk-free rate cancels to first order and is left out.

    Raises
    ------
    UsageError
        Where the series differ in length or have fewer than two blocks.
    """
    count = len(ours)
    if len(theirs) != count or count < 2 * block_sessions:
        raise UsageError(
            f"a Sharpe difference needs two series of the same {2 * block_sessions} sessions or more; "
            f"these have {count} and {len(theirs)}"
        )
    blocks = math.ceil(count / block_sessions)
    starts = rng.integers(0, count, size=(resamples, blocks))
    lengths = np.full(blocks, block_sessions)
    lengths[-1] = count - block_sessions * (blocks - 1)
    drawn = _resampled_sharpe(ours, starts, lengths) - _resampled_sharpe(theirs, starts, lengths)
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(drawn, [tail, 1.0 - tail]) if np.isfinite(drawn).any() else (np.nan, np.nan)
    point = _plain_sharpe(ours) - _plain_sharpe(theirs)
    return SharpeDifference(point, float(low), float(high), level)


def _plain_sharpe(returns: Floats) -> float:
    deviation = float(np.std(returns, ddof=1))
    if deviation < FLAT_VOLATILITY:
        return 0.0  # a series that never moved has earned nothing for no risk
    return float(np.mean(returns) / deviation * math.sqrt(SESSIONS_PER_YEAR))


def _resampled_sharpe(returns: Floats, starts: np.ndarray, lengths: np.ndarray) -> Floats:
    """Sharpe of each resample from running sums over the series laid twice end to end, without copying returns."""
    twice = np.concatenate([returns, returns])
    sums = np.concatenate([[0.0], np.cumsum(twice)])
    squares = np.concatenate([[0.0], np.cumsum(twice**2)])
    count = len(returns)
    mean = np.sum(sums[starts + lengths] - sums[starts], axis=1) / count
    square = np.sum(squares[starts + lengths] - squares[starts], axis=1) / count
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0) * count / (count - 1))
    flat = deviation < FLAT_VOLATILITY
    annual: Floats = np.where(flat, 0.0, mean / np.where(flat, 1.0, deviation)) * math.sqrt(SESSIONS_PER_YEAR)
    return annual
