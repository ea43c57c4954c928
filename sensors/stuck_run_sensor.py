"""Frees the run queue after a process was killed: a run whose process is gone is marked as failed."""

from __future__ import annotations

import dagster as dg

from quant_assets.foundation.home import Home
from quant_assets.settings import load_settings
from resources.warehouse import fail_stuck_runs

__all__ = ["stuck_run_sensor"]


@dg.sensor(
    name="stuck_run_sensor",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Every 30 s: a run that Dagster believes to be running although its process is gone is marked failed.",
)
def stuck_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Mark dead runs as failed."""
    marked = fail_stuck_runs(context.instance, Home(load_settings().home))
    return dg.SkipReason(f"Marked as failed: {', '.join(marked)}." if marked else "Every running run is alive.")
