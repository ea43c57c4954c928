"""Rows of the ``ops`` tables, made from settings and from the operations store."""

from __future__ import annotations

import datetime as dt

import polars as pl

from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import ALERTS, INSTRUMENTS, RUN_STATE
from quant_assets.settings import Universe

__all__ = ["alert_rows", "instrument_rows", "note_savings", "run_state_row"]


def instrument_rows(universe: Universe) -> pl.DataFrame:
    """The universe as rows of ``ops.instruments``."""
    return pl.DataFrame(
        [(i.symbol, i.name, i.asset_class.value, i.symbol == universe.market) for i in universe.symbols],
        schema=INSTRUMENTS.polars_schema,
        orient="row",
    )


def alert_rows(store: OperationsStore) -> pl.DataFrame:
    """The alerts of the operations store as rows of ``ops.alerts``."""
    names = ", ".join(ALERTS.column_names)
    rows = [tuple(row) for row in store.query(f"SELECT {names} FROM alerts")]  # noqa: S608 - declared names
    text = ALERTS.polars_schema | {"created_at": pl.String(), "delivered_at": pl.String()}
    return pl.DataFrame(rows, schema=text, orient="row").with_columns(
        pl.col("created_at", "delivered_at").str.to_datetime(time_unit="us", time_zone="UTC")
    )


def run_state_row(as_of: dt.date, source: str, source_clock: dt.datetime, dividend_adjustment: str) -> pl.DataFrame:
    """The one row of ``ops.run_state``."""
    values = {
        "as_of": [as_of],
        "source": [source],
        "dividend_adjustment": [dividend_adjustment],
        "source_clock": [source_clock],
    }
    return pl.DataFrame(values, schema=RUN_STATE.polars_schema)


def note_savings(
    store: OperationsStore, *, run_id: str, symbols_current: int, calls_made: int, calls_saved: int
) -> None:
    """Record what a night asked for and what it did not need to; ``quant status`` adds up a day of them."""
    now = dt.datetime.now(dt.UTC).isoformat()
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO fetch_savings VALUES (?, ?, ?, ?, ?)", (now, run_id, symbols_current, calls_made, calls_saved)
        )
