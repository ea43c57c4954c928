"""The quota ledger and the entitlement memory outlive processes and are shared by them."""

import datetime as dt
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from quant_assets.market_data.quota import REFUSAL_LIFETIME, SqliteEntitlementMemory, SqliteQuotaLedger
from quant_assets.ops.store import OperationsStore

DAY = dt.date(2024, 1, 9)
NOW = dt.datetime(2024, 1, 9, 11, tzinfo=dt.UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path):
    return OperationsStore(tmp_path / "operations.sqlite")


@pytest.fixture
def ledger(store):
    return SqliteQuotaLedger(store, clock=lambda: NOW)


def run_elsewhere(store: OperationsStore, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a second process with ``ledger`` and ``DAY`` at hand."""
    prelude = f"""
        import datetime as dt, os, signal
        from pathlib import Path
        from quant_assets.market_data.quota import SqliteQuotaLedger
        from quant_assets.ops.store import OperationsStore
        ledger = SqliteQuotaLedger(OperationsStore(Path({str(store.path)!r})))
        DAY = dt.date(2024, 1, 9)
    """
    script = textwrap.dedent(prelude) + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)


def test_attempts_are_counted_up_to_the_limit_and_not_beyond(ledger):
    """A refused reservation counts nothing."""
    assert [ledger.reserve("key", DAY, 3) for _ in range(5)] == [True, True, True, False, False]
    assert ledger.used("key", DAY) == 3


def test_each_key_and_each_day_has_its_own_count(ledger):
    """A new day and another key start at nothing."""
    assert ledger.reserve("key", DAY, 1)
    assert ledger.reserve("other", DAY, 1)
    assert ledger.reserve("key", DAY + dt.timedelta(days=1), 1)
    assert not ledger.reserve("key", DAY, 1)


def test_a_limit_of_nothing_allows_nothing(ledger):
    """The first call of a day is checked like every other."""
    assert not ledger.reserve("key", DAY, 0)
    assert ledger.used("key", DAY) == 0


def test_the_vendor_s_word_closes_the_day(ledger):
    """Once the vendor says that the day is spent nothing is left, whatever was counted, until the next day."""
    assert not ledger.is_exhausted("key", DAY)
    ledger.exhaust("key", DAY)
    ledger.exhaust("key", DAY)
    assert ledger.is_exhausted("key", DAY)
    assert not ledger.reserve("key", DAY, 25)
    assert ledger.used("key", DAY) == 0
    assert ledger.reserve("key", DAY + dt.timedelta(days=1), 25)


def test_exhausting_keeps_the_count(ledger):
    """What was counted before the vendor's word stays known."""
    ledger.reserve("key", DAY, 25)
    ledger.exhaust("key", DAY)
    assert ledger.used("key", DAY) == 1


def test_threads_never_count_past_the_limit(ledger):
    """Reservations of many threads at once are each counted once."""
    granted = []
    threads = [
        threading.Thread(target=lambda: granted.extend(ledger.reserve("key", DAY, 20) for _ in range(8)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 20
    assert ledger.used("key", DAY) == 20


def test_a_process_killed_after_its_reservation_has_counted_it(store, ledger):
    """A kill -9 between the reservation and the call loses no count."""
    killed = run_elsewhere(store, "ledger.reserve('key', DAY, 25)\nos.kill(os.getpid(), signal.SIGKILL)")
    assert killed.returncode == -signal.SIGKILL
    assert ledger.used("key", DAY) == 1


def test_a_second_process_sees_the_count_and_the_vendor_s_word(store, ledger):
    """The ledger is one for all processes of a home."""
    ledger.reserve("key", DAY, 1)
    elsewhere = run_elsewhere(store, "print(ledger.reserve('key', DAY, 1), ledger.used('key', DAY))")
    assert elsewhere.stdout.split() == ["False", "1"]


def test_the_newest_call_is_known_to_all(ledger):
    """The time of the newest attempt, of any day, is kept for whoever calls next."""
    assert ledger.last_call_at("key") is None
    ledger.reserve("key", DAY, 5)
    ledger.exhaust("key", DAY + dt.timedelta(days=1))
    assert ledger.last_call_at("key") == NOW
    assert ledger.last_call_at("other") is None


def test_a_refusal_is_remembered_for_a_week(store):
    """It stands until its lifetime has passed, and then the function is tried again."""
    memory = SqliteEntitlementMemory(store)
    assert memory.allows("key", "TIME_SERIES_DAILY_ADJUSTED", "", NOW)
    memory.refuse("key", "TIME_SERIES_DAILY_ADJUSTED", "", NOW)
    just_before = NOW + REFUSAL_LIFETIME - dt.timedelta(seconds=1)
    assert not memory.allows("key", "TIME_SERIES_DAILY_ADJUSTED", "", just_before)
    assert memory.allows("key", "TIME_SERIES_DAILY_ADJUSTED", "", NOW + REFUSAL_LIFETIME)


def test_a_refused_parameter_leaves_the_function_open(store):
    """Full history may be refused while the newest hundred bars are not; and no other key is concerned."""
    memory = SqliteEntitlementMemory(store)
    memory.refuse("key", "TIME_SERIES_DAILY", "full", NOW)
    assert not memory.allows("key", "TIME_SERIES_DAILY", "full", NOW)
    assert memory.allows("key", "TIME_SERIES_DAILY", "compact", NOW)
    assert memory.allows("key", "TIME_SERIES_DAILY", "", NOW)
    assert memory.allows("other", "TIME_SERIES_DAILY", "full", NOW)


def test_a_second_refusal_starts_the_week_anew(store):
    """The newest refusal counts."""
    memory = SqliteEntitlementMemory(store)
    memory.refuse("key", "SPLITS", "", NOW)
    memory.refuse("key", "SPLITS", "", NOW + dt.timedelta(days=5))
    assert not memory.allows("key", "SPLITS", "", NOW + dt.timedelta(days=8))


def test_a_refusal_from_the_future_is_not_believed(store):
    """A clock that was put back must not close a function for longer than a week."""
    memory = SqliteEntitlementMemory(store)
    memory.refuse("key", "SPLITS", "", NOW + dt.timedelta(days=1))
    assert memory.allows("key", "SPLITS", "", NOW)
