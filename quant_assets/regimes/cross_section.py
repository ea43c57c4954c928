"""How much the universe moves as one: mean pairwise correlation and the first principal component's share.

Both come from the correlation matrix of the last 60 sessions' returns of the symbols that have all of them. With
standardised returns Z (T x N), the mean off-diagonal correlation is ``(|Z 1|^2 / T - N) / (N (N - 1))`` and the first
component's share is the largest eigenvalue of ``Z' Z / T`` over N, which equals that of the smaller ``Z Z' / T``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from quant_assets.regimes.features import CROSS

__all__ = ["cross_section"]

Floats = npt.NDArray[np.float64]


def cross_section(close: Floats, wanted: npt.NDArray[np.bool_]) -> Floats:
    """Mean pairwise correlation and first component's share at each wanted session.

    Parameters
    ----------
    close : array, shape (n, s)
        Adjusted closes by session and symbol, NaN without a bar.
    wanted : array of bool, shape (n,)
        Sessions to compute.

    Returns
    -------
    array, shape (n, 2)
        NaN where not wanted, and where fewer than two symbols have 60 returns in a row that are not constant.
    """
    returns = np.full(close.shape, np.nan)
    with np.errstate(invalid="ignore"):
        returns[1:] = np.log(close[1:] / close[:-1])
    out = np.full((len(close), 2), np.nan)
    # Small matrices: with two threads that wait for each other a session of 500 symbols took 30 times as long.
    with threadpool_limits(1):
        for t in np.flatnonzero(wanted):
            if t >= CROSS:
                out[t] = _one_session(np.ascontiguousarray(returns[t - CROSS + 1 : t + 1]))
    return out


def _one_session(window: Floats) -> tuple[float, float]:
    """Both measures of a window of returns, shape (T, N)."""
    window = window[:, np.isfinite(window).all(axis=0)]
    centred = window - window.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    # A constant return leaves rounding noise of its own size, not a correlation.
    moving = spread > 1e-12 * np.maximum(np.abs(window).max(axis=0, initial=0.0), 1e-300)
    if moving.sum() < 2:
        return np.nan, np.nan
    standard = centred[:, moving] / spread[moving]
    sessions, symbols = standard.shape
    total = standard.sum(axis=1)
    correlation = (total @ total / sessions - symbols) / (symbols * (symbols - 1))
    gram = standard @ standard.T if symbols > sessions else standard.T @ standard
    return float(correlation), float(np.linalg.eigvalsh(gram)[-1] / sessions / symbols)
