"""What people are told of a failed run, whoever notices it first: the sensor, or the command that ran it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from quant_assets.ops.ports import Alert, AlertDetails
from quant_assets.ops.ui_links import run_link

__all__ = ["failure_alert", "failure_alert_id"]

_LONGEST_LINE = 300


def failure_alert_id(run_id: str) -> str:
    """Identifier of a run's alert: the same whoever raises it, so that it is told once."""
    return f"run_failure-{run_id}"


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
        alert_id=failure_alert_id(run_id),
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
