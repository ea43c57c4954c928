"""Window functions of higher moments and extremes, beside the means of ``windows`` and by the same rules."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quant_assets.features.windows import Floats, Rows, compiled, rolling_mean

__all__ = [
    "Line",
    "changes_between_known",
    "rolling_absolute_deviation",
    "rolling_correlation",
    "rolling_known_mean",
    "rolling_max",
    "rolling_min",
    "rolling_pair_regression",
    "rolling_skewness",
]


class Line(NamedTuple):
    """Least-squares lines, one for each row: NaN where the independent values do not differ.

    Parameters
    ----------
    slope : array
    correlation : array
        NaN also where the dependent values do not differ.
    residual_std : array
        Standard deviation of the residuals with two degrees of freedom less than pairs.
    """

    slope: Floats
    correlation: Floats
    residual_std: Floats


@compiled
def rolling_max(values: Floats, window: int, rows: Rows) -> Floats:
    """Highest of the last ``window`` values."""
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        low = rows.bounds[s]
        count = max(0, rows.bounds[s + 1] - low - window + 1)
        highest = values[low : low + count].copy()
        for j in range(1, window):
            shifted = values[low + j : low + j + count]
            for k in range(count):
                highest[k] = np.maximum(highest[k], shifted[k])
        out[low + window - 1 : low + window - 1 + count] = highest
    return out


def rolling_min(values: Floats, window: int, rows: Rows) -> Floats:
    """Lowest of the last ``window`` values."""
    return -rolling_max(-values, window, rows)


@compiled
def rolling_known_mean(values: Floats, window: int, rows: Rows) -> Floats:
    """Mean of those of the last ``window`` values that are known; NaN where none is."""
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        low = rows.bounds[s]
        count = max(0, rows.bounds[s + 1] - low - window + 1)
        sums, known = np.zeros(count), np.zeros(count)
        for j in range(window):
            shifted = values[low + j : low + j + count]
            for k in range(count):
                if not np.isnan(shifted[k]):
                    sums[k] += shifted[k]
                    known[k] += 1.0
        for k in range(count):
            if known[k] > 0.0:
                out[low + window - 1 + k] = sums[k] / known[k]
    return out


def rolling_absolute_deviation(values: Floats, window: int, rows: Rows) -> Floats:
    """Mean absolute deviation of the last ``window`` values from their mean."""
    return _absolute_deviation(values, rolling_mean(values, window, rows), window, rows)


@compiled
def _absolute_deviation(values: Floats, mean: Floats, window: int, rows: Rows) -> Floats:
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        low = rows.bounds[s]
        start = low + window - 1
        sums = np.zeros(max(0, rows.bounds[s + 1] - start))
        means = mean[start : start + sums.size]
        for j in range(window):
            shifted = values[low + j : low + j + sums.size]
            for k in range(sums.size):
                sums[k] += abs(shifted[k] - means[k])
        out[start : start + sums.size] = sums / window
    return out


def rolling_skewness(values: Floats, window: int, least: float, rows: Rows) -> Floats:
    """Population skewness of the last ``window`` values, m3 / m2^1.5; NaN where they deviate by at most ``least``."""
    return _skewness(values, rolling_mean(values, window, rows), window, least, rows)


@compiled
def _skewness(values: Floats, mean: Floats, window: int, least: float, rows: Rows) -> Floats:
    out = np.full(values.size, np.nan)
    for s in range(rows.first.size):
        low = rows.bounds[s]
        start = low + window - 1
        squares = np.zeros(max(0, rows.bounds[s + 1] - start))
        cubes = np.zeros(squares.size)
        means = mean[start : start + squares.size]
        for j in range(window):
            shifted = values[low + j : low + j + squares.size]
            for k in range(squares.size):
                deviation = shifted[k] - means[k]
                squares[k] += deviation * deviation
                cubes[k] += deviation * deviation * deviation
        for k in range(squares.size):
            variance = squares[k] / window
            if variance > least * least:
                out[start + k] = cubes[k] / window / variance**1.5
    return out


def rolling_correlation(first: Floats, second: Floats, window: int, least: float, rows: Rows) -> Floats:
    """Correlation of the last ``window`` pairs; NaN where either's values deviate by at most ``least``."""
    means = np.stack([rolling_mean(first, window, rows), rolling_mean(second, window, rows)])
    return _correlation(np.stack([first, second]), means, window, least, rows)


@compiled
def _correlation(pairs: Floats, means: Floats, window: int, least: float, rows: Rows) -> Floats:
    out = np.full(pairs.shape[1], np.nan)
    for s in range(rows.first.size):
        low = rows.bounds[s]
        start = low + window - 1
        count = max(0, rows.bounds[s + 1] - start)
        sxx, syy, sxy = np.zeros(count), np.zeros(count), np.zeros(count)
        my, mx = means[0, start : start + count], means[1, start : start + count]
        for j in range(window):
            y, x = pairs[0, low + j : low + j + count], pairs[1, low + j : low + j + count]
            for k in range(count):
                sxx[k] += (x[k] - mx[k]) * (x[k] - mx[k])
                syy[k] += (y[k] - my[k]) * (y[k] - my[k])
                sxy[k] += (x[k] - mx[k]) * (y[k] - my[k])
        nothing = least * least * window
        for k in range(count):
            if sxx[k] > nothing and syy[k] > nothing:
                out[start + k] = sxy[k] / np.sqrt(sxx[k] * syy[k])
    return out


@compiled
def changes_between_known(first: Floats, second: Floats, rows: Rows) -> Floats:
    """Returns of two prices from the bar before on which both were known to this one.

    Returns
    -------
    array, shape (3, bars)
        Return of ``first``, return of ``second``, and how many bars before this one they begin. Where a bar does not
        know both, or none before it does: 0, 0, NaN.
    """
    out = np.zeros((3, first.size))
    out[2] = np.nan
    for s in range(rows.first.size):
        before = -1
        for i in range(rows.bounds[s], rows.bounds[s + 1]):
            if first[i] > 0.0 and second[i] > 0.0:
                if before >= 0:
                    out[0, i] = first[i] / first[before] - 1.0
                    out[1, i] = second[i] / second[before] - 1.0
                    out[2, i] = i - before
                before = i
    return out


def rolling_pair_regression(changes: Floats, window: int, least_pairs: int, least: float, rows: Rows) -> Line:
    """Least-squares line through those pairs of the last ``window`` bars that begin no earlier than the bar before.

    Parameters
    ----------
    changes : array, shape (3, bars)
        From :func:`changes_between_known`: the dependent values, the independent ones, and their reach.
    window : int
    least_pairs : int
        NaN where the window has fewer.
    least : float
        Standard deviation that counts as none.
    """
    slope, correlation, residual_std, pairs = _pair_regression(changes, window, least, rows)
    too_few = pairs < least_pairs
    return Line(*(np.where(too_few, np.nan, values) for values in (slope, correlation, residual_std)))


@compiled
def _pair_regression(changes: Floats, window: int, least: float, rows: Rows) -> Floats:
    """Rows of the result: slope, correlation, residual deviation, number of pairs."""
    out = np.full((4, changes.shape[1]), np.nan)
    for s in range(rows.first.size):
        start, high = rows.bounds[s] + window, rows.bounds[s + 1]
        if start < high:
            out[:, start:high] = _pair_line(changes, start - window + 1, high - start, window, least)
    return out


@compiled
def _pair_means(changes: Floats, low: int, count: int, window: int) -> tuple[Floats, Floats, Floats]:
    """Pairs of each window, and the means of both their values."""
    pairs, my, mx = np.zeros(count), np.zeros(count), np.zeros(count)
    for j in range(window):
        y, x, reach = changes[0, low + j :], changes[1, low + j :], changes[2, low + j :]
        for k in range(count):
            used = 1.0 if reach[k] <= j + 1.0 else 0.0
            pairs[k] += used
            my[k] += used * y[k]
            mx[k] += used * x[k]
    return pairs, my / pairs, mx / pairs


@compiled
def _pair_line(changes: Floats, low: int, count: int, window: int, least: float) -> Floats:
    """Lines of ``count`` windows, the first of which begins at ``low``."""
    pairs, my, mx = _pair_means(changes, low, count, window)
    sxx, syy, sxy, rest = np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count)
    for j in range(window):
        y, x, reach = changes[0, low + j :], changes[1, low + j :], changes[2, low + j :]
        for k in range(count):
            used = 1.0 if reach[k] <= j + 1.0 else 0.0
            dy, dx = used * (y[k] - my[k]), used * (x[k] - mx[k])
            sxx[k] += dx * dx
            syy[k] += dy * dy
            sxy[k] += dx * dy
    nothing = least * least * pairs
    slope = np.where(sxx > nothing, sxy / sxx, np.nan)
    correlation = np.where(syy > nothing, sxy / np.sqrt(sxx * syy), np.nan)
    for j in range(window):
        y, x, reach = changes[0, low + j :], changes[1, low + j :], changes[2, low + j :]
        for k in range(count):
            used = 1.0 if reach[k] <= j + 1.0 else 0.0
            rest[k] += used * (y[k] - my[k] - slope[k] * (x[k] - mx[k])) ** 2
    return np.stack((slope, np.where(np.isnan(slope), np.nan, correlation), np.sqrt(rest / (pairs - 2.0)), pairs))
