"""How long after a session its features, regimes and signals were ready: noted once per session, when publishing."""

from __future__ import annotations

import datetime as dt

import duckdb
import polars as pl

from quant_assets.foundation.calendar import TradingCalendar, new_york_calendar
from quant_assets.ops.tables import RUN_STATE, SERVICE_LEVELS

__all__ = ["STAGES", "lag_hours", "note_service_levels"]

STAGES = {
    "features": "features.feature_store_v2",
    "regimes": "regimes.market_regimes",
    "signals": "signals.signals",
}
"""Stage -> the table that holds a row of the session once it is ready."""


def lag_hours(
    session: dt.date,
    *,
    source_clock: dt.datetime,
    asked_at: dt.datetime,
    ready_at: dt.datetime,
    calendar: TradingCalendar,
) -> float:
    """Hours from the close of ``session`` to the moment at which a stage was ready.

    Parameters
    ----------
    session : date
    source_clock : datetime
        The source's clock when the run settled its session. That of a live source goes with the wall clock; that of a
        replay stands, and the time that the run took is added to it.
    asked_at, ready_at : datetime
        Wall clock then, and when the stage was written.
    calendar : TradingCalendar
    """
    return (source_clock - calendar.close_at(session) + (ready_at - asked_at)).total_seconds() / 3600


def note_service_levels(connection: duckdb.DuckDBPyConnection) -> None:
    """Note the service levels of the session that the warehouse was computed for.

    A stage that was noted for the session before stays as it is: later runs for the same session change nothing about
    when it was first ready. A stage without a row of the session is noted as null until it has one.

    Parameters
    ----------
    connection : DuckDBPyConnection
        To the warehouse, not inside a transaction.
    """
    if not _exists(connection, SERVICE_LEVELS.qualified_name):
        return
    state = connection.execute(f"SELECT as_of, source_clock FROM {RUN_STATE.qualified_name}").fetchone()
    if state is None:
        return
    as_of, source_clock = state
    changed = dict(connection.execute("SELECT table_name, changed_at FROM ops.table_changes").fetchall())
    asked_at, calendar = changed.get(RUN_STATE.qualified_name), new_york_calendar()
    if not calendar.is_session(as_of):  # beyond the calendar, which ends a year ahead: there is no close to count from
        return
    rows: list[tuple[dt.date, str, dt.datetime | None, float | None]] = []
    for stage, table in STAGES.items():
        ready_at = changed.get(table)
        if asked_at is None or ready_at is None or not _reaches(connection, table, as_of):
            rows.append((as_of, stage, None, None))
            continue
        lag = lag_hours(as_of, source_clock=source_clock, asked_at=asked_at, ready_at=ready_at, calendar=calendar)
        rows.append((as_of, stage, ready_at, lag))
    found = SERVICE_LEVELS.validate(pl.DataFrame(rows, schema=SERVICE_LEVELS.polars_schema, orient="row"))
    name = SERVICE_LEVELS.qualified_name
    connection.register("service_levels", found)
    connection.execute(f"DELETE FROM {name} WHERE as_of = ? AND ready_at IS NULL", [as_of])
    connection.execute(f"INSERT INTO {name} FROM service_levels ANTI JOIN {name} USING (as_of, stage)")
    connection.unregister("service_levels")


def _exists(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    schema, name = table.split(".")
    sql = "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
    return connection.execute(sql, [schema, name]).fetchone() is not None


def _reaches(connection: duckdb.DuckDBPyConnection, table: str, session: dt.date) -> bool:
    if not _exists(connection, table):
        return False
    return connection.execute(f"SELECT 1 FROM {table} WHERE date = ? LIMIT 1", [session]).fetchone() is not None
