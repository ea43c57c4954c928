"""Window functions over many symbols at once: the few loops that every indicator is made of.

An array holds the rows of all symbols, symbol after symbol, each in the order of its dates; :class:`Rows` says
where each symbol begins. A window counts the symbol's own bars and never reaches into another symbol. Two rules make
a result independent of where the computation started, to the last bit:

- a window is summed afresh for every row, oldest value first (a running sum drifts, and remembers its start);
- a recursive average is continued from its own value on the row before (``previous``), never approximated.

Null is NaN here. A window that holds a NaN, or that the symbol's history does not fill, gives NaN. The functions are
compiled by numba at first use (about half a second each) and kept on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

__all__ = [
    "Floats",
    "Integers",
    "Rows",
    "cumulate",
    "exponential_mean",
    "lag",
    "ratio",
    "rolling_mean",
    "rolling_std",
    "whole",
    "wilder_mean",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    return cast("_Function", numba.njit(cache=True, nogil=True)(function))


class Rows(NamedTuple):
    """Where the rows of each symbol lie in an array.

    Parameters
    ----------
    bounds : array of int, shape (symbols + 1,)
        Rows of symbol s are ``bounds[s]:bounds[s + 1]``.
    first : array of int, shape (symbols,)
        First row of each symbol that has to be computed. Rows before it are context: enough bars to fill every
        window, and on the last of them the stored values of the recursive columns. Where nothing is stored it is
        ``bounds[s]``.
    """

    bounds: Integers
    first: Integers


def whole(bounds: Integers) -> Rows:
    """Rows of which every one has to be computed."""
    return Rows(bounds, bounds[:-1].copy())


@_compiled
def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Quotient; NaN where the denominator is 0."""
    out = np.full(numerator.size, np.nan)
    for i in range(numerator.size):
        if denominator[i] != 0.0:
            out[i] = numerator[i] / denominator[i]
    return out


@_compiled
def lag(values: Floats, count: int, rows: Rows) -> Floats:
    """Value ``count`` bars earlier."""
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        for i in range(rows.bounds[s] + count, rows.bounds[s + 1]):
            out[i] = values[i - count]
    return out


@_compiled
def rolling_mean(values: Floats, window: int, rows: Rows) -> Floats:
    """Mean of the last ``window`` values, the row's own included; exactly the value where all are equal."""
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        low = rows.bounds[s]
        sums = np.zeros(max(0, rows.bounds[s + 1] - low - window + 1))
        oldest = values[low : low + sums.size]
        # Value by value for all rows at once: the same additions in the same order for each row, in vector registers.
        for j in range(window):
            shifted = values[low + j : low + j + sums.size]
            for k in range(sums.size):
                sums[k] += shifted[k] - oldest[k]
        out[low + window - 1 : low + window - 1 + sums.size] = oldest + sums / window
    return out


@_compiled
def rolling_std(values: Floats, window: int, ddof: int, rows: Rows) -> Floats:
    """Standard deviation of the last ``window`` values about their mean, with the divisor ``window - ddof``.

    Exactly 0 where all are equal.
    """
    out = rolling_mean(values, window, rows)
    for s in range(rows.first.size):
        low = rows.bounds[s]
        start = low + window - 1
        squares = np.zeros(max(0, rows.bounds[s + 1] - start))
        means = out[start : start + squares.size]
        for j in range(window):
            shifted = values[low + j : low + j + squares.size]
            for k in range(squares.size):
                squares[k] += (shifted[k] - means[k]) ** 2
        means[:] = np.sqrt(squares / (window - ddof))
    return out


@_compiled
def _start(values: Floats, low: int, high: int, first: int, previous: Floats) -> int:
    """Row from which a recursion runs: after the stored row where there is one, else the first known value."""
    if first > low and previous.size and not np.isnan(previous[first - 1]):
        return first
    for i in range(low, high):
        if not np.isnan(values[i]):
            return i
    return high


@_compiled
def exponential_mean(values: Floats, span: int, rows: Rows, previous: Floats) -> Floats:
    """Exponential average with weight 2 / (span + 1), seeded with the mean of the first ``span`` values (as TA-Lib).

    ``previous`` is the stored column, read on the row before ``rows.first`` only; empty where nothing is stored.
    """
    out = np.full(values.size, np.nan)
    weight = 2.0 / (span + 1.0)
    for s in range(rows.first.size):
        high, first = rows.bounds[s + 1], rows.first[s]
        start = _start(values, rows.bounds[s], high, first, previous)
        if start == first and first > rows.bounds[s]:
            level = previous[first - 1]
        elif start + span <= high:
            total = 0.0
            for i in range(start, start + span):
                total += values[i]
            level = total / span
            out[start + span - 1] = level
            start += span
        else:
            continue
        for i in range(start, high):
            level = (values[i] - level) * weight + level
            out[i] = level
    return out


@_compiled
def wilder_mean(values: Floats, span: int, rows: Rows, previous: Floats) -> Floats:
    """Wilder's average, ``(before * (span - 1) + value) / span``, seeded with the mean of the first ``span`` values.

    ``previous`` as in :func:`exponential_mean`.
    """
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        high, first = rows.bounds[s + 1], rows.first[s]
        start = _start(values, rows.bounds[s], high, first, previous)
        if start == first and first > rows.bounds[s]:
            level = previous[first - 1]
        elif start + span <= high:
            total = 0.0
            for i in range(start, start + span):
                total += values[i]
            level = total / span
            out[start + span - 1] = level
            start += span
        else:
            continue
        for i in range(start, high):
            level = (level * (span - 1) + values[i]) / span
            out[i] = level
    return out


@_compiled
def cumulate(values: Floats, rows: Rows, previous: Floats) -> Floats:
    """Sum of the values from the symbol's first known one on; a NaN after it counts as nothing.

    ``previous`` as in :func:`exponential_mean`.
    """
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        high, first = rows.bounds[s + 1], rows.first[s]
        start = _start(values, rows.bounds[s], high, first, previous)
        level = previous[first - 1] if start == first and first > rows.bounds[s] else 0.0
        for i in range(start, high):
            if not np.isnan(values[i]):
                level += values[i]
            out[i] = level
    return out
