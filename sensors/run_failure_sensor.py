"""Tells people of every failed run, wherever it was launched."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from jobs.run_events import RunEvents
from quant_assets.foundation.home import Home
from quant_assets.ops.alerts import raise_alerts
from quant_assets.ops.run_failures import failure_alert
from quant_assets.ops.store import OperationsStore
from quant_assets.runtime import deliver_alerts
from quant_assets.settings import load_settings

__all__ = ["run_failure_sensor"]


@dg.run_failure_sensor(
    name="run_failure_sensor",
    monitor_all_code_locations=True,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Every half minute: each failed run of any job, from the UI, the schedule or the command line, becomes an "
        "alert with the step, the first error line and a link to the run."
    ),
)
def run_failure_sensor(context: dg.RunFailureSensorContext) -> None:
    """Raise and deliver."""
    run = context.dagster_run
    events = RunEvents(context.instance, run.run_id)
    events.read()
    alert = failure_alert(
        run_id=run.run_id,
        job=run.job_name,
        steps=events.failed_steps,
        error=events.first_error or context.failure_event.message or "",
        now=dt.datetime.now(dt.UTC),
    )
    settings = load_settings()
    raise_alerts(OperationsStore(Home(settings.home).operations), [alert])
    deliver_alerts(settings)
