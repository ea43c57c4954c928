"""``quant status``: freshness, calls saved, quota, breaker, last runs; works while a run is going on."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg
import polars as pl
from rich.console import Console
from rich.table import Table

from quant_assets.foundation.calendar import NEW_YORK
from quant_assets.foundation.databases import open_database
from quant_assets.foundation.home import Home
from quant_assets.ops.instance_folder import prepare_instance_folder
from quant_assets.ops.status import Status, read_status
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import RUN_STATE
from quant_assets.quality.decisions import newest_decisions, with_decisions
from quant_assets.quality.reports import recent_summary
from quant_assets.quality.tables import ANOMALY_EVENTS, QUARANTINED_PRICES
from quant_assets.runtime import prepare_environment
from quant_assets.settings import Settings, load_settings
from resources.warehouse.run_lock import lock_holder

__all__ = ["show_status"]

_RUNS_SHOWN = 5
_FREE_CALLS = 25
_NAMED = 3
_SYMBOLS_SHOWN = 12


def show_status() -> None:
    """Print the status of the home."""
    settings = load_settings()
    home = prepare_environment(settings)
    prepare_instance_folder(home)
    store = OperationsStore(home.operations)
    now = dt.datetime.now(dt.UTC)
    status = read_status(home, store, now=now, quota_day=now.astimezone(ZoneInfo(NEW_YORK)).date())
    console = Console(soft_wrap=True, highlight=False)
    _show_publication(console, home, status)
    _show_calls(console, settings, status)
    _show_service_levels(console, status)
    _show_quality(console, home, store)
    _show_freshness(console, status)
    _show_runs(console, home)


def _show_publication(console: Console, home: Home, status: Status) -> None:
    console.print(f"Home        {home.path}")
    console.print(f"Source      {status.source or 'none yet'}")
    if status.published_at is None:
        console.print("Published   nothing yet: run 'make run'")
    else:
        console.print(f"Published   {status.published_at:%Y-%m-%d %H:%M:%S} UTC, as of {status.as_of}")
        console.print(f"Readers     {home.readers_database}")
    console.print(f"Run lock    {lock_holder(home) or 'free'}")


def _show_calls(console: Console, settings: Settings, status: Status) -> None:
    console.print(
        f"Last 24 h   {status.symbols_current_24h} symbols already current, {status.calls_made_24h} calls made, "
        f"{status.calls_saved_24h} saved"
    )
    if settings.is_embedded:
        quota = "no limit on the embedded source"
    elif settings.calls_per_minute is None:
        quota = f"{status.quota_used_today} of {_FREE_CALLS} calls used today"
    else:
        quota = f"{status.quota_used_today} calls today, {settings.calls_per_minute} a minute"
    console.print(f"Quota       {quota}")
    console.print(f"Breaker     {status.breaker}")


def _show_quality(console: Console, home: Home, store: OperationsStore) -> None:
    """The last 24 hours of the sentinel, by the source's clock, with decisions not yet applied by a run."""
    if not home.readers_database.exists():
        return
    with open_database(home.readers_database.resolve(), read_only=True) as connection:
        events = connection.execute(f"FROM {ANOMALY_EVENTS.qualified_name}").pl()
        withheld = connection.execute(f"FROM {QUARANTINED_PRICES.qualified_name}").pl()
        clock = connection.execute(f"SELECT max(source_clock) FROM {RUN_STATE.qualified_name}").fetchone()
    if clock is None or clock[0] is None:
        return
    console.print(f"Quality     {recent_summary(with_decisions(events, newest_decisions(store)), withheld, clock[0])}")
    gravest = (
        events.filter((pl.col("severity") == "HIGH") & (pl.col("detected_at") > clock[0] - dt.timedelta(hours=24)))
        .sort("date", descending=True)
        .select(pl.format("{} {} {}", "symbol", "date", "kind"))
        .to_series()
        .to_list()
    )
    if gravest:
        more = f" and {len(gravest) - _NAMED} more" if len(gravest) > _NAMED else ""
        console.print(f"            HIGH: {', '.join(gravest[:_NAMED])}{more}; see 'quant events list'")


def _show_service_levels(console: Console, status: Status) -> None:
    if not status.service_levels.height:
        return
    parts = [
        f"{row['stage']} {'not ready' if row['lag_hours'] is None else _hours(row['lag_hours'])}"
        + (f" (median of {row['nights']} nights {_hours(row['median_hours'])})" if row["nights"] > 1 else "")
        for row in status.service_levels.iter_rows(named=True)
    ]
    console.print(f"Ready       {', '.join(parts)} after the close of {status.as_of}")


def _hours(hours: float) -> str:
    return f"{int(hours)} h {hours % 1 * 60:.0f} min"


def _show_freshness(console: Console, status: Status) -> None:
    """Every symbol of a small universe; of a large one those that are behind."""
    rows = status.freshness
    if rows.height > _SYMBOLS_SHOWN:
        rows = rows.filter(pl.col("last_date").is_null() | (pl.col("sessions_behind") > 0))
        current = status.freshness.height - rows.height
        console.print(f"Prices      {current} of {status.freshness.height} symbols are current")
    table = Table(title="Prices", title_justify="left", box=None)
    for name in ("symbol", "first", "last", "sessions behind"):
        table.add_column(name)
    for row in rows.head(_SYMBOLS_SHOWN).iter_rows():
        table.add_row(*("-" if value is None else str(value) for value in row))
    if rows.height > _SYMBOLS_SHOWN:
        table.add_row(f"and {rows.height - _SYMBOLS_SHOWN} more")
    if rows.height:
        console.print(table)


def _show_runs(console: Console, home: Home) -> None:
    table = Table(title="Last runs", title_justify="left", box=None)
    for name in ("started (UTC)", "job", "outcome", "seconds", "run"):
        table.add_column(name)
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        records = instance.get_run_records(limit=_RUNS_SHOWN)
    for record in records:
        started, ended = record.start_time, record.end_time
        table.add_row(
            f"{dt.datetime.fromtimestamp(started, dt.UTC):%Y-%m-%d %H:%M:%S}" if started else "not yet",
            record.dagster_run.job_name,
            record.dagster_run.status.value.lower(),
            f"{ended - started:.1f}" if started and ended else "",
            record.dagster_run.run_id[:8],
        )
    if records:
        console.print(table)
