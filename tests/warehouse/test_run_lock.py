from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from quant_assets.foundation.errors import RunLockedError
from quant_assets.foundation.home import Home
from resources.warehouse.run_lock import hold_run_lock, is_run_alive, lock_holder

HOLD = """
import sys, time
from pathlib import Path
from quant_assets.foundation.home import Home
from resources.warehouse.run_lock import hold_run_lock
home = Home(Path(sys.argv[1]))
with hold_run_lock(home, run_id="other", job="nightly", wait=True, report=print):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def other_process(home):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(home.path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "held"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def hold(home: Home, run_id: str, *, wait: bool, report=print):
    return hold_run_lock(home, run_id=run_id, job="nightly", wait=wait, report=report)


def test_second_run_is_refused_and_told_who_holds(home, other_process):
    """Without waiting, a run that finds the lock taken is told the holder's run, job and process."""
    with (
        pytest.raises(RunLockedError, match=f"run other of nightly .process {other_process.pid}"),
        hold(home, "mine", wait=False),
    ):
        pass
    assert lock_holder(home).startswith("run other")


def test_kernel_frees_the_lock_of_a_killed_run(home, other_process):
    """After kill -9 the lock is free, the next run takes it, and the dead run is known to be dead."""
    assert is_run_alive(home, "other") is True
    other_process.kill()
    other_process.wait()
    assert is_run_alive(home, "other") is False
    with hold(home, "mine", wait=False):
        assert lock_holder(home).startswith("run mine")


def test_waiting_run_gets_the_lock_when_the_holder_ends(home, other_process):
    """A waiting run reports what it waits for, counts as alive, and goes on when the holder is gone."""
    told, entered = [], threading.Event()

    def wait_for_lock():
        with hold(home, "mine", wait=True, report=told.append):
            entered.set()

    waiter = threading.Thread(target=wait_for_lock)
    waiter.start()
    time.sleep(0.5)
    assert not entered.is_set()
    assert is_run_alive(home, "mine") is True
    other_process.kill()
    waiter.join(timeout=10)
    assert entered.is_set()
    assert told[0].startswith("Waiting for run other of nightly")


def test_ended_run_leaves_no_marker(home):
    """A run that ends frees the lock and removes its marker; a run that never started has none."""
    with hold(home, "mine", wait=False):
        pass
    assert is_run_alive(home, "mine") is None
    assert lock_holder(home) is None
