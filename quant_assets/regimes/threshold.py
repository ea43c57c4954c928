"""The two-rule threshold: what labels a series that is too short for a model, and a baseline to beat.

Rule one: a 20-session volatility above the 80th percentile of its own last 1,000 sessions is high volatility. Rule two:
otherwise the close against its 200-session average decides, more than 2 % above bullish, more than 2 % below bearish,
in between sideways. Both use what there is where a series is shorter than a window. A rule has no probabilities, so the
label gets 1 and the others 0.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from quant_assets.regimes.features import FIRST_LABEL, SLOW, log_returns
from quant_assets.regimes.states import STATE_COUNT, STATES, Regime

__all__ = ["THRESHOLD_VERSION", "certain", "threshold_states"]

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int64]

THRESHOLD_VERSION = "regime-threshold-1"

AVERAGE, MEMORY = 200, 1000
QUANTILE = 0.8
BAND = 0.02
_BULLISH, _BEARISH = STATES.index(Regime.BULLISH), STATES.index(Regime.BEARISH)
_SIDEWAYS, _HIGH = STATES.index(Regime.SIDEWAYS), STATES.index(Regime.HIGH_VOLATILITY)


def threshold_states(close: Floats, start: int = 0) -> States:
    """Label of each session by the two rules, -1 before ``start`` and in the first ``FIRST_LABEL`` rows.

    Parameters
    ----------
    close : array, shape (n,)
        Adjusted closes of one series, positive.
    start : int
        First row to compute.

    Returns
    -------
    array of int, shape (n,)
        Positions in ``STATES``; row t uses closes up to t. A constant price is sideways.
    """
    return _threshold(close, log_returns(close), max(start, FIRST_LABEL))


def certain(states: States) -> Floats:
    """Probabilities of a rule: one for its label."""
    return np.eye(STATE_COUNT)[states]


@numba.njit(cache=True, nogil=True)
def _threshold(close: Floats, returns: Floats, start: int) -> States:  # pragma: no cover - compiled
    n = len(close)
    out = np.full(n, -1, dtype=np.int64)
    squares = np.full(n, np.nan)
    for t in range(max(FIRST_LABEL, start - MEMORY + 1), n):
        total = 0.0
        for i in range(t - SLOW + 1, t + 1):
            total += returns[i] * returns[i]
        squares[t] = total
    for t in range(start, n):
        oldest = max(FIRST_LABEL, t - MEMORY + 1)
        below = 0
        for i in range(oldest, t):
            if squares[i] < squares[t]:
                below += 1
        first = max(0, t - AVERAGE + 1)
        average = close[first : t + 1].mean()
        if t > oldest and below >= QUANTILE * (t - oldest):
            out[t] = _HIGH
        elif close[t] > average * (1 + BAND):
            out[t] = _BULLISH
        elif close[t] < average * (1 - BAND):
            out[t] = _BEARISH
        else:
            out[t] = _SIDEWAYS
    return out
