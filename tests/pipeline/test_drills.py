"""Fault drills with real processes: kills, waiting, readers, damaged files, wrong clocks."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import duckdb
import pytest

from quant_assets.foundation.home import Home
from quant_assets.replay.faults import Faults, Transport
from quant_assets.replay.server import ReplayServer
from quant_assets.replay.synthetic.market import SyntheticHistory
from quant_assets.replay.synthetic.parameters import EventRates
from resources.warehouse.run_lock import lock_holder
from tests.conftest import EMBEDDED
from tests.support.pipeline import Installation, installation

pytestmark = pytest.mark.drill

HISTORY = SyntheticHistory(seed=5, symbols=6, years=8, rates=EventRates.none())
SYMBOLS = tuple(f"SYM{i:03}" for i in range(6))


def wait_until(condition, seconds: float = 500.0) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the awaited moment did not come"
        time.sleep(0.005)


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def step_started(home: Home, step: str) -> bool:
    """Whether the newest run's log holds the start of a step."""
    databases = list((home.dagster / "history" / "runs").glob("*.db"))
    newest = max(databases, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        return False
    import sqlite3

    with sqlite3.connect(f"file:{newest}?mode=ro", uri=True) as connection:
        try:
            sql = "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'STEP_START' AND step_key LIKE ?"
            return bool(connection.execute(sql, (f"{step}%",)).fetchone()[0])
        except sqlite3.OperationalError:
            return False


def kill_in_step(made: Installation, step: str) -> None:
    """Start a run and kill its process as soon as a step has begun (or let it end, where it does no such step)."""
    process = made.start("run")
    wait_until(lambda: step_started(made.home, step) or process.poll() is not None)
    kill(process)


def prices_and_features(made: Installation) -> dict[str, object]:
    """Contents of the tables of prices and features."""
    rooms = ("market_data.", "features.")
    return {name: held for name, held in made.contents().items() if name.startswith(rooms)}


@pytest.fixture
def vendor():
    faults = Faults()
    with ReplayServer(HISTORY, plan="1200", faults=faults) as server:
        variables = {
            "ALPHA_VANTAGE_BASE_URL": server.url,
            "ALPHA_VANTAGE_API_KEY": "x",
            "ALPHA_VANTAGE_PLAN": "1200",
        }
        yield server, faults, variables


def test_killed_at_every_stage_then_completed_equals_an_undisturbed_run(tmp_path, vendor):
    """After kill -9 in fetch, merge, dbt and publish every file opens, and the next run completes the work."""
    server, faults, variables = vendor
    undisturbed = installation(tmp_path / "undisturbed", SYMBOLS, **variables)
    assert undisturbed.run().is_success
    drilled = installation(tmp_path / "drilled", SYMBOLS, **variables)

    faults.add(Transport.SLOW, symbol="SYM003", seconds=20.0)
    server.requests.clear()
    process = drilled.start("run")
    wait_until(lambda: len(server.requests) >= 4)
    kill(process)
    faults.clear()

    for step in ("fetch_prices", "adjust_prices", "feature_store_models", "serving__readers_database"):
        kill_in_step(drilled, step)
        with duckdb.connect(str(drilled.home.warehouse)) as connection:
            assert connection.execute("SELECT count(*) FROM ops.instruments").fetchone() == (6,)
        if drilled.home.readers_database.exists():
            assert drilled.read("SELECT count(*) FROM ops.publications")[0][0] >= 1

    done = drilled.quant("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert prices_and_features(drilled) == prices_and_features(undisturbed)


def test_second_run_waits_and_readers_never_do(copied):
    """A run that finds the lock taken waits and both succeed; readers open the file at every moment."""
    reader = duckdb.connect(str(copied.home.readers_database), read_only=True)
    held = reader.execute("SELECT count(*) FROM market_data.daily_prices").fetchone()
    stop, failures, opened = threading.Event(), [], []
    script = (
        "import duckdb, sys\n"
        "c = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print(c.execute('SELECT count(*) FROM market_data.daily_prices').fetchone()[0])"
    )

    def keep_opening():
        while not stop.is_set():
            done = subprocess.run(
                [sys.executable, "-c", script, str(copied.home.readers_database)],
                capture_output=True,
                text=True,
                check=False,
            )
            opened.append(done.stdout.strip())
            if done.returncode:
                failures.append(done.stderr)

    opener = threading.Thread(target=keep_opening)
    opener.start()
    first = copied.start("run", "--full-refresh")
    wait_until(lambda: lock_holder(copied.home) is not None)
    second = copied.start("run")
    outputs = [process.communicate(timeout=600)[0] for process in (first, second)]
    stop.set()
    opener.join()
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert failures == []
    assert set(opened) == {str(held[0])}
    assert reader.execute("SELECT count(*) FROM market_data.daily_prices").fetchone() == held
    reader.close()


def test_no_wait_fails_at_once_and_names_the_holder(copied):
    """With --no-wait a second run exits with 1 and one sentence that names the first."""
    hold = (
        "import sys, time\nfrom pathlib import Path\n"
        "from quant_assets.foundation.home import Home\nfrom resources.warehouse.run_lock import hold_run_lock\n"
        "with hold_run_lock(Home(Path(sys.argv[1])), run_id='first', job='nightly', wait=True, report=print):\n"
        "    print('held', flush=True)\n    time.sleep(120)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold, str(copied.path)], stdout=subprocess.PIPE, text=True)
    holder.stdout.readline()
    done = copied.quant("run", "--no-wait")
    kill(holder)
    assert done.returncode == 1
    assert "in use by run first of nightly" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["warehouse.duckdb", "operations.sqlite"])
def test_damaged_file_is_named_and_never_replaced(copied, name):
    """A damaged database fails the run with one sentence that names it, and keeps its bytes."""
    damaged = copied.path / name
    for sibling in copied.path.glob(f"{name}-*"):
        sibling.unlink()
    damaged.write_bytes(b"this is no database " * 2000)
    done = copied.quant("run")
    assert done.returncode == 1
    assert f"{name} is damaged" in done.stdout + done.stderr
    assert damaged.read_bytes() == b"this is no database " * 2000


def test_damaged_readers_database_is_named(copied):
    """A damaged publication fails with one sentence that names it and says what to do."""
    target = copied.home.readers_database.resolve()
    target.chmod(0o644)
    target.write_bytes(b"this is no database " * 2000)
    done = copied.quant("run")
    assert done.returncode == 1
    assert "is damaged" in done.stdout + done.stderr
    assert target.name in done.stdout + done.stderr


def test_home_that_cannot_be_used_is_one_sentence(tmp_path):
    """A home that is a file, and one below a file, end in exit code 1 and one sentence with the fix."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    for path in (blocked, blocked / "home"):
        made = installation(tmp_path, EMBEDDED)
        done = Installation(path, made.universe).quant("run")
        assert done.returncode == 1
        assert done.stderr.startswith("quant: ")
        assert "QUANT_HOME" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_earlier_as_of_is_refused(filled):
    """An as-of date before the last publication exits with 2 and names another home as the way."""
    done = filled.quant("run", "--as-of", "2012-06-29")
    assert done.returncode == 2
    assert "never goes back" in done.stderr
    assert "QUANT_HOME" in done.stderr


def test_clock_before_the_data_is_refused(copied):
    """A machine whose clock stands before stored data is told so; nothing is computed."""
    with duckdb.connect(str(copied.home.warehouse)) as connection:
        connection.execute(
            "INSERT INTO market_data.daily_prices SELECT * REPLACE (DATE '2030-01-02' AS date) "
            "FROM market_data.daily_prices WHERE symbol = 'IBM' AND date = '2013-03-01'"
        )
    done = copied.quant("run")
    assert done.returncode == 1
    assert "before the newest stored bar of 2030-01-02" in done.stdout


def test_full_disk_while_publishing_fails_and_the_next_run_completes(copied):
    """Where the publication cannot be written the run fails, readers keep the former one, the next run publishes."""
    import resource

    before = copied.home.readers_database.resolve()
    with duckdb.connect(str(copied.home.warehouse)) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS ballast")
        connection.execute("CREATE TABLE ballast.numbers AS SELECT random() AS n FROM range(2_000_000)")
        connection.execute("UPDATE ops.table_changes SET changed_at = now()")

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000_000, 8_000_000))

    done = subprocess.run(
        copied.command("run"),
        env=copied.environment(),
        cwd=copied.universe.parent,
        capture_output=True,
        text=True,
        preexec_fn=limited,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert copied.home.readers_database.resolve() == before
    with duckdb.connect(str(copied.home.warehouse)) as connection:
        connection.execute("DROP SCHEMA ballast CASCADE")
    assert copied.quant("run").returncode == 0
    assert copied.home.readers_database.resolve() != before


def test_replay_port_in_use_is_one_sentence(copied):
    """A port that is taken ends in exit code 2 and one sentence."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for command in (("replay", "serve", "--port", port), ("ui", "--port", port)):
            done = copied.quant(*command)
            assert done.returncode == 2, done.stdout + done.stderr
            assert port in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1


def test_status_works_while_a_run_goes_on_and_on_an_empty_home(copied, tmp_path):
    """The status shows freshness, calls and runs, and on an empty home says what to run."""
    done = copied.quant("status")
    assert done.returncode == 0
    assert "replay-packaged" in done.stdout
    assert "IBM" in done.stdout
    assert "success" in done.stdout
    empty = installation(tmp_path / "empty", EMBEDDED).quant("status")
    assert empty.returncode == 0
    assert "make run" in empty.stdout
