"""Storing an imported file: bars, revisions, corporate actions and filled holes, in one transaction."""

from __future__ import annotations

import datetime as dt

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.table_store import TableStore
from quant_assets.market_data.action_inference import infer_actions
from quant_assets.market_data.action_reconciliation import ActionSetting, reconcile_actions
from quant_assets.market_data.bar_writing import write_bars
from quant_assets.market_data.corporate_actions import actions_from_bars
from quant_assets.market_data.fetch_state import Hole, hole_after_import
from quant_assets.market_data.price_files import PriceFile
from quant_assets.market_data.price_merge import PriceMerge
from quant_assets.market_data.tables import CORPORATE_ACTIONS, DAILY_PRICES, FETCH_STATE

__all__ = ["IMPORT_SOURCE", "write_import"]

IMPORT_SOURCE = "import"


def write_import(store: TableStore, file: PriceFile, calendar: TradingCalendar, *, seen_at: dt.datetime) -> PriceMerge:
    """Store a file's bars and what they say about corporate actions.

    Parameters
    ----------
    store : TableStore
        The caller holds the run lock.
    file : PriceFile
    calendar : TradingCalendar
    seen_at : datetime
        The source's clock.

    Notes
    -----
    Actions that only an adjusted close tells are inferred with the file's own convention: Yahoo reinvests dividends at
    the close before the ex-date.
    """
    symbols = file.bars["symbol"].unique().sort().to_list()
    of_file = "list_contains(?, symbol)"
    with store.transaction() as connection:
        merge = write_bars(store, connection, file.bars, source=IMPORT_SOURCE, seen_at=seen_at)
        names = ", ".join(CORPORATE_ACTIONS.column_names)
        stored = connection.execute(
            f"SELECT {names} FROM {CORPORATE_ACTIONS.qualified_name} WHERE {of_file}", [symbols]
        ).pl()
        closes = connection.execute(
            f"SELECT symbol, date, close FROM {DAILY_PRICES.qualified_name} WHERE {of_file}", [symbols]
        ).pl()
        setting = ActionSetting(bars=closes, calendar=calendar, seen_at=seen_at)
        told = actions_from_bars(file.bars, source=IMPORT_SOURCE)
        recorded = reconcile_actions([told], stored, setting)
        inferred = infer_actions(
            file.bars.select("symbol", "date", "close", "adjusted_close"),
            recorded.actions,
            is_reinvested_at_ex_close=file.is_reinvested_at_ex_close,
        )
        actions = reconcile_actions([told, inferred], stored, setting).actions
        connection.execute(f"DELETE FROM {CORPORATE_ACTIONS.qualified_name} WHERE {of_file}", [symbols])
        store.append_within(connection, CORPORATE_ACTIONS, actions.select(CORPORATE_ACTIONS.column_names))
        for symbol, start, end in connection.execute(
            f"SELECT symbol, hole_from, hole_to FROM {FETCH_STATE.qualified_name} "
            f"WHERE {of_file} AND hole_to IS NOT NULL",
            [symbols],
        ).fetchall():
            dates = file.bars.filter(pl.col("symbol") == symbol)["date"]
            hole = hole_after_import(Hole(symbol, start, end), dates, calendar)
            connection.execute(
                f"UPDATE {FETCH_STATE.qualified_name} SET hole_from = ?, hole_to = ?, jumps_scanned_to = NULL "
                "WHERE symbol = ?",
                [hole.start if hole else None, hole.end if hole else None, symbol],
            )
    return merge
