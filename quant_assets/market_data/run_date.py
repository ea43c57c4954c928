"""Settling the session that a run computes for, once its prices are stored."""

from __future__ import annotations

import datetime as dt

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.errors import AsOfError, DataError
from quant_assets.foundation.table_store import TableStore
from quant_assets.market_data.as_of import default_as_of, live_symbols
from quant_assets.market_data.ports import PriceSource
from quant_assets.market_data.tables import DAILY_PRICES
from quant_assets.ops.records import run_state_row
from quant_assets.ops.tables import INSTRUMENTS, RUN_STATE

__all__ = ["settle_as_of"]

_NEWEST = f"""
SELECT instruments.symbol, max(prices.date) AS newest_date
FROM {INSTRUMENTS.qualified_name} AS instruments
LEFT JOIN {DAILY_PRICES.qualified_name} AS prices ON instruments.symbol = prices.symbol
GROUP BY instruments.symbol
ORDER BY instruments.symbol
"""


def settle_as_of(
    store: TableStore, source: PriceSource, calendar: TradingCalendar, *, asked: str | None, dividend_adjustment: str
) -> dt.date:
    """Write the run's as-of date to ``ops.run_state`` and return it.

    Parameters
    ----------
    store : TableStore
    source : PriceSource
        For its identity and clock.
    calendar : TradingCalendar
    asked : str or None
        The date a person asked for (ISO); by default the newest session of at least half of the live symbols.
    dividend_adjustment : str
        Convention that adjusted prices follow; kept beside the date, so that a change of it recomputes them.

    Raises
    ------
    AsOfError
        Where a person asked for a session before one already computed for.
    DataError
        Where no symbol has a bar, or the clock stands before stored data.
    """
    now = source.now()
    session = calendar.last_finished_session(now)
    newest = dict(store.query(_NEWEST).iter_rows())
    live = live_symbols(newest, session, calendar)
    if not live:
        raise DataError(
            "no symbol of the universe has a bar: see market_data.fetch_log for the reasons, check the symbols, "
            "or import prices with 'quant import-prices FILE'."
        )
    _check_clock(max(date for date in newest.values() if date is not None), now)
    found = default_as_of(newest, live, session)
    state = store.read(RUN_STATE)
    before = state["as_of"][0] if state.height else None
    as_of = dt.date.fromisoformat(asked) if asked else max(found, before or found)
    if before is not None and as_of < before:
        raise AsOfError(
            f"this QUANT_HOME was already computed as of {before} and never goes back; "
            f"set QUANT_HOME to another folder to look at {as_of}."
        )
    row = run_state_row(as_of, source.identity, now, dividend_adjustment)
    with store.transaction() as connection:
        connection.execute(f"DELETE FROM {RUN_STATE.qualified_name} WHERE as_of <> ?", [as_of])
        store.merge_within(connection, RUN_STATE, row, ignore=["source_clock"])
        connection.execute(f"UPDATE {RUN_STATE.qualified_name} SET source_clock = ?", [now])
    return as_of


def _check_clock(newest: dt.date, now: dt.datetime) -> None:
    if newest > now.date():
        raise DataError(
            f"the source's clock stands at {now:%Y-%m-%d %H:%M} UTC, before the newest stored bar of {newest}; "
            "set the machine's clock right, or use another QUANT_HOME."
        )
