"""Bars in storage order, without sorting what is sorted already.

Stored bars come sorted by symbol and date. Sorting 2.5 million of them again costs more than any rule of this room,
so the order is checked first, and the bar before is a shift that stops at the symbol's border.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

__all__ = ["in_order", "previous"]


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
