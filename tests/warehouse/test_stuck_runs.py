"""Runs whose process is gone, told from runs that are just ending."""

from __future__ import annotations

import threading
import uuid

import dagster as dg
import pytest

from quant_assets.foundation.home import Home
from resources.warehouse.stuck_runs import fail_stuck_runs


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.prepare()
    return made


@pytest.fixture
def instance(tmp_path):
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as found:
        yield found


def started(instance, home):
    """A run that Dagster believes to be running, with a marker that no process holds."""
    run = dg.DagsterRun(job_name="nightly", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED)
    instance.add_run(run)
    (home.live_runs / run.run_id).touch()
    return run


def test_a_run_without_a_process_is_marked_as_failed(instance, home):
    """The marker is not held any more and Dagster still waits: the run failed, and its marker goes."""
    run = started(instance, home)
    assert fail_stuck_runs(instance, home) == [run.run_id]
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    assert not (home.live_runs / run.run_id).exists()


def test_a_run_that_is_just_ending_is_left_alone(instance, home):
    """Between giving its marker back and Dagster's last event a run looks dead for a moment; it is looked at twice."""
    run = started(instance, home)
    ending = threading.Timer(1.0, instance.report_run_canceled, args=[run])
    ending.start()
    assert fail_stuck_runs(instance, home) == []
    ending.join()
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.CANCELED
