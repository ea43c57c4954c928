"""Compiled simulation of the portfolio's value, path by path: the only hot loops of the room.

Both kernels draw whole sessions, the same one for every holding, so that the dependence between holdings, tails
included, is the one of the history. ``picks`` holds the rows to draw, shape (n_paths, H). The result is the change of
value in currency, shape (H, n_paths). ``kept`` says for which horizons the gain of each position is kept (its slot, or
-1), filled into ``gains`` of shape (n_slots, n_paths, k).
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from quant_assets.forecasts.parameters import Floats

__all__ = ["drawdown_probabilities", "drawn_paths", "filtered_paths", "gjr_variances"]

Integers = npt.NDArray[np.int64]


@numba.njit(cache=True, nogil=True)
def gjr_variances(  # noqa: PLR0917 - compiled functions take positions only
    shocks: Floats, omega: Floats, alpha: Floats, gamma: Floats, beta: Floats, first: Floats
) -> Floats:
    """Conditional variances ``s_t+1 = omega + (alpha + gamma 1[e_t < 0]) e_t^2 + beta s_t``.

    ``shocks`` has shape (n, k), the parameters and the first variance shape (k,); the result has shape (n + 1, k),
    row t known before shock t. Source: Glosten, Jagannathan and Runkle (1993), Journal of Finance 48(5).
    """
    count, width = shocks.shape
    variances = np.empty((count + 1, width))
    variances[0] = first
    for t in range(count):
        for i in range(width):
            shock = shocks[t, i]
            weight = alpha[i] + (gamma[i] if shock < 0.0 else 0.0)
            variances[t + 1, i] = omega[i] + weight * shock * shock + beta[i] * variances[t, i]
    return variances


@numba.njit(cache=True, nogil=True)
def filtered_paths(  # noqa: PLR0917 - compiled functions take positions only
    residuals: Floats,
    picks: Integers,
    positions: Floats,
    drift: Floats,
    omega: Floats,
    alpha: Floats,
    gamma: Floats,
    beta: Floats,
    first: Floats,
    kept: Integers,
    gains: Floats,
) -> Floats:
    """Changes of value where each session's residuals are drawn jointly and scaled by each holding's own variance.

    ``residuals`` has shape (n, k), ``positions`` (currency), ``drift`` (log return per session), the GARCH parameters
    and the first variance have shape (k,).
    """
    paths, horizons = picks.shape
    width = len(positions)
    changes = np.empty((horizons, paths))
    variance = np.empty(width)
    total = np.empty(width)
    for p in range(paths):
        variance[:] = first
        total[:] = 0.0
        for h in range(horizons):
            row = picks[p, h]
            change = 0.0
            for i in range(width):
                shock = math.sqrt(variance[i]) * residuals[row, i]
                total[i] += drift[i] + shock
                weight = alpha[i] + (gamma[i] if shock < 0.0 else 0.0)
                variance[i] = omega[i] + weight * shock * shock + beta[i] * variance[i]
                gain = positions[i] * (math.exp(total[i]) - 1.0)
                change += gain
                if kept[h] >= 0:
                    gains[kept[h], p, i] = gain
            changes[h, p] = change
    return changes


@numba.njit(cache=True, nogil=True)
def drawn_paths(returns: Floats, picks: Integers, positions: Floats, shift: Floats) -> Floats:
    """Changes of value where each session's log returns are drawn jointly and moved by ``shift`` (shape (k,))."""
    paths, horizons = picks.shape
    width = len(positions)
    changes = np.empty((horizons, paths))
    total = np.empty(width)
    for p in range(paths):
        total[:] = 0.0
        for h in range(horizons):
            change = 0.0
            for i in range(width):
                total[i] += returns[picks[p, h], i] + shift[i]
                change += positions[i] * (math.exp(total[i]) - 1.0)
            changes[h, p] = change
    return changes


@numba.njit(cache=True, nogil=True)
def drawdown_probabilities(changes: Floats, value: float, limits: Floats) -> Floats:
    """Share of paths that have fallen by at least each limit from their highest value so far, per horizon.

    ``changes`` has shape (H, n_paths) in currency, ``value`` is tonight's, ``limits`` are fractions in rising order.
    The result has shape (H, n_limits). A path whose value is not positive has lost everything it had.
    """
    horizons, paths = changes.shape
    counts = np.zeros((horizons, len(limits)))
    for p in range(paths):
        peak = value
        worst = 0.0
        for h in range(horizons):
            now = value + changes[h, p]
            peak = max(peak, now)
            worst = max(worst, 1.0 - now / peak)
            for j in range(len(limits)):
                if worst >= limits[j]:
                    counts[h, j] += 1.0
    shares: Floats = counts / paths
    return shares
