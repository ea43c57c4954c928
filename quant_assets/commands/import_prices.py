"""``quant import-prices``: preview what a file would change, then store all of it or nothing."""

from __future__ import annotations

import datetime as dt
import uuid
from pathlib import Path

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from quant_assets.definitions import TABLES
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.home import Home
from quant_assets.market_data.import_writing import write_import
from quant_assets.market_data.price_file_rejects import RejectedPriceFileError
from quant_assets.market_data.price_files import FileSetting, ImportOptions, PriceFile, read_price_file
from quant_assets.market_data.price_import import ImportPreview, preview_import
from quant_assets.market_data.tables import CORPORATE_ACTIONS, DAILY_PRICES, FETCH_STATE
from quant_assets.ops.store import OperationsStore
from quant_assets.runtime import open_price_source, prepare_environment, universe_for
from quant_assets.settings import Settings, load_settings
from resources.warehouse import Warehouse
from resources.warehouse.run_lock import hold_run_lock

__all__ = ["import_price_file"]

_REJECTS_SHOWN = 20


def import_price_file(
    path: Path,
    *,
    symbol: str | None,
    adjusted_for: str | None,
    adjusted_on: dt.date | None,
    is_confirmed: bool,
) -> bool:
    """Show what the file would change and store it; True where it was stored.

    Raises
    ------
    RejectedPriceFileError
        Where any line cannot be imported; nothing is stored.
    """
    console = Console()
    settings = load_settings()
    universe_for(settings)
    home = prepare_environment(settings)
    options = ImportOptions(symbol=symbol, adjusted_for=adjusted_for, adjusted_on=adjusted_on)
    run_id = f"import-{uuid.uuid4()}"
    with hold_run_lock(home, run_id=run_id, job="import-prices", wait=True, report=console.print):
        warehouse = Warehouse(home.warehouse, run_id=run_id)
        warehouse.ensure(TABLES)
        now = _clock(settings, home)
        file = _read(path, options, _setting(settings, warehouse, now), console)
        symbols = file.bars["symbol"].unique().to_list()
        stored = warehouse.read(DAILY_PRICES, None, "list_contains(?, symbol)", [symbols])
        _show(console, preview_import(file, stored, warehouse.read(CORPORATE_ACTIONS), new_york_calendar()))
        if not is_confirmed and not typer.confirm("Store it?"):
            console.print("Nothing was stored.")
            return False
        merge = write_import(warehouse, file, new_york_calendar(), seen_at=now)
    console.print(
        f"Stored {merge.new.height:,} new and {merge.changed.height:,} changed bars. "
        "Run 'quant run nightly' to bring every later table up to date."
    )
    return True


def _clock(settings: Settings, home: Home) -> dt.datetime:
    with open_price_source(settings, OperationsStore(home.operations)) as source:
        return source.now()


def _setting(settings: Settings, warehouse: Warehouse, now: dt.datetime) -> FileSetting:
    calendar = new_york_calendar()
    known = warehouse.read(FETCH_STATE, ["symbol"], "splits_checked_on IS NOT NULL")["symbol"]
    return FileSetting(
        symbols=frozenset(universe_for(settings).names),
        last_session=calendar.last_finished_session(now),
        calendar=calendar,
        actions=warehouse.read(CORPORATE_ACTIONS),
        splits_known_for=frozenset(known),
    )


def _read(path: Path, options: ImportOptions, setting: FileSetting, console: Console) -> PriceFile:
    try:
        return read_price_file(path, options, setting)
    except RejectedPriceFileError as error:
        for reject in error.details[:_REJECTS_SHOWN]:
            console.print(f"  {reject}", highlight=False)
        if error.rejected > _REJECTS_SHOWN:
            console.print(f"  and {error.rejected - _REJECTS_SHOWN} more")
        raise


def _show(console: Console, preview: ImportPreview) -> None:
    table = Table(title="What the file would change", title_justify="left", box=None)
    shown = preview.symbols.select(
        "symbol", "first_date", "last_date", "rows", "new", "changed", "restated", "unchanged", "missing_sessions"
    )
    for name in shown.columns:
        table.add_column(name.replace("_", " "), justify="left" if shown.schema[name] == pl.String else "right")
    for row in shown.iter_rows():
        table.add_row(*(str(value) for value in row))
    console.print(table)
    for symbol, date, field, old, new in preview.revision_sample.iter_rows():
        console.print(f"  {symbol} {date} {field}: {old} becomes {new}")
    for warning in preview.warnings:
        console.print(f"[yellow]Look:[/] {warning}")
