"""Likelihood-ratio tests of VaR breaches: whether their number is right, and whether they come one by one."""

from __future__ import annotations

import math

from quant_assets.forecasts.parameters import Bools

__all__ = ["christoffersen_p_value", "kupiec_p_value"]


def kupiec_p_value(breaches: int, count: int, rate: float) -> float:
    """Probability of a number of breaches as odd as this, were the breach rate right.

    ``LR = -2 ln[(1 - p)^(n - x) p^x / ((1 - x/n)^(n - x) (x/n)^x)]``, chi-squared with one degree of freedom. Source:
    Kupiec (1995), Journal of Derivatives 3(2), eq. 5. NaN without observations.
    """
    if count == 0:
        return float("nan")
    ratio = -2.0 * (_bernoulli(breaches, count, rate) - _bernoulli(breaches, count, breaches / count))
    return math.erfc(math.sqrt(max(ratio, 0.0) / 2.0))


def christoffersen_p_value(breached: Bools, rate: float) -> float:
    """Probability of breaches as many and as clustered as these, were they independent with the given rate.

    The test of conditional coverage: Kupiec's ratio plus that of independence against a first-order Markov chain,
    chi-squared with two degrees of freedom. Source: Christoffersen (1998), International Economic Review 39(4), section
    4. ``breached`` has shape (n,), in order of time, over periods that do not overlap. NaN with fewer than 2.
    """
    count = len(breached)
    if count < 2:
        return float("nan")
    before, after = breached[:-1], breached[1:]
    calm_to_breach, calm = int((~before & after).sum()), int((~before).sum())
    breach_to_breach, breach = int((before & after).sum()), int(before.sum())
    pooled = (calm_to_breach + breach_to_breach) / (count - 1)
    independent = _bernoulli(calm_to_breach, calm, pooled) + _bernoulli(breach_to_breach, breach, pooled)
    markov = _bernoulli(calm_to_breach, calm, calm_to_breach / calm if calm else 0.0) + _bernoulli(
        breach_to_breach, breach, breach_to_breach / breach if breach else 0.0
    )
    total = int(breached.sum())
    coverage = _bernoulli(total, count, rate) - _bernoulli(total, count, total / count)
    ratio = -2.0 * (coverage + independent - markov)
    return math.exp(-max(ratio, 0.0) / 2.0)


def _bernoulli(hits: int, count: int, rate: float) -> float:
    """Log likelihood of ``hits`` in ``count``; 0 ln 0 is 0."""
    misses = count - hits
    return (hits * math.log(rate) if hits else 0.0) + (misses * math.log1p(-rate) if misses else 0.0)
