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

_ENDED = "The process of this run is gone (killed, or the machine stopped). Nothing is lost: launch it again."


def fail_stuck_runs(instance: dg.DagsterInstance, home: Home, *, own_run_id: str = "") -> list[str]:
    """Mark every run whose process is gone as failed.

    Returns
    -------
    list of str
        Identifiers of the runs that were marked.
    """
    statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]
    marked = []
    for record in instance.get_run_records(filters=dg.RunsFilter(statuses=statuses)):
        run = record.dagster_run
        if run.run_id == own_run_id:
            continue
        alive = is_run_alive(home, run.run_id)
        begun_at = record.start_time or record.create_timestamp.timestamp()
        if alive is False or (alive is None and time.time() - begun_at > _GRACE_SECONDS):
            instance.report_run_failed(run, _ENDED)
            (home.live_runs / run.run_id).unlink(missing_ok=True)
            marked.append(run.run_id)
    return marked
