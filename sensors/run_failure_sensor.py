"""Tells people of every failed run, wherever it was launched."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import dagster as dg

from quant_assets.foundation.home import Home
from quant_assets.ops.alerts import raise_alerts
from quant_assets.ops.ports import Alert, AlertDetails
from quant_assets.ops.store import OperationsStore
from quant_assets.settings import load_settings
from sensors.alert_delivery import deliver_alerts
from sensors.run_link import run_link

__all__ = ["failure_alert", "innermost", "run_failure_sensor"]

_LONGEST_LINE = 300


def failure_alert(*, run_id: str, job: str, steps: Sequence[str], error: str, now: dt.datetime) -> Alert:
    """What people are told of a failed run.

    Parameters
    ----------
    run_id, job : str
    steps : sequence of str
        Steps that failed; empty where the run failed outside of one.
    error : str
        Its first error.
    now : datetime
        Wall clock (aware).
    """
    first_line = next((line.strip() for line in error.splitlines() if line.strip()), "no reason was recorded")
    return Alert(
        alert_id=f"run_failure-{run_id}",
        kind="run_failure",
        severity="HIGH",
        subject=f"{job} failed" + (f" in {', '.join(steps[:3])}" if steps else ""),
        body=(
            f"{first_line[:_LONGEST_LINE]}\nReaders keep the former tables of what failed. Mend the cause and launch "
            "the job again: it completes the work."
        ),
        created_at=now,
        details=AlertDetails(figures={"job": job, "run": run_id[:8]}, link=run_link(run_id)),
    )


def innermost(error: Any) -> str:
    """The message of the error that began it, of an error as Dagster records it (or None)."""
    while error is not None and error.cause is not None:
        error = error.cause
    return "" if error is None else str(error.message).strip()


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
    events = context.get_step_failure_events()
    failures = [event.step_failure_data.error for event in events]
    own = context.failure_event.job_failure_data.error
    alert = failure_alert(
        run_id=context.dagster_run.run_id,
        job=context.dagster_run.job_name,
        steps=[event.step_key or "" for event in events],
        error=next(
            (text for text in map(innermost, failures) if text), innermost(own) or context.failure_event.message or ""
        ),
        now=dt.datetime.now(dt.UTC),
    )
    settings = load_settings()
    raise_alerts(OperationsStore(Home(settings.home).operations), [alert])
    deliver_alerts(settings)
