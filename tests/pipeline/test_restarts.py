"""The daemon, and everything that ``quant ui`` started, killed in the middle of a run and started again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from quant_assets.ops.store import OperationsStore
from tests.pipeline.test_drills import wait_until
from tests.pipeline.test_ui import LAUNCH, NIGHTLY, ask, free_port, statuses, wait_for
from tests.support.pipeline import Installation
from tests.support.slack_receiver import TOKEN, SlackReceiver

pytestmark = pytest.mark.drill

READY = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
WALL_CLOCKS = {"ops.alerts", "ops.service_levels"}
"""Tables whose rows tell of the nights themselves."""


class Ui:
    """A ``quant ui`` in a process group of its own, ready to be asked."""

    def __init__(self, made: Installation, log: Path) -> None:
        self.made, self.port, self.log = made, free_port(), log
        with log.open("w") as said:
            self.process = subprocess.Popen(
                made.command("ui", "--port", str(self.port)),
                env=made.environment(),
                cwd=made.universe.parent,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def launch(self) -> str:
        """Launch the nightly job as the UI's button does; returns the run."""
        launched = ask(self.port, LAUNCH, params=NIGHTLY)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def is_in_step(self, run_id: str, step: str) -> bool:
        """Whether the run's own log holds the start of a step."""
        path = self.made.home.dagster / "history" / "runs" / f"{run_id}.db"
        sql = "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'STEP_START' AND step_key = ?"
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                return bool(connection.execute(sql, (step,)).fetchone()[0])
        except sqlite3.OperationalError:  # not there yet
            return False

    def daemon(self) -> int:
        """Process of the daemon, among those that this UI started."""
        found = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdigit() and os.getpgid(int(folder.name)) == self.process.pid:
                    found += [int(folder.name)] if b"dagster._daemon" in (folder / "cmdline").read_bytes() else []
        (one,) = found
        return one

    def kill_all(self) -> None:
        """End every process of the group at once, the runs with them."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(made: Installation, log: Path) -> Iterator[Ui]:
    """A UI that answers; whatever is left of it at the end is killed."""
    ui = Ui(made, log)
    try:
        wait_for(lambda: ask(ui.port, READY)["repositoriesOrError"]["nodes"])
        yield ui
    finally:
        ui.kill_all()


def test_daemon_and_then_all_of_the_ui_killed_in_the_middle_of_a_run(copied, filled, tmp_path):
    """A run outlives its daemon; killed with the whole UI it fails and is told once, and the next night completes."""
    with SlackReceiver() as receiver:
        slack = {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "#alerts", "SLACK_API_URL": receiver.api_url}
        made = Installation(copied.path, copied.universe, slack)
        with serving(made, tmp_path / "first.log") as first:
            before = set(statuses(first.port))
            killed = first.launch()
            wait_until(lambda: first.is_in_step(killed, "fetch_prices"))
            runner = json.loads(made.home.run_lock.read_text())["pid"]
            os.kill(runner, signal.SIGSTOP)  # a quick machine would be done before the command has noticed
            os.kill(first.daemon(), signal.SIGKILL)
            assert first.process.wait(timeout=120) == 1
            assert "ended by itself" in first.log.read_text()
            os.kill(runner, signal.SIGCONT)
            wait_until(lambda: first.is_in_step(killed, "feature_store_models"))
        with serving(made, tmp_path / "second.log") as second:
            assert statuses(second.port)[killed] == "FAILURE"
            completed = second.launch()
            wait_for(lambda: any(killed in str(message) for message in receiver.accepted))
            wait_for(lambda: statuses(second.port)[completed] in {"SUCCESS", "FAILURE"})
            ended = {run: status for run, status in statuses(second.port).items() if run not in before}
    assert ended == {killed: "FAILURE", completed: "SUCCESS"}
    told = [str(message) for message in receiver.accepted]
    assert sum(f"http://127.0.0.1:{second.port}/runs/{killed}" in message for message in told) == 1
    assert not any(completed in message for message in told)
    assert len(told) == len({message["text"] for message in receiver.accepted})
    raised = made.read("SELECT alert_id FROM ops.alerts WHERE kind = 'run_failure'")
    assert raised == [(f"run_failure-{killed}",)]
    assert OperationsStore(made.home.operations).query("SELECT 1 FROM alerts WHERE delivered_at IS NULL") == []
    assert rows_of(made) == rows_of(filled)


def rows_of(made: Installation) -> dict[str, int]:
    """Rows of each published table that does not tell of the nights themselves."""
    return {name: rows for name, (rows, _) in made.contents().items() if name not in WALL_CLOCKS}
