"""Our adjusted closes beside the vendor's own: a figure for each run, never an input to anything.

Stored adjusted closes are of several vintages: a compact reply after a dividend moves the newest hundred, and leaves
the older ones as they were before it. Such a border is a step of the vendor's series where we know no event. Levels are
compared between borders, so that what remains is disagreement on events.
"""

from __future__ import annotations

import polars as pl

from quant_assets.market_data.adjustment import with_factors
from quant_assets.market_data.bar_order import previous

__all__ = ["compare_with_vendor"]

_APART = 1e-4
"""A step beyond this is an event or a border: the smallest regular dividends are 1e-3 of the price, rounding of closes
printed with four decimals stays below 1e-5."""


def compare_with_vendor(bars: pl.DataFrame, factors: pl.DataFrame) -> pl.DataFrame:
    """How far our adjusted closes are from the vendor's, per symbol.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, close, adjusted_close, cut to the as-of date of the factors; rows without an adjusted close are
        left out.
    factors : pl.DataFrame
        From ``adjustment_factors``.

    Returns
    -------
    pl.DataFrame
        symbol, rows, max_relative_difference (of the levels, the vendor's re-based to ours on the newest row of each
        vintage), at_date (where it is largest), events_apart (events of ours that the vendor adjusts by another
        factor, off by more than 1e-4), borders (steps of the vendor's series where we know no event: between two
        vintages, or an event that we lack).
    """
    usable = bars.select("symbol", "date", "close", "adjusted_close").filter(
        (pl.col("close") > 0) & (pl.col("adjusted_close") > 0)
    )
    quotients = with_factors(usable, factors).with_columns(
        quotient=pl.col("adjusted_close") / (pl.col("close") * pl.col("price_factor"))
    )
    steps = quotients.with_columns(previous(["quotient", "price_factor"])).with_columns(
        is_apart=((pl.col("quotient") / pl.col("previous_quotient") - 1).abs() > _APART).fill_null(value=False),
        is_event=(pl.col("price_factor") != pl.col("previous_price_factor")).fill_null(value=False),
    )
    vintage = ["symbol", "vintage"]
    levels = (
        steps.with_columns(is_border=pl.col("is_apart") & ~pl.col("is_event"))
        .with_columns(vintage=pl.col("is_border").cum_sum().over("symbol"))
        .with_columns(difference=(pl.col("quotient") / pl.col("quotient").last().over(vintage) - 1).abs())
    )
    return (
        levels.group_by("symbol")
        .agg(
            rows=pl.len().cast(pl.Int64),
            max_relative_difference=pl.col("difference").max(),
            at_date=pl.col("date").get(pl.col("difference").arg_max()),
            events_apart=(pl.col("is_apart") & pl.col("is_event")).sum().cast(pl.Int64),
            borders=pl.col("is_border").sum().cast(pl.Int64),
        )
        .sort("symbol")
    )
