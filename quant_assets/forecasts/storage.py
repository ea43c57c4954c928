"""What the room reads from the warehouse, and what it leaves there."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.forecasts.distribution import Fit
from quant_assets.forecasts.outcomes import due_outcomes
from quant_assets.forecasts.parameters import LEVEL_NAMES
from quant_assets.forecasts.record import RAW_NAMES, Record, record_from_frame, record_rows
from quant_assets.forecasts.refits import FitTable, fit_table
from quant_assets.forecasts.rolling_origins import Extension
from quant_assets.forecasts.tables import FITS, OUTCOMES, PORTFOLIO_FORECASTS, POSITIONS, ROLLING_ORIGINS
from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.errors import DataError
from quant_assets.foundation.table_store import TableStore
from quant_assets.foundation.tables import Table
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.ops.tables import RUN_STATE

__all__ = [
    "RETENTION_SESSIONS",
    "fitting",
    "load_as_of",
    "load_closes",
    "load_fits",
    "load_record",
    "retained_from",
    "store_extension",
    "store_forecasts",
    "store_outcomes",
]

RETENTION_SESSIONS = 252
"""Nights whose forecasts are kept for every model; older ones stay for the model served. Outcomes are kept for all."""
_OF_PORTFOLIO = "portfolio_id = ?"


def fitting(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the table's own order and types; a value that a type cannot hold is an error."""
    return rows.select(table.column_names).cast(table.polars_schema)  # type: ignore[arg-type]


def load_as_of(store: TableStore) -> dt.date:
    """The session of the run.

    Raises
    ------
    DataError
        Where no run has fetched prices yet.
    """
    state = store.read(RUN_STATE, ["as_of"])
    if state.is_empty():
        raise DataError(
            "no prices have been fetched yet, so there is no session to forecast from; run the nightly job."
        )
    as_of: dt.date = state["as_of"][0]
    return as_of


def load_closes(store: TableStore, symbols: Sequence[str], as_of: dt.date) -> pl.DataFrame:
    """Adjusted closes of some symbols up to a session: symbol, date, close."""
    where = "date <= ? AND list_contains(?, symbol)"
    return store.read(ADJUSTED_PRICES, ["symbol", "date", "close"], where, [as_of, list(symbols)])


def load_fits(store: TableStore, portfolio_id: str) -> FitTable:
    """Stored fits of a portfolio."""
    rows = store.read(FITS, None, _OF_PORTFOLIO, [portfolio_id]).drop("portfolio_id")
    return fit_table([Fit(**row | {"parameters": json.loads(row["parameters"])}) for row in rows.iter_rows(named=True)])


def load_record(store: TableStore, portfolio_id: str, horizon_days: int, calendar: TradingCalendar) -> Record:
    """Stored rolling origins of a portfolio."""
    names = ", ".join(("model", "origin_date", "horizon_days", "realised_change", *RAW_NAMES, *LEVEL_NAMES))
    # Unsorted: the arrays are filled by position, and sorting takes as long as reading.
    rows = store.query(f"SELECT {names} FROM forecasts.rolling_origins WHERE {_OF_PORTFOLIO}", [portfolio_id])  # noqa: S608 - names of columns
    return record_from_frame(rows, horizon_days, calendar.sessions)


def store_extension(
    store: TableStore, extension: Extension, portfolio_id: str, calendar: TradingCalendar, *, is_new: bool
) -> None:
    """Store what was added to the record; ``is_new`` where it takes the place of everything stored before."""
    wanted = None if is_new else extension.changed
    origins = _with_portfolio(record_rows(extension.record, calendar.sessions, wanted), portfolio_id)
    if is_new:
        store.replace(FITS, _fit_rows(extension.new_fits, portfolio_id))
        store.replace(ROLLING_ORIGINS, fitting(ROLLING_ORIGINS, origins))
    else:
        with store.transaction() as connection:
            _merge(store, connection, FITS, _fit_rows(extension.new_fits, portfolio_id))
            _merge(store, connection, ROLLING_ORIGINS, origins)


def _merge(store: TableStore, connection: object, table: Table, rows: pl.DataFrame) -> None:
    if rows.height:
        store.merge_within(connection, table, fitting(table, rows))  # type: ignore[arg-type]


def store_forecasts(
    store: TableStore, forecasts: pl.DataFrame, new_fits: Sequence[Fit], retained_from: dt.date
) -> None:
    """Store a night's forecasts in the place of an earlier run's of the same night, and drop what is past retention."""
    as_of = forecasts["as_of"][0]
    portfolio_id = forecasts["portfolio_id"][0]
    with store.transaction() as connection:
        _merge(store, connection, FITS, _fit_rows(new_fits, portfolio_id))
    store.replace(PORTFOLIO_FORECASTS, fitting(PORTFOLIO_FORECASTS, forecasts), "as_of = ?", [as_of])
    past_retention = "as_of < ? AND NOT is_selected"
    store.replace(PORTFOLIO_FORECASTS, PORTFOLIO_FORECASTS.empty(), past_retention, [retained_from])


def store_outcomes(store: TableStore, as_of: dt.date) -> int:
    """Join stored forecasts whose target date has been reached to what happened; how many there were."""
    known = store.query(
        "SELECT f.* FROM forecasts.portfolio_forecasts AS f "
        "ANTI JOIN forecasts.outcomes AS o USING (as_of, horizon_days, model) WHERE f.target_date <= ?",
        [as_of],
    )
    if known.is_empty():
        return 0
    positions = store.read(POSITIONS, ["as_of", "symbol", "value"])
    closes = load_closes(store, positions["symbol"].unique().to_list(), as_of)
    rows = due_outcomes(known, positions, closes, as_of=as_of)
    with store.transaction() as connection:
        _merge(store, connection, OUTCOMES, rows)
    return rows.height


def _with_portfolio(rows: pl.DataFrame, portfolio_id: str) -> pl.DataFrame:
    return rows.with_columns(pl.lit(portfolio_id).alias("portfolio_id"))


def _fit_rows(fits: Sequence[Fit], portfolio_id: str) -> pl.DataFrame:
    columns = ("model", "subject", "refit_date", "status", "reason", "fitted_from", "fitted_to", "sessions")
    rows = [{name: getattr(fit, name) for name in columns} | {"parameters": json.dumps(fit.parameters)} for fit in fits]
    schema = {name: kind for name, kind in FITS.polars_schema.items() if name != "portfolio_id"}
    return _with_portfolio(pl.DataFrame(rows, schema=schema), portfolio_id)


def retained_from(calendar_sessions: npt.NDArray[np.datetime64], as_of: dt.date) -> dt.date:
    """Oldest night whose forecasts are kept for every model."""
    newest = int(np.searchsorted(calendar_sessions, np.datetime64(as_of, "D")))
    oldest: dt.date = calendar_sessions[max(0, newest - RETENTION_SESSIONS)].item()
    return oldest
