"""Window functions over many symbols at once: the few loops that every indicator is made of.

An array holds the rows of all symbols, symbol after symbol, each in the order of its dates; :class:`Rows` says
where each symbol begins. A window counts the symbol's own bars and never reaches into another symbol. Two rules make
a result independent of where the computation started, to the last bit:

- a window is summed afresh for every row, oldest value first (a running sum drifts, and remembers its start);
- a recursive average is continued from its own value on the row before (``previous``), never approximated.

Null is NaN here. A window that holds a NaN, or that the symbol's history does not fill, gives NaN, except where a
function says otherwise. The functions are compiled by numba at first use (about half a second each) and kept on disk.
Their loops run over the places of the window outside and over the rows inside, so that each row sees the same
operations in the same order while the processor's vector registers handle several rows at once: four times as fast
as the natural order.
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
    "compiled",
    "cumulate",
    "exponential_mean",
    "lag",
    "log_ratio",
    "ratio",
    "ratio_above",
    "rolling_mean",
    "rolling_std",
    "sign_of_change",
    "whole",
    "wilder_mean",
    "wilder_sum",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile with numba, without holding the interpreter's lock, and keep the result on disk.

    What is kept is compiled again when the function's own file changes, and only then: a compiled function must not
    call a compiled function of another module.
    """
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


@compiled
def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Quotient; NaN where the denominator is 0."""
    out = np.full(numerator.size, np.nan)
    for i in range(numerator.size):
        if denominator[i] != 0.0:
            out[i] = numerator[i] / denominator[i]
    return out


@compiled
def ratio_above(numerator: Floats, denominator: Floats, least: Floats) -> Floats:
    """Quotient; NaN where the denominator is not above ``least``, that is, nothing but rounding."""
    out = np.full(numerator.size, np.nan)
    for i in range(numerator.size):
        if denominator[i] > least[i]:
            out[i] = numerator[i] / denominator[i]
    return out


@compiled
def sign_of_change(values: Floats, before: Floats, tolerance: float) -> Floats:
    """1 for a rise, -1 for a fall, 0 where the two differ by at most ``tolerance`` of the larger; NaN if unknown."""
    out = np.full(values.size, np.nan)
    for i in range(values.size):
        change = values[i] - before[i]
        if abs(change) <= tolerance * max(abs(values[i]), abs(before[i])):
            out[i] = 0.0
        elif not np.isnan(change):
            out[i] = np.sign(change)
    return out


@compiled
def log_ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Natural logarithm of the quotient; NaN unless both are positive."""
    out = np.full(numerator.size, np.nan)
    for i in range(numerator.size):
        if numerator[i] > 0.0 and denominator[i] > 0.0:
            out[i] = np.log(numerator[i] / denominator[i])
    return out


@compiled
def lag(values: Floats, count: int, rows: Rows) -> Floats:
    """Value ``count`` bars earlier."""
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        for i in range(rows.bounds[s] + count, rows.bounds[s + 1]):
            out[i] = values[i - count]
    return out


@compiled
def rolling_mean(values: Floats, window: int, rows: Rows) -> Floats:
    """Mean of the last ``window`` values, the row's own included; exactly the value where all are equal."""
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        low = rows.bounds[s]
        sums = np.zeros(max(0, rows.bounds[s + 1] - low - window + 1))
        oldest = values[low : low + sums.size]
        for j in range(window):
            shifted = values[low + j : low + j + sums.size]
            for k in range(sums.size):
                sums[k] += shifted[k] - oldest[k]
        out[low + window - 1 : low + window - 1 + sums.size] = oldest + sums / window
    return out


@compiled
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


@compiled
def _is_continued(low: int, first: int, previous: Floats) -> bool:
    """Whether the row before ``first`` has a stored value to continue from."""
    return first > low and previous.size > 0 and not np.isnan(previous[first - 1])


@compiled
def _seed(values: Floats, span: int, low: int, high: int) -> tuple[int, float]:
    """Row of the ``span``-th known value, and the sum of those values; ``high`` where there are fewer."""
    known, total = 0, 0.0
    for i in range(low, high):
        if not np.isnan(values[i]):
            known += 1
            total += values[i]
            if known == span:
                return i, total
    return high, np.nan


@compiled
def exponential_mean(values: Floats, span: int, rows: Rows, previous: Floats) -> Floats:
    """Exponential average with weight 2 / (span + 1), seeded with the mean of the first ``span`` values (as TA-Lib).

    Once seeded, an unknown value leaves the average as it is; so with the other recursive averages.

    Parameters
    ----------
    previous : array
        The stored column, read on the row before ``rows.first`` only; empty where nothing is stored.
    """
    out = np.full(values.size, np.nan)
    weight = 2.0 / (span + 1.0)
    for s in range(rows.first.size):
        low, high, start = rows.bounds[s], rows.bounds[s + 1], rows.first[s]
        if _is_continued(low, start, previous):
            level = previous[start - 1]
        else:
            seeded, total = _seed(values, span, low, high)
            if seeded == high:
                continue
            level = total / span
            out[seeded] = level
            start = seeded + 1
        for i in range(start, high):
            if not np.isnan(values[i]):
                level = (values[i] - level) * weight + level
            out[i] = level
    return out


@compiled
def wilder_mean(values: Floats, span: int, rows: Rows, previous: Floats) -> Floats:
    """Wilder's average, ``(before * (span - 1) + value) / span``, seeded with the mean of the first ``span`` values.

    ``previous`` as in :func:`exponential_mean`.
    """
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        low, high, start = rows.bounds[s], rows.bounds[s + 1], rows.first[s]
        if _is_continued(low, start, previous):
            level = previous[start - 1]
        else:
            seeded, total = _seed(values, span, low, high)
            if seeded == high:
                continue
            level = total / span
            out[seeded] = level
            start = seeded + 1
        for i in range(start, high):
            if not np.isnan(values[i]):
                level = (level * (span - 1) + values[i]) / span
            out[i] = level
    return out


@compiled
def wilder_sum(values: Floats, span: int, rows: Rows, previous: Floats) -> Floats:
    """Wilder's sum, ``before - before / span + value``, seeded with the sum of the first ``span - 1`` values.

    Given from the ``span``-th value on, as TA-Lib does in ADX. ``previous`` as in :func:`exponential_mean`.
    """
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        low, high, start = rows.bounds[s], rows.bounds[s + 1], rows.first[s]
        if _is_continued(low, start, previous):
            level = previous[start - 1]
        else:
            seeded, level = _seed(values, span - 1, low, high)
            if seeded == high:
                continue
            start = seeded + 1
        for i in range(start, high):
            if not np.isnan(values[i]):
                level = level - level / span + values[i]
            out[i] = level
    return out


@compiled
def cumulate(values: Floats, rows: Rows, previous: Floats) -> Floats:
    """Sum of the values from the symbol's first known one on. ``previous`` as in :func:`exponential_mean`."""
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        low, high, start = rows.bounds[s], rows.bounds[s + 1], rows.first[s]
        if _is_continued(low, start, previous):
            level = previous[start - 1]
        else:
            start, level = _seed(values, 1, low, high)
            if start == high:
                continue
            out[start] = level
            start += 1
        for i in range(start, high):
            if not np.isnan(values[i]):
                level += values[i]
            out[i] = level
    return out
