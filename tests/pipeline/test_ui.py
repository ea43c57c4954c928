"""The UI as operators use it: its own process, its GraphQL, its daemon."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from resources.warehouse.run_lock import lock_holder

pytestmark = pytest.mark.drill

LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
NIGHTLY = {
    "selector": {
        "repositoryLocationName": "quant",
        "repositoryName": "__repository__",
        "pipelineName": "nightly",
    },
    "runConfigData": {},
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port: int, query: str, **variables: object) -> dict:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - loopback
        return json.load(reply)["data"]


def wait_for(condition, seconds: float = 500.0) -> object:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := condition():
                return found
        except (urllib.error.URLError, ConnectionError, KeyError, TypeError):
            pass
        assert time.monotonic() < deadline, "the awaited moment did not come"
        time.sleep(0.5)


@pytest.fixture
def ui(copied):
    port = free_port()
    process = subprocess.Popen(
        copied.command("ui", "--port", str(port)),
        env=copied.environment(),
        cwd=copied.universe.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
    wait_for(lambda: ask(port, query)["repositoriesOrError"]["nodes"])
    yield port
    # A service manager stops the one process that it knows; the web server and the daemon go with it.
    process.terminate()
    process.wait(timeout=120)
    wait_for(lambda: not group_lives(process.pid), seconds=30)


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def statuses(port: int) -> dict[str, str]:
    runs = ask(port, "{ runsOrError { ... on Runs { results { runId status } } } }")["runsOrError"]["results"]
    return {run["runId"]: run["status"] for run in runs}


def test_launch_from_the_ui_after_a_killed_run(copied, ui):
    """A run killed with -9 is marked failed by the sensor, and a run launched in the UI gets through the queue."""
    shown_before = statuses(ui)
    assert set(shown_before.values()) == {"SUCCESS"}
    killed = copied.start("run", "--full-refresh")
    wait_for(lambda: lock_holder(copied.home))
    killed.kill()
    killed.communicate()
    launched = ask(ui, LAUNCH, params=NIGHTLY)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]
    wait_for(lambda: statuses(ui)[run_id] in {"SUCCESS", "FAILURE"})
    now = statuses(ui)
    assert now.pop(run_id) == "SUCCESS"
    assert [status for one, status in now.items() if one not in shown_before] == ["FAILURE"]
