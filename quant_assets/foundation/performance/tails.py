"""The shape of the return distribution, above all its bad end.

``returns`` has shape (n,), simple returns per session. VaR and CVaR are losses per session, positive when money
is lost, so 0.02 reads "two per cent of equity in a session".
"""

from __future__ import annotations

import math

import numpy as np

from quant_assets.foundation.performance.growth import FLAT_VOLATILITY, Floats

__all__ = ["cvar", "kurtosis", "skewness", "tail_ratio", "value_at_risk"]

_TIE = 1e-9
"""Slack for a tail count such as 0.05 * 100, which is 5.000000000000001 in floating point."""


def _tail_count(count: int, level: float) -> float:
    exact = (1.0 - level) * count
    nearest = round(exact)
    return float(nearest) if abs(exact - nearest) < _TIE else exact


def value_at_risk(returns: Floats, level: float = 0.95) -> float:
    """Historical value at risk: the smallest loss exceeded with a frequency of at most ``1 - level``.

    Source: McNeil, Frey and Embrechts (2015), "Quantitative Risk Management", def. 2.8, on the empirical
    distribution. NaN for an empty series.
    """
    if len(returns) == 0:
        return float("nan")
    worst_first = np.sort(returns)
    position = min(math.floor(_tail_count(len(returns), level)), len(returns) - 1)
    return float(-worst_first[position])


def cvar(returns: Floats, level: float = 0.95) -> float:
    """Mean loss over the worst ``1 - level`` of probability mass, the border observation counted in part.

    Source: Rockafellar and Uryasev (2002), "Conditional value-at-risk for general loss distributions",
    Journal of Banking & Finance 26, eq. 25.
    """
    if len(returns) == 0:
        return float("nan")
    worst_first = np.sort(returns)
    mass = _tail_count(len(returns), level)
    whole = math.floor(mass)
    if mass == 0:
        return float(-worst_first[0])
    border = worst_first[min(whole, len(returns) - 1)]
    return float(-(np.sum(worst_first[:whole]) + (mass - whole) * border) / mass)


def skewness(returns: Floats) -> float:
    """Third central moment over the cubed standard deviation, both with n in the denominator; NaN when flat."""
    return _standardised_moment(returns, 3)


def kurtosis(returns: Floats) -> float:
    """Fourth central moment over the squared variance, both with n in the denominator (3 for a normal)."""
    return _standardised_moment(returns, 4)


def _standardised_moment(returns: Floats, order: int) -> float:
    if len(returns) < 3:
        return float("nan")
    centred = returns - np.mean(returns)
    deviation = float(np.sqrt(np.mean(centred**2)))
    if deviation < FLAT_VOLATILITY:
        return float("nan")
    return float(np.mean(centred**order) / deviation**order)


def tail_ratio(returns: Floats) -> float:
    """Size of the 95th percentile over the size of the 5th (linear interpolation); NaN where the 5th is zero.

    Above 1 the good days are larger than the bad ones.
    """
    if len(returns) == 0:
        return float("nan")
    low, high = np.percentile(returns, [5.0, 95.0])
    return float("nan") if low == 0 else float(abs(high) / abs(low))
