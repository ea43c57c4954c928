"""Bars in storage order, without sorting what is sorted already.

Stored bars come sorted by symbol and date. Sorting 2.5 million of them again costs more than any rule of this room,
so the order is checked first, and the bar before is a shift that stops at the symbol's border.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["in_order", "previous", "search_keys"]

_DAYS_BEFORE_1970 = 719_162
_DAYS = 3_652_059
"""Days from year 1 to 1970, and to the end of 9999: what a Python date can be."""


def in_order(bars: pl.DataFrame) -> pl.DataFrame:
    """The frame sorted by symbol and date; the same one where it is already."""
    symbol, date = bars["symbol"], bars["date"]
    symbol_before, date_before = symbol.shift(1), date.shift(1)
    rises = (symbol > symbol_before) | ((symbol == symbol_before) & (date >= date_before))
    return bars if rises.fill_null(value=True).all() else bars.sort("symbol", "date")


def previous(columns: Iterable[str]) -> list[pl.Expr]:
    """``previous_<column>``: the value of the symbol's bar before, null on its first; for a frame in order."""
    same_symbol = pl.col("symbol") == pl.col("symbol").shift(1)
    return [pl.when(same_symbol).then(pl.col(name).shift(1)).alias(f"previous_{name}") for name in columns]


def search_keys(symbols: pl.Series, dates: pl.Series, names: pl.Enum) -> npt.NDArray[np.int64]:
    """Symbol and date as one number that sorts like the pair when ``names`` holds the symbols in the frame's order.

    A symbol that is not among the names shares its numbers with the first one.
    """
    days = dates.to_physical().cast(pl.Int64) + _DAYS_BEFORE_1970
    codes = symbols.cast(names, strict=False).to_physical().cast(pl.Int64).fill_null(0)
    return (codes * _DAYS + days).to_numpy()
