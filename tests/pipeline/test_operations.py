"""Telling people at the end of a run that a person launched, with and without a daemon."""

from __future__ import annotations

import dagster as dg
import pytest

from quant_assets.commands.run import RunRequest, run_job
from quant_assets.foundation.home import Home
from quant_assets.ops.instance_folder import prepare_instance_folder
from quant_assets.ops.store import OperationsStore
from quant_assets.settings import Settings
from sensors.run_failure_sensor import run_failure_sensor
from tests.conftest import EMBEDDED
from tests.support.pipeline import write_universe
from tests.support.slack_receiver import TOKEN, SlackReceiver, refused


@pytest.fixture
def receiver():
    with SlackReceiver() as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch, receiver):
    """A home whose warehouse is damaged, so that any run fails at once, with Slack set to a local receiver."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")  # restored after the run has set it
    monkeypatch.setenv("QUANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QUANT_UNIVERSE", str(write_universe(tmp_path, EMBEDDED, market="SPX")))
    monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("SLACK_CHANNEL", "#alerts")
    monkeypatch.setenv("SLACK_API_URL", receiver.api_url)
    made = Home(tmp_path / "home")
    made.prepare()
    made.warehouse.write_bytes(b"this is no database " * 2000)
    return made


def sense_failure(home: Home) -> None:
    """What the daemon does about the newest run."""
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        (record,) = instance.get_run_records(limit=1)
        run_id = record.dagster_run.run_id
        entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        context = dg.build_run_status_sensor_context(
            sensor_name=run_failure_sensor.name,
            dagster_instance=instance,
            dagster_run=record.dagster_run,
            dagster_event=entries[0].dagster_event,
        ).for_run_failure()
        run_failure_sensor(context)


def test_failed_run_is_told_once_with_or_without_a_daemon(home, receiver):
    """The command raises the alert itself; the sensor, which notices the same run later, tells nobody again."""
    assert not run_job(RunRequest(job="nightly"))
    (message,) = receiver.accepted
    assert message["text"].startswith("[HIGH] nightly failed")
    assert "is damaged" in str(message)
    sense_failure(home)
    assert len(receiver.accepted) == 1


def test_channel_that_refuses_is_said_and_the_alert_waits(home, receiver, capsys):
    """Where Slack refuses, the command says so on stderr in one sentence without the token; the row stays pending."""
    receiver.replies.append(refused("invalid_auth"))
    assert not run_job(RunRequest(job="nightly"))
    said = capsys.readouterr().err
    assert "alerts are pending" in said
    assert TOKEN not in said
    rows = OperationsStore(home.operations).query("SELECT delivered_at FROM alerts WHERE kind = 'run_failure'")
    assert [row["delivered_at"] for row in rows] == [None]


def test_half_set_channel_does_not_hide_the_run(home, monkeypatch, capsys):
    """A channel set by half is a sentence on stderr; the run's own outcome is what is returned."""
    monkeypatch.delenv("SLACK_CHANNEL")
    assert not run_job(RunRequest(job="nightly"))
    assert "SLACK_CHANNEL" in capsys.readouterr().err


def leave_a_killed_run(home: Home) -> str:
    """A run that Dagster believes to be running, with a marker that no process holds, as after kill -9."""
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        run = instance.create_run_for_job(breaking_job, status=dg.DagsterRunStatus.STARTED)
    (home.live_runs / run.run_id).touch()
    return run.run_id


@dg.op
def nothing():
    """Do nothing."""


@dg.job
def breaking_job():
    """Stand for a job whose process was killed."""
    nothing()


def test_killed_run_is_told_once_by_whatever_comes_next(home, receiver):
    """The next run tells of the one whose process is gone, beside its own failure; a third repeats neither."""
    prepare_instance_folder(home)
    killed = leave_a_killed_run(home)
    for _ in range(2):
        assert not run_job(RunRequest(job="nightly"))
    messages = [str(message) for message in receiver.accepted]
    assert sum(f"/runs/{killed}" in message for message in messages) == 1
    assert sum("nightly failed" in message["text"] for message in receiver.accepted) == 2
    assert len(messages) == 3
