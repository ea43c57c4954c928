"""Writing bars inside a transaction: what is new, what changed, and a revision for every restated value."""

from __future__ import annotations

import datetime as dt

import duckdb
import polars as pl

from quant_assets.foundation.table_store import TableStore
from quant_assets.market_data.price_merge import PriceMerge, merge_bars, rows_to_store
from quant_assets.market_data.tables import DAILY_PRICES, PRICE_REVISIONS

__all__ = ["stored_bars", "write_bars"]

_KEY = ["symbol", "date"]


def stored_bars(connection: duckdb.DuckDBPyConnection, bars: pl.DataFrame) -> pl.DataFrame:
    """Stored rows of the symbols of ``bars`` from their first date on, with every column of the table."""
    return connection.execute(
        f"SELECT * FROM {DAILY_PRICES.qualified_name} WHERE list_contains(?, symbol) AND date >= ?",
        [bars["symbol"].unique().to_list(), bars["date"].min()],
    ).pl()


def write_bars(
    store: TableStore,
    connection: duckdb.DuckDBPyConnection,
    bars: pl.DataFrame,
    *,
    source: str,
    seen_at: dt.datetime,
) -> PriceMerge:
    """Merge bars into ``market_data.daily_prices`` and record revisions.

    Parameters
    ----------
    store : TableStore
    connection : DuckDBPyConnection
        Inside a transaction of the caller.
    bars : pl.DataFrame
        ``BARS_SCHEMA``, one row per symbol and date, at least one.
    source : str
        Stored with new and changed bars.
    seen_at : datetime
        The source's clock.

    Notes
    -----
    A bar of which only the vendor's adjusted close moved, or an empty value was filled, keeps its ``updated_at``:
    nothing that research reads has changed.
    """
    merge = merge_bars(stored_bars(connection, bars), bars)
    revisions = merge.revisions.with_columns(seen_at=pl.lit(seen_at).cast(pl.Datetime("us", "UTC")))
    store.append_within(connection, PRICE_REVISIONS, revisions.select(PRICE_REVISIONS.column_names))
    rows = rows_to_store(merge, source=source, seen_at=seen_at)
    if rows.height:
        untouched = merge.changed.join(merge.revisions, on=_KEY, how="anti").select(*_KEY, before="updated_at")
        rows = rows.join(untouched, on=_KEY, how="left").with_columns(updated_at=pl.coalesce("before", "updated_at"))
        connection.register("moved_bars", merge.changed.select(_KEY))
        connection.execute(
            f"DELETE FROM {DAILY_PRICES.qualified_name} AS stored USING moved_bars "
            "WHERE stored.symbol = moved_bars.symbol AND stored.date = moved_bars.date"
        )
        connection.unregister("moved_bars")
        store.append_within(connection, DAILY_PRICES, rows.select(DAILY_PRICES.column_names))
    return merge
