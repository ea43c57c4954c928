"""Our adjusted closes beside the vendor's own: a figure for each run, never an input to anything."""

from __future__ import annotations

import polars as pl

from quant_assets.market_data.adjustment import with_factors

__all__ = ["compare_with_vendor"]


def compare_with_vendor(bars: pl.DataFrame, factors: pl.DataFrame) -> pl.DataFrame:
    """How far our adjusted closes are from the vendor's, per symbol.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, close, adjusted_close; rows without an adjusted close are left out. The levels mean something
        only within one vintage (the bars of one reply): an older stored row lacks the later events.
    factors : pl.DataFrame
        From :func:`adjustment_factors`.

    Returns
    -------
    pl.DataFrame
        symbol, rows, max_relative_difference (of the levels, the vendor's re-based to ours on the newest row), at_date
        (where it is largest), steps_apart (bars whose adjusted return differs by more than 1e-4: one per event on which
        we and the vendor disagree, or per border between two vintages).
    """
    usable = bars.select("symbol", "date", "close", "adjusted_close").filter(
        (pl.col("close") > 0) & (pl.col("adjusted_close") > 0)
    )
    joined = with_factors(usable, factors)
    quotient = pl.col("adjusted_close") / (pl.col("close") * pl.col("price_factor"))
    apart = joined.with_columns(quotient=quotient).with_columns(
        difference=(pl.col("quotient") / pl.col("quotient").last().over("symbol") - 1).abs(),
        step=(pl.col("quotient") / pl.col("quotient").shift(1).over("symbol") - 1).abs(),
    )
    return (
        apart.group_by("symbol")
        .agg(
            rows=pl.len().cast(pl.Int64),
            max_relative_difference=pl.col("difference").max(),
            at_date=pl.col("date").get(pl.col("difference").arg_max()),
            steps_apart=(pl.col("step") > 1e-4).sum().cast(pl.Int64),
        )
        .sort("symbol")
    )
