"""Running a job in this process: what ``quant run`` and the tests call; the UI runs the same jobs."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from jobs.run_events import AssetResult, RunEvents

__all__ = ["RunResult", "launch"]

_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did, asset by asset in planned order.

    ``first_error`` is the innermost message of the failure, ``failed_steps`` the steps that failed, in order.
    """

    run_id: str
    job: str
    is_success: bool
    seconds: float
    assets: tuple[AssetResult, ...]
    first_error: str
    failed_steps: tuple[str, ...] = ()


def launch(
    job: dg.JobDefinition,
    *,
    instance: dg.DagsterInstance,
    run_config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    assets: Sequence[dg.AssetKey] | None = None,
    on_progress: Callable[[tuple[AssetResult, ...]], None] | None = None,
    run_id: str | None = None,
) -> RunResult:
    """Run a job in process and report progress while it runs.

    Parameters
    ----------
    job : dagster.JobDefinition
    instance : dagster.DagsterInstance
        The home's instance, so that the UI shows the run.
    run_config, tags : mapping, optional
    assets : sequence of AssetKey, optional
        Make only these of the job's assets; all of them where left out.
    on_progress : callable, optional
        Called from a second thread with every planned asset as known so far.
    run_id : str, optional
        A new UUID by default.
    """
    run_id = run_id or str(uuid.uuid4())
    events = RunEvents(instance, run_id)
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_POLL_SECONDS):
            events.read()
            if on_progress is not None:
                on_progress(events.results())

    watcher = threading.Thread(target=watch, name="run-progress", daemon=True)
    begun = time.monotonic()
    watcher.start()
    try:
        outcome = job.execute_in_process(
            run_config=run_config,
            instance=instance,
            tags=tags,
            run_id=run_id,
            raise_on_error=False,
            asset_selection=assets,
        )
    finally:
        stop.set()
        watcher.join()
    events.read()
    return RunResult(
        run_id=run_id,
        job=job.name,
        is_success=outcome.success,
        seconds=time.monotonic() - begun,
        assets=events.results(),
        first_error=events.first_error,
        failed_steps=tuple(events.failed_steps),
    )
