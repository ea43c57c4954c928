"""What the room reads from the warehouse, and what it leaves there: one connection each, one transaction a night."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.forecasts.distribution import Fit
from quant_assets.forecasts.outcomes import due_outcomes
from quant_assets.forecasts.parameters import LEVEL_NAMES
from quant_assets.forecasts.record import RAW_NAMES, Record, record_from_frame, record_rows
from quant_assets.forecasts.refits import FitTable, fit_table
from quant_assets.forecasts.rolling_origins import Extension
from quant_assets.forecasts.tables import FITS, OUTCOMES, PORTFOLIO_FORECASTS, ROLLING_ORIGINS
from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.errors import DataError
from quant_assets.foundation.table_store import TableStore
from quant_assets.foundation.tables import Table

__all__ = [
    "RETENTION_SESSIONS",
    "Change",
    "Loaded",
    "load",
    "record_changes",
    "retained_from",
    "store_changes",
    "store_outcomes",
]

RETENTION_SESSIONS = 252
"""Nights whose forecasts are kept for every model; older ones stay for the model served. Outcomes are kept for all."""

_AS_OF = "SELECT as_of FROM ops.run_state"
_CLOSES = "SELECT symbol, date, close FROM market_data.adjusted_prices WHERE date <= ? AND list_contains(?, symbol)"
_FITS = "SELECT * EXCLUDE (portfolio_id) FROM forecasts.fits WHERE portfolio_id = ?"
_RECORD = (
    f"SELECT {', '.join(('model', 'origin_date', 'horizon_days', 'realised_change', *RAW_NAMES, *LEVEL_NAMES))} "
    "FROM forecasts.rolling_origins WHERE portfolio_id = ?"
)
_OPEN_FORECASTS = (
    "SELECT f.* FROM forecasts.portfolio_forecasts AS f "
    "ANTI JOIN forecasts.outcomes AS o USING (as_of, horizon_days, model) WHERE f.target_date <= ?"
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a night starts from.

    Parameters
    ----------
    as_of : date
        Session of the run.
    closes : polars.DataFrame
        symbol, date, close (adjusted) of the holdings up to it.
    fits : mapping
        Stored fits of the portfolio.
    record : Record
        Stored rolling origins of the portfolio.
    """

    as_of: dt.date
    closes: pl.DataFrame
    fits: FitTable
    record: Record


@dataclass(frozen=True, slots=True)
class Change:
    """Rows for a table, in the place of those that meet a condition (empty: of all, None: of none)."""

    table: Table
    rows: pl.DataFrame
    where: str | None = ""
    parameters: tuple[object, ...] = ()


def load(
    store: TableStore, symbols: Sequence[str], portfolio_id: str, *, horizon_days: int, calendar: TradingCalendar
) -> Loaded:
    """Read what a night starts from.

    Raises
    ------
    DataError
        Where no run has fetched prices yet.
    """
    with store.connect() as connection:
        as_of = _as_of(connection)
        closes = connection.execute(_CLOSES, [as_of, list(symbols)]).pl()
        fits = connection.execute(_FITS, [portfolio_id]).pl()
        # Unsorted: the arrays are filled by position, and sorting takes as long as reading.
        origins = connection.execute(_RECORD, [portfolio_id]).pl()
    return Loaded(as_of, closes, _fits(fits), record_from_frame(origins, horizon_days, calendar.sessions))


def _as_of(connection: duckdb.DuckDBPyConnection) -> dt.date:
    row = connection.execute(_AS_OF).fetchone()
    if row is None:
        raise DataError(
            "no prices have been fetched yet, so there is no session to forecast from; run the nightly job."
        )
    as_of: dt.date = row[0]
    return as_of


def _fits(rows: pl.DataFrame) -> FitTable:
    return fit_table([Fit(**row | {"parameters": json.loads(row["parameters"])}) for row in rows.iter_rows(named=True)])


def record_changes(
    extension: Extension, later_fits: Sequence[Fit], portfolio_id: str, calendar: TradingCalendar, *, is_new: bool
) -> list[Change]:
    """Changes that add to the record and the fits; ``is_new`` where they take the place of everything stored before."""
    wanted = None if is_new else extension.changed
    origins = record_rows(extension.record, calendar.sessions, wanted)
    fits = _fit_rows([*extension.new_fits, *later_fits])
    where = "" if is_new else None
    named = [rows.with_columns(pl.lit(portfolio_id).alias("portfolio_id")) for rows in (fits, origins)]
    return [Change(FITS, named[0], where), Change(ROLLING_ORIGINS, named[1], where)]


def _fit_rows(fits: Sequence[Fit]) -> pl.DataFrame:
    columns = ("model", "subject", "refit_date", "status", "reason", "fitted_from", "fitted_to", "sessions")
    rows = [{name: getattr(fit, name) for name in columns} | {"parameters": json.dumps(fit.parameters)} for fit in fits]
    schema = {name: kind for name, kind in FITS.polars_schema.items() if name != "portfolio_id"}
    return pl.DataFrame(rows, schema=schema)


def store_changes(store: TableStore, changes: Sequence[Change], kept_from: dt.date) -> None:
    """Store a night's changes and drop forecasts past retention, all in one transaction."""
    with store.transaction() as connection:
        for change in changes:
            _store(store, connection, change)
        past = connection.execute(
            "DELETE FROM forecasts.portfolio_forecasts WHERE as_of < ? AND NOT is_selected", [kept_from]
        ).fetchone()
        if past and past[0]:
            store.note_change(connection, PORTFOLIO_FORECASTS.qualified_name)


def _store(store: TableStore, connection: duckdb.DuckDBPyConnection, change: Change) -> None:
    """Put rows in the place of others; rows that are there already are not touched."""
    table = change.table
    rows = table.validate(change.rows.select(table.column_names).cast(table.polars_schema))  # type: ignore[arg-type]
    if change.where is not None:
        same = " AND ".join(f"stored.{name} = wanted.{name}" for name in table.key)
        condition = f"({change.where or 'true'}) AND NOT EXISTS (FROM wanted WHERE {same})"
        connection.register("wanted", rows)
        gone = connection.execute(f"DELETE FROM {table.qualified_name} AS stored WHERE {condition}", change.parameters)
        if (gone.fetchone() or (0,))[0]:
            store.note_change(connection, table.qualified_name)
        connection.unregister("wanted")
    if rows.height:
        store.merge_within(connection, table, rows)


def store_outcomes(store: TableStore) -> int:
    """Join stored forecasts whose target date has been reached to what happened; how many there were."""
    with store.transaction() as connection:
        as_of = _as_of(connection)
        known = connection.execute(_OPEN_FORECASTS, [as_of]).pl()
        if known.is_empty():
            return 0
        positions = connection.execute("SELECT as_of, symbol, value FROM forecasts.positions").pl()
        closes = connection.execute(_CLOSES, [as_of, positions["symbol"].unique().to_list()]).pl()
        rows = due_outcomes(known, positions, closes, as_of=as_of)
        _store(store, connection, Change(OUTCOMES, rows, None))
    return rows.height


def retained_from(exchange_sessions: npt.NDArray[np.datetime64], as_of: dt.date) -> dt.date:
    """Oldest night whose forecasts are kept for every model."""
    newest = int(np.searchsorted(exchange_sessions, np.datetime64(as_of, "D")))
    oldest: dt.date = exchange_sessions[max(0, newest - RETENTION_SESSIONS)].item()
    return oldest
