"""Growth of an equity curve and how unsteady it is.

``equity`` is an array of shape (n_sessions,), in money, the first value being the capital; ``returns`` has shape
(n_sessions - 1,), simple returns per session as fractions. What cannot be computed is NaN, never zero.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quant_assets.foundation.performance.periods import SESSIONS_PER_YEAR

__all__ = ["FLAT_VOLATILITY", "Floats", "cagr", "simple_returns", "total_return", "volatility_ann"]

Floats = npt.NDArray[np.float64]

FLAT_VOLATILITY = 1e-14
"""A standard deviation per session below this is rounding of a constant series, so ratios to it are undefined."""


def simple_returns(equity: Floats) -> Floats:
    """Returns from each session to the next, ``E_t / E_(t-1) - 1``, shape (n_sessions - 1,).

    After a session with equity of zero (ruin) the return is zero: there is nothing left to lose or win.
    """
    before = equity[:-1]
    change = equity[1:] - before
    return np.divide(change, before, out=np.zeros_like(change), where=before > 0)


def total_return(equity: Floats) -> float:
    """Last equity over first, less one."""
    return float(equity[-1] / equity[0] - 1.0)


def cagr(equity: Floats, years: float) -> float:
    """Compound annual growth rate ``(E_T / E_0)^(1 / years) - 1``; NaN without elapsed time.

    ``years`` are calendar years (see :func:`quant_assets.foundation.performance.periods.years_between`).
    """
    if years <= 0:
        return float("nan")
    return float((max(equity[-1], 0.0) / equity[0]) ** (1.0 / years) - 1.0)


def volatility_ann(returns: Floats) -> float:
    """Sample standard deviation (one degree of freedom) of returns times the square root of 252."""
    if len(returns) < 2:
        return float("nan")
    return float(np.std(returns, ddof=1) * np.sqrt(SESSIONS_PER_YEAR))
