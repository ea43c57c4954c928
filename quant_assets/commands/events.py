"""``quant events``: what the sentinel noticed, and what people say of it; works while a run is going on."""

from __future__ import annotations

import datetime as dt
import getpass
from collections.abc import Sequence

import polars as pl
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from quant_assets.foundation.databases import open_database
from quant_assets.foundation.errors import DataError, UsageError
from quant_assets.foundation.home import Home
from quant_assets.ops.store import OperationsStore
from quant_assets.quality.decisions import decide_events, newest_decisions, with_decisions
from quant_assets.quality.event_records import ACKNOWLEDGED, DISMISSED, OPEN
from quant_assets.quality.findings import Severity
from quant_assets.quality.tables import ANOMALY_EVENTS
from quant_assets.runtime import prepare_environment
from quant_assets.settings import load_settings

__all__ = ["decide", "list_events"]


def list_events(*, symbol: str | None, severity: str | None, status: str | None, limit: int) -> None:
    """Print events, newest first, with decisions that the next run will apply already counted."""
    home = prepare_environment(load_settings())
    events = with_decisions(_published(home), newest_decisions(OperationsStore(home.operations)))
    wanted = {
        "symbol": symbol,
        "severity": _one_of(severity, [level.value for level in Severity]),
        "status": _one_of(status, [OPEN, ACKNOWLEDGED, DISMISSED]),
    }
    for column, value in wanted.items():
        if value is not None:
            events = events.filter(pl.col(column) == value)
    shown = events.sort("date", "symbol", descending=[True, False]).head(limit)
    console = Console(highlight=False)
    for event in shown.iter_rows(named=True):
        by = f" by {event['status_by']}" if event["status_by"] else ""
        note = f" ({event['note']})" if event["note"] else ""
        console.print(Text(f"{event['event_id']}  {event['severity']}  {event['status']}{by}{note}"), soft_wrap=True)
        console.print(Padding(Text(event["details"]), (0, 0, 0, 4)))
    console.print(f"{shown.height} of {events.height} events")
    if shown.height:
        console.print("Decide with: quant events acknowledge ID (it is wrong), or dismiss ID (it is right)")


def _one_of(given: str | None, choices: Sequence[str]) -> str | None:
    """The choice that was meant, in whatever case."""
    if given is None:
        return None
    for choice in choices:
        if choice.casefold() == given.casefold():
            return choice
    raise UsageError(f"{given!r} is none of {', '.join(choices)}.")


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
