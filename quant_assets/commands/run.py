"""``quant run``: check what was asked, run the job in this process with live progress, and say what came of it."""

from __future__ import annotations

import datetime as dt
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from rich.console import Console
from rich.live import Live

from jobs.launch import RunResult, launch
from quant_assets.commands.run_display import progress_table, show_summary
from quant_assets.foundation.errors import RunLockedError, UsageError
from quant_assets.foundation.home import Home
from quant_assets.ops.instance_folder import prepare_instance_folder
from quant_assets.ops.run_tags import AS_OF_TAG, FULL_REFRESH_TAG
from quant_assets.ops.source_binding import check_source
from quant_assets.ops.store import OperationsStore
from quant_assets.runtime import (
    check_as_of,
    deliver_alerts,
    delivery_summary,
    open_price_source,
    prepare_environment,
    universe_for,
)
from quant_assets.settings import Settings, Universe, load_settings
from resources.warehouse import NO_WAIT_TAG
from resources.warehouse.run_lock import lock_holder
from sensors.failure_alerts import raise_failure_alerts

__all__ = ["RunRequest", "run_job"]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a person asked ``quant run`` for."""

    job: str = "nightly"
    as_of: dt.date | None = None
    symbols: tuple[str, ...] = ()
    config_file: Path | None = None
    is_full_refresh: bool = False
    is_waiting: bool = True


def run_job(request: RunRequest, console: Console | None = None) -> bool:
    """Run the job and print what happened; True where it succeeded.

    Raises
    ------
    UsageError
        Where the request cannot be served (unknown job or symbol, wrong as-of date, another source's home).
    RunLockedError
        With ``is_waiting`` false, where another run is going on.
    """
    console = console or Console()
    settings = load_settings()
    universe = universe_for(settings)
    _check_symbols(request.symbols, universe)
    config = _run_config(request)
    home = prepare_environment(settings)
    prepare_instance_folder(home)
    _check_source(settings, home, request)
    holder = lock_holder(home)
    if holder and not request.is_waiting:
        raise RunLockedError(f"the warehouse is in use by {holder}; try again when it has ended.")
    if holder:
        console.print(f"Waiting for {holder} to end.")
    job = _job(request.job)
    result = _launch(job, home, request, config, console)
    show_summary(console, home, result)
    _tell(settings, home)
    return result.is_success


def _tell(settings: Settings, home: Home) -> None:
    """Tell people what is pending, failed runs included, so that they hear of it without a daemon too.

    What goes wrong here is said and changes nothing of the run's outcome: alerts are rows, and follow with the next
    delivery.
    """
    try:
        with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
            raise_failure_alerts(instance, home, now=dt.datetime.now(dt.UTC))
        pending = tuple(report for report in deliver_alerts(settings) if report.error)
        if pending:
            _warn(f"alerts are pending; {delivery_summary(pending)}. See 'quant alerts list'.")
    except Exception as error:  # noqa: BLE001 - a run that went well is not undone by telling of it
        _warn(f"alerts could not be delivered: {error}")


def _warn(sentence: str) -> None:
    print(f"quant: {sentence}", file=sys.stderr)  # noqa: T201 - the command's error channel


def _launch(
    job: dg.JobDefinition, home: Home, request: RunRequest, config: Mapping[str, Any], console: Console
) -> RunResult:
    # Dagster prints every event at DEBUG; what a person should see is the progress table and the summary.
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance, Live(console=console, transient=True) as live:
        return launch(
            job,
            instance=instance,
            run_config={**config, **quiet},
            tags=_tags(request),
            on_progress=lambda assets: live.update(progress_table(assets)),
        )


def _tags(request: RunRequest) -> dict[str, str]:
    tags = {"quant/launched_by": "quant run"}
    if request.as_of is not None:
        tags[AS_OF_TAG] = request.as_of.isoformat()
    if request.is_full_refresh:
        tags[FULL_REFRESH_TAG] = "true"
    if not request.is_waiting:
        tags[NO_WAIT_TAG] = "true"
    return tags


def _check_symbols(symbols: tuple[str, ...], universe: Universe) -> None:
    if unknown := [symbol for symbol in symbols if symbol not in universe.names]:
        raise UsageError(f"--symbols names {unknown[0]!r}, which is not in the universe; add it there or leave it out.")


def _check_source(settings: Settings, home: Home, request: RunRequest) -> None:
    store = OperationsStore(home.operations)
    with open_price_source(settings, store, as_of=request.as_of) as source:
        check_source(store, source.identity)
        check_as_of(home, request.as_of, source.now())


def _job(name: str) -> dg.JobDefinition:
    # The definitions read the environment that prepare_environment set, so they load only now.
    from quant_assets.definitions import defs  # noqa: PLC0415

    definitions = defs()
    known = sorted(job.name for job in definitions.jobs or ())
    if name not in known:
        raise UsageError(f"there is no job {name!r}; choose one of {', '.join(known)}.")
    return definitions.resolve_job_def(name)


def _run_config(request: RunRequest) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if request.config_file is not None:
        try:
            loaded = yaml.safe_load(request.config_file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(f"--config {request.config_file} cannot be read ({reason}); give a YAML file.") from None
        if not isinstance(loaded, dict):
            raise UsageError(f"--config {request.config_file} holds no mapping; see the job's launchpad in the UI.")
        config = loaded
    if request.symbols:
        fetch = config.setdefault("ops", {}).setdefault("fetch_prices", {}).setdefault("config", {})
        fetch["symbols"] = list(request.symbols)
    return config
