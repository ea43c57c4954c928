"""Frees the run queue after a process was killed, and raises the alert of every failed run that has none."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from quant_assets.foundation.home import Home
from quant_assets.settings import load_settings
from resources.warehouse import fail_stuck_runs
from sensors.failure_alerts import raise_failure_alerts

__all__ = ["stuck_run_sensor"]


@dg.sensor(
    name="stuck_run_sensor",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Every 30 s: a run that Dagster believes to be running although its process is gone is marked failed, and a "
        "failed run without an alert gets one."
    ),
)
def stuck_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Mark dead runs as failed; raise what the run-failure sensor could not."""
    home = Home(load_settings().home)
    marked = fail_stuck_runs(context.instance, home)
    new = raise_failure_alerts(context.instance, home, now=dt.datetime.now(dt.UTC))
    words = f"Marked as failed: {', '.join(marked)}." if marked else "Every running run is alive."
    return dg.SkipReason(f"{words} {new} new alerts." if new else words)
