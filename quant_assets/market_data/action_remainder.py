"""Inferred dividends beside recorded ones: what is left of the implied cash, and where the two disagree.

An adjusted close implies the whole cash of a date. Of 3.08 implied, a recorded dividend of 0.08 leaves a special one of
3.00; a recorded 3.08 leaves nothing; a recorded 3.07 leaves a disagreement, not a third dividend.
"""

from __future__ import annotations

import polars as pl

from quant_assets.market_data.corporate_actions import (
    CASH_KINDS,
    DIVIDEND,
    FOUND_SCHEMA,
    INFERRED,
    SPECIAL_DIVIDEND,
)

__all__ = ["SAME_VALUE", "as_conflicts", "inferred_rest", "inferred_totals"]

SAME_VALUE = 1e-4
"""Relative difference of two values that are the same one, printed with four decimals or more."""
_SMALLEST_REST = 0.01
_SMALLEST_REST_PART = 0.05
"""An inferred amount beyond the recorded one is a second dividend from one cent and 5 % of the recorded one on;
below, the two disagree about one dividend."""


def as_conflicts(rows: pl.DataFrame) -> pl.DataFrame:
    """The row that was kept and the one that was not: ``FOUND_SCHEMA``, other_date, other_value, other_source."""
    return rows.select(*FOUND_SCHEMA, "other_date", "other_value", "other_source")


def inferred_totals(inferred: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Whole cash that the adjusted closes imply per date: as inferred now, or as stored rows add up to.

    Parameters
    ----------
    inferred : pl.DataFrame
        Inferred dividends, found and stored: ``FOUND_SCHEMA`` and is_stored. Found ones hold the whole amount.
    stored : pl.DataFrame
        The stored table with is_factor; its inferred rows hold the rest beside the recorded ones.

    Returns
    -------
    pl.DataFrame
        symbol, effective_date, kind, total.
    """
    day = ["symbol", "effective_date"]
    now = inferred.filter(~pl.col("is_stored")).select(*day, "kind", total="value")
    stored_cash = stored.filter(~pl.col("is_factor")).group_by(day).agg(total=pl.col("value").sum())
    earlier = inferred.filter("is_stored").select(*day, "kind").join(stored_cash, on=day)
    return pl.concat([now, earlier.join(now, on=day, how="anti")])


def inferred_rest(totals: pl.DataFrame, recorded: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the implied cash leaves beside the recorded dividends of its date, and where the two disagree.

    Parameters
    ----------
    totals : pl.DataFrame
        From :func:`inferred_totals`.
    recorded : pl.DataFrame
        ``FOUND_SCHEMA``: the believed recorded actions.

    Returns
    -------
    tuple of pl.DataFrame
        Inferred dividends as ``FOUND_SCHEMA``, and conflicts as :func:`as_conflicts`.
    """
    day = ["symbol", "effective_date"]
    cash = (
        recorded.filter(pl.col("kind").is_in(CASH_KINDS))
        .group_by(day)
        .agg(
            pl.col("value").sum(),
            pl.col("source").first(),
            recorded_kind=pl.col("kind").first(),
            has_special=(pl.col("kind") == SPECIAL_DIVIDEND).all(),
        )
    )
    both = totals.join(cash, on=day, how="left").with_columns(rest=pl.col("total") - pl.col("value").fill_null(0.0))
    is_rest = pl.col("value").is_null() | (
        (pl.col("rest") >= _SMALLEST_REST) & (pl.col("rest") >= _SMALLEST_REST_PART * pl.col("value"))
    )
    second_kind = pl.when("has_special").then(pl.lit(DIVIDEND)).otherwise(pl.lit(SPECIAL_DIVIDEND))
    rest = both.filter(is_rest).select(
        *day,
        kind=pl.when(pl.col("value").is_null()).then("kind").otherwise(second_kind),
        value="rest",
        source=pl.lit(INFERRED),
    )
    disagreeing = both.filter(~is_rest, (pl.col("rest") / pl.col("value")).abs() > SAME_VALUE).with_columns(
        kind="recorded_kind", other_date="effective_date", other_value="total", other_source=pl.lit(INFERRED)
    )
    return rest, as_conflicts(disagreeing)
