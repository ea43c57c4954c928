"""What a run did so far, read from its own events: which assets were written, which failed, which never started."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

__all__ = ["RunReport", "run_report"]


@dataclass(frozen=True, slots=True)
class RunReport:
    """Outcome of a run and of each asset that it planned.

    Parameters
    ----------
    run_id : str
    outcome : str
        ``success``, or ``failed`` where a step failed.
    assets : dict of str to str
        ``schema.table`` of each planned asset -> ``updated``, ``failed`` or ``not reached``.
    """

    run_id: str
    outcome: str
    assets: dict[str, str]


def run_report(instance: dg.DagsterInstance, run_id: str) -> RunReport:
    """Read the report of a run, finished or not."""
    planned: set[str] = set()
    updated: set[str] = set()
    failed_steps: set[str] = set()
    step_assets: dict[str, set[str]] = {}
    for entry in instance.all_logs(run_id):
        event = entry.dagster_event
        if event is None:
            continue
        if event.is_asset_materialization_planned and event.asset_key is not None:
            name = ".".join(event.asset_key.path)
            planned.add(name)
            step_assets.setdefault(event.step_key or "", set()).add(name)
        elif event.is_step_materialization and event.asset_key is not None:
            updated.add(".".join(event.asset_key.path))
        elif event.is_step_failure:
            failed_steps.add(event.step_key or "")
    failed = {name for step in failed_steps for name in step_assets.get(step, ())} - updated
    assets = {
        name: "updated" if name in updated else "failed" if name in failed else "not reached"
        for name in sorted(planned | updated)
    }
    return RunReport(run_id, "failed" if failed_steps else "success", assets)
