"""What the market did, as seen from each symbol: so that a day on which everything moves accuses nobody.

The market of a symbol is the median over all *other* symbols of the session. A median needs no declared index, and
one bad bar among several hardly moves it. What the market did can only excuse a symbol's move, never accuse it:
otherwise a wrong bar of an index would make every sound bar of that day look odd.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["excused", "leave_one_out_median", "median_of_others"]

FloatArray = npt.NDArray[np.float64]


def leave_one_out_median(values: FloatArray) -> FloatArray:
    """Median of the other columns of each row.

    Parameters
    ----------
    values : array of shape (n_sessions, n_symbols)
        NaN where a symbol has no value that session.

    Returns
    -------
    array of the same shape
        NaN where no other column has a value. A column without a value gets the median of all the others.
    """
    n_symbols = values.shape[1]
    present = np.isfinite(values)
    filled = np.where(present, values, np.inf)
    order = np.argsort(filled, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(n_symbols)[None, :].repeat(len(values), axis=0), axis=1)
    ordered = np.take_along_axis(filled, order, axis=1)
    others = present.sum(axis=1, keepdims=True) - present

    def nth_of_others(position: npt.NDArray[Any]) -> FloatArray:
        # Leaving out a value moves everything ranked at or above it down by one.
        shifted = position + (present & (ranks <= position))
        found: FloatArray = np.take_along_axis(ordered, np.clip(shifted, 0, n_symbols - 1), axis=1)
        return found

    low, high = nth_of_others((others - 1) // 2), nth_of_others(others // 2)
    with np.errstate(invalid="ignore"):
        return np.where(others > 0, (low + high) / 2, np.nan)


def median_of_others(frame: pl.DataFrame, column: str) -> pl.Series:
    """Median of ``column`` over the other symbols of the same session, in the frame's row order; null without any.

    Parameters
    ----------
    frame : pl.DataFrame
        symbol, date and ``column``; at most one row per symbol and date.
    column : str
        A float column; null counts as absent.
    """
    sessions = frame["date"].rank("dense").to_numpy().astype(np.int64) - 1
    symbols = frame["symbol"].rank("dense").to_numpy().astype(np.int64) - 1
    if not len(frame):
        return pl.Series(column, [], dtype=pl.Float64)
    matrix = np.full((sessions.max() + 1, symbols.max() + 1), np.nan)
    matrix[sessions, symbols] = frame[column].cast(pl.Float64).to_numpy()
    return pl.Series(column, leave_one_out_median(matrix)[sessions, symbols], nan_to_null=True)


def excused(value: pl.Expr, market: pl.Expr) -> pl.Expr:
    """``value`` less what the market explains: moved towards zero by at most ``market``, never past zero.

    Where the market is null or moved the other way, nothing is excused.
    """
    explained = pl.when(market * value > 0).then(market.abs()).otherwise(0.0)
    return value.sign() * (value.abs() - explained).clip(lower_bound=0.0)
