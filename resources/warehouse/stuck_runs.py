"""Runs that Dagster still believes to be running although their process is gone.

After ``kill -9`` a run stays STARTED and keeps the run queue's only slot for ever. A run's marker file (see
``run_lock``) tells whether its process lives.
"""

from __future__ import annotations

import time

import dagster as dg

from quant_assets.foundation.home import Home
from resources.warehouse.run_lock import is_run_alive

__all__ = ["fail_stuck_runs"]

_GRACE_SECONDS = 180.0
"""A run without a marker may still be importing code: about 10 s on a loaded two-core machine."""

_ENDING_SECONDS = 5.0
"""A run gives its marker back before Dagster writes that it succeeded, milliseconds later; a killed one never does."""

_ENDED = "The process of this run is gone (killed, or the machine stopped). Nothing is lost: launch it again."


def fail_stuck_runs(instance: dg.DagsterInstance, home: Home, *, own_run_id: str = "") -> list[str]:
    """Mark every run whose process is gone as failed.

    Returns
    -------
    list of str
        Identifiers of the runs that were marked.
    """
    found = _gone(instance, home, own_run_id)
    if found:
        time.sleep(_ENDING_SECONDS)
        found &= _gone(instance, home, own_run_id)
    marked = []
    for run_id in sorted(found):
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, _ENDED)
            (home.live_runs / run_id).unlink(missing_ok=True)
            marked.append(run_id)
    return marked


def _gone(instance: dg.DagsterInstance, home: Home, own_run_id: str) -> set[str]:
    """Runs that Dagster believes to be running and of whose process nothing is to be seen now."""
    statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]
    found = set()
    for record in instance.get_run_records(filters=dg.RunsFilter(statuses=statuses)):
        run_id = record.dagster_run.run_id
        alive = is_run_alive(home, run_id)
        begun_at = record.start_time or record.create_timestamp.timestamp()
        if run_id != own_run_id and (alive is False or (alive is None and time.time() - begun_at > _GRACE_SECONDS)):
            found.add(run_id)
    return found
