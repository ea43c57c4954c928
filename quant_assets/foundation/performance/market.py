"""What of a return series the market explains."""

from __future__ import annotations

import numpy as np

from quant_assets.foundation.performance.growth import FLAT_VOLATILITY, Floats
from quant_assets.foundation.performance.periods import SESSIONS_PER_YEAR, rate_per_session

__all__ = ["alpha_beta"]


def alpha_beta(returns: Floats, market: Floats, *, risk_free_rate: float) -> tuple[float, float]:
    """Intercept (times 252) and slope of the least-squares line of excess returns on the market's.

    Source: Jensen, M. (1968), "The Performance of Mutual Funds in the Period 1945-1964", Journal of Finance 23(2),
    eq. 8. Both are NaN where the market has fewer than 2 observations or does not move.
    """
    if len(returns) < 2 or len(market) != len(returns):
        return float("nan"), float("nan")
    rate = rate_per_session(risk_free_rate)
    ours, theirs = returns - rate, market - rate
    centred = theirs - np.mean(theirs)
    if float(np.sqrt(np.mean(centred**2))) < FLAT_VOLATILITY:
        return float("nan"), float("nan")
    beta = float(np.sum(centred * (ours - np.mean(ours))) / np.sum(centred**2))
    alpha = float(np.mean(ours) - beta * np.mean(theirs)) * SESSIONS_PER_YEAR
    return alpha, beta
