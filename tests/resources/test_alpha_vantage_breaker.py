"""The circuit breaker opens, lets one trial through, closes again, and is one for all processes."""

import datetime as dt
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from quant_assets.ops.store import OperationsStore
from resources.alpha_vantage.breaker import FAILURES_TO_OPEN, SECONDS_TO_HALF_OPEN, VendorBreaker, breaker_statuses
from tests.support.fake_time import FakeTime

ROOT = Path(__file__).parents[2]


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture(params=["in the process", "in the store"])
def store(request, tmp_path):
    return None if request.param == "in the process" else OperationsStore(tmp_path / "operations.sqlite")


@pytest.fixture
def breaker(store, time):
    return VendorBreaker("alpha_vantage", store, clock=time.now)


def open_up(breaker: VendorBreaker) -> None:
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.admits()
        breaker.failed()


def test_it_opens_after_failures_in_a_row(breaker):
    """The last of the named number of failures opens the circuit, not one before."""
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed()
    assert breaker.admits()
    breaker.failed()
    assert breaker.is_open
    assert not breaker.admits()
    assert breaker.status.state == "open"


def test_a_success_starts_the_count_anew(breaker):
    """Failures that are not in a row never open the circuit."""
    for _ in range(3 * FAILURES_TO_OPEN):
        breaker.failed()
        breaker.succeeded()
    assert breaker.status.state == "closed"
    assert breaker.status.failures == 0


def test_after_a_while_one_trial_is_let_through_and_its_success_closes(breaker, time):
    """Half-open admits exactly one caller; its success closes the circuit and forgets the failures."""
    open_up(breaker)
    time.sleep(SECONDS_TO_HALF_OPEN - 1)
    assert not breaker.admits()
    time.sleep(1)
    assert not breaker.is_open
    assert [breaker.admits() for _ in range(3)] == [True, False, False]
    assert breaker.status.state == "half-open"
    breaker.succeeded()
    assert breaker.status.state == "closed"
    assert breaker.status.failures == 0
    assert breaker.admits()


def test_a_failed_trial_opens_for_another_while(breaker, time):
    """The waiting time starts anew with the failed trial."""
    open_up(breaker)
    time.sleep(SECONDS_TO_HALF_OPEN)
    assert breaker.admits()
    breaker.failed()
    assert breaker.is_open
    assert breaker.status.opened_at == time.now()
    time.sleep(SECONDS_TO_HALF_OPEN)
    assert breaker.admits()


def test_a_trial_that_never_came_back_is_replaced(breaker, time):
    """A process killed in its trial does not leave the circuit half-open for ever."""
    open_up(breaker)
    time.sleep(SECONDS_TO_HALF_OPEN)
    assert breaker.admits()
    time.sleep(SECONDS_TO_HALF_OPEN)
    assert breaker.admits()


def test_a_straggler_does_not_touch_an_open_circuit(breaker):
    """An answer to a call made before the circuit opened says nothing about the server now."""
    open_up(breaker)
    breaker.succeeded()
    breaker.failed()
    assert breaker.is_open


def test_threads_count_together(breaker):
    """Failures of many threads at once open the circuit once, without an exception."""
    threads = [threading.Thread(target=breaker.failed) for _ in range(2 * FAILURES_TO_OPEN)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert breaker.is_open


def test_only_one_thread_gets_the_trial(breaker, time):
    """Many callers at the same moment make one trial."""
    open_up(breaker)
    time.sleep(SECONDS_TO_HALF_OPEN)
    admitted = []
    threads = [threading.Thread(target=lambda: admitted.append(breaker.admits())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == 1


def test_a_second_process_sees_the_state_and_can_change_it(tmp_path):
    """The circuit opened here is open there; closed there, it is closed here."""
    store = OperationsStore(tmp_path / "operations.sqlite")
    here = VendorBreaker("alpha_vantage", store, seconds_to_half_open=0.0)
    open_up_in_one_go = FAILURES_TO_OPEN
    for _ in range(open_up_in_one_go):
        here.failed()
    assert here.status.state == "open"
    script = f"""
from pathlib import Path
from quant_assets.ops.store import OperationsStore
from resources.alpha_vantage.breaker import VendorBreaker, breaker_statuses
store = OperationsStore(Path({str(store.path)!r}))
print(breaker_statuses(store)[0].state)
there = VendorBreaker("alpha_vantage", store, seconds_to_half_open=0.0)
print(there.admits())
there.succeeded()
"""
    elsewhere = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert elsewhere.stdout.split() == ["open", "True"]
    fresh = VendorBreaker("alpha_vantage", store)
    assert fresh.admits()
    assert breaker_statuses(store)[0].state == "closed"


def test_each_server_has_its_own_circuit(tmp_path, time):
    """A replay that is down says nothing about the vendor; the status lists both."""
    store = OperationsStore(tmp_path / "operations.sqlite")
    replay = VendorBreaker("127.0.0.1:8000", store, clock=time.now)
    vendor = VendorBreaker("alpha_vantage", store, clock=time.now)
    open_up(replay)
    assert vendor.admits()
    listed = {status.name: status for status in breaker_statuses(store)}
    assert listed["127.0.0.1:8000"].state == "open"
    assert listed["127.0.0.1:8000"].opened_at == time.now()
    assert listed["alpha_vantage"].state == "closed"
    assert listed["alpha_vantage"].opened_at is None


def test_a_healthy_server_costs_no_write(tmp_path):
    """Successes in a row leave the store's file as it was."""
    store = OperationsStore(tmp_path / "operations.sqlite")
    breaker = VendorBreaker("alpha_vantage", store, clock=lambda: dt.datetime(2024, 1, 9, tzinfo=dt.UTC))
    before = store.path.stat().st_mtime_ns
    for _ in range(50):
        assert breaker.admits()
        breaker.succeeded()
    assert store.path.stat().st_mtime_ns == before
