"""The resource that every asset requires: it opens a run (lock, recovery, tables) and closes it (publication)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import dagster as dg

from quant_assets.foundation.databases import open_database
from quant_assets.foundation.home import Home
from quant_assets.foundation.tables import Table
from resources.warehouse.database import Warehouse
from resources.warehouse.run_lock import hold_run_lock
from resources.warehouse.run_report import RunReport, run_report
from resources.warehouse.stuck_runs import fail_stuck_runs

__all__ = ["NO_WAIT_TAG", "warehouse_resource"]

NO_WAIT_TAG = "quant/no_wait"
"""Run tag: fail at once where another run holds the lock, instead of waiting."""


def warehouse_resource(
    home: Home,
    *,
    tables: Sequence[Table],
    on_open: Callable[[Warehouse], None],
    on_close: Callable[[Warehouse, RunReport], None],
) -> dg.ResourceDefinition:
    """Build the ``warehouse`` resource of a run.

    Parameters
    ----------
    home : Home
    tables : sequence of Table
        Every declared table; created where missing before the first asset runs.
    on_open : callable
        Called with the warehouse once the lock is held.
    on_close : callable
        Called when the run's steps are over, however they ended, with the lock still held.
    """

    @contextmanager
    def open_run(init: dg.InitResourceContext) -> Iterator[Warehouse]:
        run, instance, log = init.run, init.instance, init.log
        run_id = run.run_id if run else "ad-hoc"
        job = run.job_name if run else "ad-hoc"
        wait = not (run and run.tags.get(NO_WAIT_TAG))
        home.prepare()
        report = log.info if log else print
        with hold_run_lock(home, run_id=run_id, job=job, wait=wait, report=report):
            if instance is not None:
                for stuck in fail_stuck_runs(instance, home, own_run_id=run_id):
                    report(f"Run {stuck} was left running by a process that is gone; it is marked as failed.")
            warehouse = Warehouse(home.warehouse, run_id=run_id)
            # Beside an idle connection the many short ones of a run open a file of 50 MB in 0.6 ms instead of 26.
            with closing(open_database(home.warehouse)):
                warehouse.ensure(tables)
                on_open(warehouse)
                try:
                    yield warehouse
                finally:
                    report_of_run = run_report(instance, run_id) if instance is not None and run else None
                    on_close(warehouse, report_of_run or RunReport(run_id, "success", {}))

    return dg.ResourceDefinition(resource_fn=open_run, description="The run's warehouse: lock, tables, publication.")
