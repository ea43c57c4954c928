"""Turning prices that are adjusted for splits back into prices as traded."""

from __future__ import annotations

import datetime as dt

import polars as pl

from quant_assets.market_data.bar_order import in_order
from quant_assets.market_data.corporate_actions import FACTOR_KINDS
from quant_assets.market_data.split_factors import read_split_factor

__all__ = ["file_splits", "undo_splits"]

_MULTIPLIED = ("open", "high", "low", "close", "dividend_amount")
_DECIMALS = 4
"""Prices as traded have at most four decimals; undoing leaves noise far below."""


def file_splits(bars: pl.DataFrame) -> pl.DataFrame | None:
    """Splits and spin-offs that the file itself lists: symbol, effective_date, ratio; ``None`` without such a column.

    1 and empty mean none. Yahoo lists a spin-off as a split such as 1046 for 1000, and adjusts for it alike.
    """
    if bars["split_coefficient"].null_count() == bars.height:
        return None
    listed = bars.select("symbol", effective_date="date", ratio="split_coefficient").drop_nulls()
    read = [read_split_factor(factor) for factor in listed["ratio"]]
    ratios = [None if factor is None else factor.value for factor in read]
    return listed.with_columns(ratio=pl.Series(ratios, dtype=pl.Float64)).drop_nulls()


def undo_splits(bars: pl.DataFrame, own: pl.DataFrame | None, actions: pl.DataFrame, through: dt.date) -> pl.DataFrame:
    """Multiply prices and dividends by the splits after each row, and divide the volume.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, open, high, low, close, volume, dividend_amount, split_coefficient, adjusted for splits.
    own : pl.DataFrame or None
        Splits that the file lists; they stand for the span of its rows.
    actions : pl.DataFrame
        symbol, effective_date, kind, value: known splits and spin-offs, for the rest of the time or,
        without ``own``, for all of it.
    through : date
        The prices hold the splits up to this day.
    """
    known = actions.filter(pl.col("kind").is_in(FACTOR_KINDS) & (pl.col("effective_date") <= through)).select(
        "symbol", "effective_date", ratio="value"
    )
    if own is not None:
        newest = bars.group_by("symbol").agg(newest=pl.col("date").max())
        later = known.join(newest, on="symbol").filter(pl.col("effective_date") > pl.col("newest"))
        known = pl.concat([own, later.select(own.columns)])
    steps = known.sort("symbol", "effective_date").with_columns(
        remaining=pl.col("ratio").cum_prod(reverse=True).over("symbol")
    )
    # A row holds the splits that come after it: the first one dated after the row starts the product.
    joined = in_order(bars).join_asof(
        steps.select("symbol", before=pl.col("effective_date").dt.offset_by("-1d"), factor="remaining"),
        left_on="date",
        right_on="before",
        by="symbol",
        strategy="forward",
        check_sortedness=False,
    )
    factor = pl.col("factor").fill_null(1.0)
    return joined.with_columns(
        *((pl.col(name) * factor).round(_DECIMALS) for name in _MULTIPLIED), volume=pl.col("volume") / factor
    ).drop("before", "factor", strict=False)
