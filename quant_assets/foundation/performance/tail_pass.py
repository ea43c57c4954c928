"""VaR, CVaR and tail ratio of sorted returns in one compiled pass; ``tails`` has the definitions."""

from __future__ import annotations

import math

import numba

from quant_assets.foundation.performance.growth import Floats

__all__ = ["measure_tails"]

_TAIL = 0.05


@numba.njit(cache=True, nogil=True, error_model="numpy")
def measure_tails(worst_first: Floats, out: Floats) -> None:  # pragma: no cover
    """Write value at risk, CVaR (both at 95 %) and tail ratio to ``out[0:3]``; ``worst_first`` is ascending."""
    count = len(worst_first)
    if count == 0:
        return
    mass = _TAIL * count
    if abs(mass - round(mass)) < 1e-9:
        mass = float(round(mass))
    whole = math.floor(mass)
    border = worst_first[min(whole, count - 1)]
    out[0] = -border
    total = 0.0
    for i in range(whole):
        total += worst_first[i]
    out[1] = -(total + (mass - whole) * border) / mass
    low = _percentile(worst_first, _TAIL)
    if low != 0.0:
        out[2] = abs(_percentile(worst_first, 1.0 - _TAIL)) / abs(low)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _percentile(ordered: Floats, share: float) -> float:  # pragma: no cover
    """Linear interpolation between order statistics, NumPy's default."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))
