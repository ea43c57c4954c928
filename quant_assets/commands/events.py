"""``quant events``: what the sentinel noticed, and what people say of it; works while a run is going on."""

from __future__ import annotations

import datetime as dt
import getpass
from collections.abc import Sequence

import polars as pl
from rich.console import Console
from rich.table import Table

from quant_assets.foundation.databases import open_database
from quant_assets.foundation.errors import DataError
from quant_assets.foundation.home import Home
from quant_assets.ops.store import OperationsStore
from quant_assets.quality.decisions import decide_events, newest_decisions, with_decisions
from quant_assets.quality.tables import ANOMALY_EVENTS
from quant_assets.runtime import prepare_environment
from quant_assets.settings import load_settings

__all__ = ["decide", "list_events"]

_SHOWN = ("event_id", "symbol", "date", "kind", "severity", "status", "details")


def list_events(*, symbol: str | None, severity: str | None, status: str | None, limit: int) -> None:
    """Print events, newest first, with decisions that the next run will apply already counted."""
    home = prepare_environment(load_settings())
    events = with_decisions(_published(home), newest_decisions(OperationsStore(home.operations)))
    for column, value in (("symbol", symbol), ("severity", severity), ("status", status)):
        if value is not None:
            events = events.filter(pl.col(column) == value)
    shown = events.sort("date", "symbol", descending=[True, False]).select(_SHOWN).head(limit)
    table = Table(box=None, pad_edge=False)
    for name in _SHOWN:
        table.add_column(name, overflow="fold", no_wrap=name in {"event_id", "date"})
    for row in shown.iter_rows():
        table.add_row(*(str(value) for value in row))
    console = Console()
    console.print(table)
    console.print(f"{shown.height} of {events.height} events")


def decide(named: Sequence[str], *, status: str, by: str | None, note: str | None) -> None:
    """Record a decision about some events; the next run applies it."""
    home = prepare_environment(load_settings())
    ids = decide_events(
        OperationsStore(home.operations),
        _published(home)["event_id"].to_list(),
        named,
        status=status,
        by=by or getpass.getuser(),
        at=dt.datetime.now(dt.UTC),
        note=note,
    )
    Console().print(f"{status}: {', '.join(ids)}. The next run applies it.")


def _published(home: Home) -> pl.DataFrame:
    """Events as published."""
    if not home.readers_database.exists():
        raise DataError("nothing is published yet; run 'quant run nightly' first.")
    names = ", ".join(ANOMALY_EVENTS.column_names)
    with open_database(home.readers_database.resolve(), read_only=True) as connection:
        return connection.execute(f"SELECT {names} FROM {ANOMALY_EVENTS.qualified_name}").pl()
