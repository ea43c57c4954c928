"""Alerts for failed runs that the run-failure sensor did not tell of, with its identifiers.

Dagster counts a failed run as seen even where that sensor's body raises, and it sees none without a daemon; so a sensor
with a look-back of its own, and every command that ends a run, look again.
"""

from __future__ import annotations

import datetime as dt

import dagster as dg

from jobs.run_events import RunEvents
from quant_assets.foundation.home import Home
from quant_assets.ops.alerts import raise_alerts
from quant_assets.ops.run_failures import failure_alert, failure_alert_id
from quant_assets.ops.store import OperationsStore

__all__ = ["raise_failure_alerts"]

_LOOK_BACK = dt.timedelta(days=7)
"""A run that failed earlier is history and not news."""

_MOST_RUNS = 50


def raise_failure_alerts(instance: dg.DagsterInstance, home: Home, *, now: dt.datetime) -> int:
    """Raise the alert of every run that failed within a week and has none, such as one whose process was killed.

    Parameters
    ----------
    instance : DagsterInstance
    home : Home
    now : datetime
        Wall clock (aware).

    Returns
    -------
    int
        New alerts.
    """
    store = OperationsStore(home.operations)
    known = {row["alert_id"] for row in store.query("SELECT alert_id FROM alerts WHERE kind = 'run_failure'")}
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - _LOOK_BACK)
    alerts = []
    for run in instance.get_runs(filters=failed, limit=_MOST_RUNS):
        if failure_alert_id(run.run_id) in known:
            continue
        events = RunEvents(instance, run.run_id)
        events.read()
        alerts.append(
            failure_alert(
                run_id=run.run_id, job=run.job_name, steps=events.failed_steps, error=events.first_error, now=now
            )
        )
    return raise_alerts(store, alerts)
