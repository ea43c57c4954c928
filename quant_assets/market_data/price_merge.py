"""Comparing incoming bars with stored ones: what is new, what changed, and what the vendor restated.

Nothing is overwritten silently: each changed value of a stored bar becomes a revision. Two things are no restatement: a
moved adjusted close, since every later dividend or split moves all earlier ones, and a value where none was stored
(plain bars carry no dividends, adjusted ones fill them in). A null never erases a stored value.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from quant_assets.foundation.errors import DataError
from quant_assets.market_data.bar_order import in_order, search_keys
from quant_assets.market_data.ports import BARS_SCHEMA

__all__ = ["REVISED_FIELDS", "PriceMerge", "merge_bars", "rows_to_store"]

REVISED_FIELDS = ("open", "high", "low", "close", "volume", "dividend_amount", "split_coefficient")
"""A change of one of these is a restatement."""
_FIELDS = (*REVISED_FIELDS, "adjusted_close")
_KEY = ["symbol", "date"]
_REVISIONS = {
    "symbol": pl.String,
    "date": pl.Date,
    "field": pl.String,
    "old_value": pl.Float64,
    "new_value": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class PriceMerge:
    """What storing the incoming bars would do.

    Parameters
    ----------
    new : pl.DataFrame
        Bars whose symbol and date are not stored, ``BARS_SCHEMA``.
    changed : pl.DataFrame
        Stored bars of which a value moves, with the values to store: ``BARS_SCHEMA`` and whatever further columns the
        stored frame had, as they were.
    unchanged : int
        Incoming bars that are stored as they are.
    revisions : pl.DataFrame
        symbol, date, field, old_value, new_value of restated values, sorted by symbol and date.
    per_symbol : pl.DataFrame
        symbol, rows, new, changed, restated, unchanged, first_date, last_date of the incoming bars; ``restated``
        counts bars with a revision, ``changed`` those and bars of which only the adjusted close moved or an empty
        value was filled.
    """

    new: pl.DataFrame
    changed: pl.DataFrame
    unchanged: int
    revisions: pl.DataFrame
    per_symbol: pl.DataFrame


def merge_bars(stored: pl.DataFrame, incoming: pl.DataFrame) -> PriceMerge:
    """Compare incoming bars with the stored ones, value by value and exactly.

    Parameters
    ----------
    stored : pl.DataFrame
        Rows of market_data.daily_prices, at least those of the incoming symbols and dates: ``BARS_SCHEMA`` and any
        further columns. Rows of other symbols do no harm.
    incoming : pl.DataFrame
        ``BARS_SCHEMA``, one row per symbol and date.

    Raises
    ------
    DataError
        When the incoming bars repeat a symbol and date.
    """
    incoming = in_order(incoming.select(BARS_SCHEMA.keys()))
    same = (pl.col("symbol") == pl.col("symbol").shift(1)) & (pl.col("date") == pl.col("date").shift(1))
    if (twice := incoming.filter(same)).height:
        symbol, date = twice.row(0)[:2]
        raise DataError(f"{symbol} has two bars dated {date} in one batch; keep one of them")
    stored = in_order(stored)
    compared = _compared(stored, incoming)
    new = compared.filter("is_new").select(BARS_SCHEMA.keys())
    moved = compared.filter("is_changed")
    values = moved.select(*_KEY, *(pl.coalesce(name, f"{name}_stored") for name in list(BARS_SCHEMA)[2:]))
    further = stored.select(pl.exclude(*BARS_SCHEMA).gather(moved["place"]))
    changed = pl.concat([values, further], how="horizontal")
    return PriceMerge(
        new=new,
        changed=changed,
        unchanged=compared.height - new.height - changed.height,
        revisions=_revisions(moved),
        per_symbol=_per_symbol(compared),
    )


def _differs(name: str) -> pl.Expr:
    """Whether an incoming value is there and is not the stored one."""
    return pl.col(name).is_not_null() & pl.col(name).ne_missing(pl.col(f"{name}_stored"))


def _restates(name: str) -> pl.Expr:
    """Whether an incoming value replaces another one."""
    return (pl.col(name) != pl.col(f"{name}_stored")).fill_null(value=False)


def _compared(stored: pl.DataFrame, incoming: pl.DataFrame) -> pl.DataFrame:
    """Incoming bars beside the stored values; ``place`` is the row of the stored frame, null for a new bar.

    A binary search over one number per bar: three to four times faster than a join on symbol and date, and eight times
    faster than the same comparison as a DuckDB join (2.5 million bars against the same stored).
    """
    names = pl.Enum(pl.concat([stored["symbol"].unique(), incoming["symbol"].unique()]).unique().sort())
    keys = search_keys(stored["symbol"], stored["date"], names)
    wanted = search_keys(incoming["symbol"], incoming["date"], names)
    place = np.searchsorted(keys, wanted)
    inside = np.minimum(place, max(stored.height - 1, 0))
    is_stored = keys[inside] == wanted if stored.height else np.zeros(incoming.height, dtype=bool)
    row = pl.Series("place", inside).to_frame().select(pl.when(pl.Series(is_stored)).then("place")).to_series()
    beside = stored.select(pl.col(name).gather(row).alias(f"{name}_stored") for name in _FIELDS)
    known = pl.col("place").is_not_null()
    return pl.concat([incoming, beside, row.to_frame()], how="horizontal").with_columns(
        is_new=~known,
        is_changed=known & pl.any_horizontal(_differs(name) for name in _FIELDS),
        is_restated=known & pl.any_horizontal(_restates(name) for name in REVISED_FIELDS),
    )


def _revisions(moved: pl.DataFrame) -> pl.DataFrame:
    parts = [
        moved.filter(_restates(name)).select(
            *_KEY,
            field=pl.lit(name),
            old_value=pl.col(f"{name}_stored").cast(pl.Float64),
            new_value=pl.col(name).cast(pl.Float64),
        )
        for name in REVISED_FIELDS
    ]
    return pl.concat([pl.DataFrame(schema=_REVISIONS), *parts]).sort(*_KEY, "field")


def _per_symbol(compared: pl.DataFrame) -> pl.DataFrame:
    counts = compared.group_by("symbol").agg(
        rows=pl.len().cast(pl.Int64),
        new=pl.col("is_new").sum().cast(pl.Int64),
        changed=pl.col("is_changed").sum().cast(pl.Int64),
        restated=pl.col("is_restated").sum().cast(pl.Int64),
        first_date=pl.col("date").min(),
        last_date=pl.col("date").max(),
    )
    unchanged = pl.col("rows") - pl.col("new") - pl.col("changed")
    return (
        counts.with_columns(unchanged=unchanged)
        .select("symbol", "rows", "new", "changed", "restated", "unchanged", "first_date", "last_date")
        .sort("symbol")
    )


def rows_to_store(merge: PriceMerge, *, source: str, seen_at: dt.datetime) -> pl.DataFrame:
    """New and changed bars as rows of market_data.daily_prices, sorted by symbol and date.

    Parameters
    ----------
    merge : PriceMerge
        Made from stored rows with source and first_seen_at.
    source : str
        Where the bars came from; a changed bar takes it, since its values are this source's now.
    seen_at : datetime
        The source's clock: ``updated_at``, and ``first_seen_at`` of new bars.
    """
    instant = pl.Datetime("us", "UTC")
    now = pl.lit(seen_at).cast(instant)
    parts = ((merge.new, now), (merge.changed, pl.col("first_seen_at").cast(instant)))
    stamped = [
        bars.select(*BARS_SCHEMA, source=pl.lit(source), first_seen_at=first_seen, updated_at=now)
        for bars, first_seen in parts
    ]
    return pl.concat(stamped).sort(_KEY)
