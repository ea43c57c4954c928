"""A replay of a few nights with the real job and sensors, killed on the way and gone on with."""

from __future__ import annotations

import datetime as dt
import signal
import time

import duckdb
import pytest

from quant_assets.foundation.home import Home
from quant_assets.replay.clock import ReplayClock
from tests.support.pipeline import installation, write_universe
from tests.support.slack_receiver import TOKEN, SlackReceiver

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("replayed nights")]

SYMBOLS = {"SPX": "index", "IBM": "equity"}
NIGHTS = ("replay", "nights", "--from", "2000-07-03", "--to", "2000-07-05")
SESSIONS = [dt.date(2000, 6, 30), dt.date(2000, 7, 3), dt.date(2000, 7, 5)]
"""The eve, and two nights around Independence Day."""


def nights_done(record) -> int:
    """Nights that the record shows as completed, read by another process while the replay goes on."""
    if not record.exists():
        return 0
    with duckdb.connect(str(record), read_only=True) as connection:
        return connection.execute("SELECT count(ended_at) FROM replay.nights").fetchone()[0]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """A replay that was killed in its second night and started again, with what Slack got; SPX and IBM alone."""
    with SlackReceiver() as receiver:
        made = installation(
            tmp_path_factory.mktemp("nights"),
            SYMBOLS,
            SLACK_BOT_TOKEN=TOKEN,
            SLACK_CHANNEL="#alerts",
            SLACK_API_URL=receiver.api_url,
        )
        write_universe(made.universe.parent, SYMBOLS, market="SPX", portfolio={"value": 1000, "weights": {"IBM": 1.0}})
        home = made.path / "replays" / "2000-07-03_2000-07-05"
        process = made.start(*NIGHTS)
        deadline = time.monotonic() + 400
        while nights_done(home / "record.duckdb") < 2 and process.poll() is None:
            assert time.monotonic() < deadline, "the first nights did not come"
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        before = process.communicate()[0]
        after = made.quant(*NIGHTS)
        yield home, before, after, receiver


def rows(home, sql: str):
    with duckdb.connect(str(home / "record.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


def test_killed_replay_goes_on_where_it_stopped(replayed):
    """Every night is there once; those that were completed before the kill are told, not lived through again."""
    home, before, after, _ = replayed
    assert after.returncode == 0, before + after.stdout + after.stderr
    assert [session for (session,) in rows(home, "SELECT session FROM replay.nights ORDER BY session")] == SESSIONS
    lines = [line for line in after.stdout.splitlines() if line.startswith("2000-")]
    assert [line[:10] for line in lines] == [str(session) for session in SESSIONS]
    kept = [line for line in before.splitlines() if line.startswith("2000-") and " bars; " in line]
    assert kept
    assert lines[: len(kept)] == kept
    with duckdb.connect(str(Home(home).readers_database.resolve()), read_only=True) as connection:
        (newest,) = connection.execute("SELECT max(date) FROM market_data.daily_prices").fetchone()
    assert newest == SESSIONS[-1]


def test_every_prediction_was_written_before_its_outcome(replayed):
    """By both clocks: the replay's, against the bar that decided it, and the wall's, against the night that asked."""
    home, _, _, _ = replayed
    found = rows(
        home,
        "SELECT kind, symbol, as_of, target_date, newest_bar, decided_at, written_at, outcome_clock, outcome_after "
        "FROM replay.predictions",
    )
    assert {kind for kind, *_ in found} == {"signal", "forecast"}
    starts = dict(rows(home, "SELECT session, started_at FROM replay.nights"))
    decided = 0
    with duckdb.connect(str(Home(home).readers_database.resolve()), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        sql = "SELECT symbol, date, first_seen_at FROM market_data.daily_prices"
        first_seen = {(symbol, date): at for symbol, date, at in connection.execute(sql).fetchall()}
    for _, symbol, as_of, target, newest_bar, decided_at, written_at, clock, after in found:
        assert decided_at == ReplayClock.after(as_of).now()
        assert newest_bar == as_of < target
        if target in starts:
            decided += 1
            assert decided_at < clock == ReplayClock.after(target).now()
            assert written_at < after == starts[target]
            assert first_seen.get((symbol, target), clock) == clock
        else:
            assert clock is None
    assert decided
    assert rows(home, "SELECT sum(too_late), sum(decided) FROM replay.proof") == [(0, decided)]


def test_each_alert_of_the_replay_was_told_once(replayed):
    """Slack got every alert of the outbox, kill or not, none twice, and each marked with the session of its night."""
    home, before, after, receiver = replayed
    from quant_assets.ops.store import OperationsStore

    store = OperationsStore(Home(home).operations)
    pending = store.query("SELECT count(*) AS n FROM alerts WHERE delivered_at IS NULL")[0]["n"]
    raised = [row["subject"] for row in store.query("SELECT subject FROM alerts")]
    told = [str(message) for message in receiver.accepted]
    assert pending == 0
    for subject in raised:
        assert sum(subject in message for message in told) == 1, subject
    marks = {f"[replay {session}] " for session in SESSIONS}
    assert {subject[: len("[replay 2000-06-30] ")] for subject in raised} <= marks
    assert raised
    assert "Alerts go to slack; their subjects begin with [replay] and the session." in before
    assert not any("[replay" in line for line in after.stdout.splitlines() if line.startswith("2000-"))


def test_wrong_dates_are_one_sentence(replayed, tmp_path):
    """A date that is none, and a range the wrong way round, end in exit code 2 and say what to give."""
    made = installation(tmp_path, SYMBOLS)
    for dates, words in (
        (("--from", "2008-13-01", "--to", "2008-12-31"), "--from '2008-13-01' is not a date"),
        (("--from", "2008-12-31", "--to", "2008-09-01"), "the earlier date first"),
    ):
        done = made.quant("replay", "nights", *dates)
        assert done.returncode == 2
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
