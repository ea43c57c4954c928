"""From what a rule wants at each close to weights and decisions, in one compiled pass.

A search evaluates a rule a thousand times; in NumPy this step alone would cost as much as the whole backtest.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from quant_assets.strategies.targets import Targets

__all__ = ["hold_above", "settle"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.uint8]


def settle(wanted: Floats) -> Targets:
    """Carry wanted weights over NaN (a missing bar, no value yet; 0 before the first) and trade where they change.

    ``wanted`` has shape (n_sessions, n_symbols).
    """
    weights, decided = np.empty(wanted.shape), np.empty(wanted.shape, dtype=np.uint8)
    _settle(np.ascontiguousarray(wanted), weights, decided)
    return Targets(weights, decided)


def hold_above(upper: Floats, lower: Floats, *, weight: float, otherwise: float) -> Targets:
    """``weight`` where ``upper`` is above ``lower``, else ``otherwise``; settled as by :func:`settle`.

    NaN in either array, both of shape (n_sessions, n_symbols), leaves a symbol as it is.
    """
    weights, decided = np.empty(upper.shape), np.empty(upper.shape, dtype=np.uint8)
    _hold_above(upper, lower, weight, otherwise, weights, decided)
    return Targets(weights, decided, most=upper.shape[1] * max(abs(weight), abs(otherwise)))


@numba.njit(cache=True, nogil=True)
def _settle(wanted: Floats, weights: Floats, decided: Flags) -> None:  # pragma: no cover
    sessions, symbols = wanted.shape
    for s in range(symbols):
        held = 0.0
        for t in range(sessions):
            value = wanted[t, s]
            changes = value == value and value != held  # noqa: PLR0124 - false for NaN
            if changes:
                held = value
            weights[t, s] = held
            decided[t, s] = changes


@numba.njit(cache=True, nogil=True)
def _hold_above(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    upper: Floats, lower: Floats, weight: float, otherwise: float, weights: Floats, decided: Flags
) -> None:
    sessions, symbols = upper.shape
    for s in range(symbols):
        held = 0.0
        for t in range(sessions):
            value = held
            if upper[t, s] > lower[t, s]:
                value = weight
            elif upper[t, s] <= lower[t, s]:
                value = otherwise
            weights[t, s] = value
            decided[t, s] = value != held
            held = value
