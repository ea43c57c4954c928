"""Which nights a replay lives through, what its diary says, and what its record proves."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import UsageError
from quant_assets.replay.clock import ReplayClock
from quant_assets.replay.night_record import PREDICTIONS, NightRecord, Proof
from quant_assets.replay.nights import Forecast, Night, diary_line, plan_nights

CALENDAR = new_york_calendar()
EARLIEST, LATEST = dt.date(1999, 1, 4), dt.date(2013, 3, 1)
MONDAY, TUESDAY = dt.date(2008, 9, 15), dt.date(2008, 9, 16)
WALL = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


def plan(first: str, last: str):
    return plan_nights(
        dt.date.fromisoformat(first), dt.date.fromisoformat(last), CALENDAR, earliest=EARLIEST, latest=LATEST
    )


def test_nights_are_the_sessions_of_the_range():
    """Holidays and weekends have no night; the eve is the session before the first; the folder is named as asked."""
    found = plan("2008-08-30", "2008-09-03")
    assert found.sessions == (dt.date(2008, 9, 2), dt.date(2008, 9, 3))  # the first was Labor Day
    assert found.eve == dt.date(2008, 8, 29)
    assert found.folder == "2008-08-30_2008-09-03"


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2008-12-31", "2008-09-01", "the earlier date first"),
        ("2008-09-06", "2008-09-07", "no exchange session"),
        ("2013-02-01", "2013-03-04", "2013-03-01 or earlier"),
        ("1999-06-01", "1999-07-01", "or later"),
        ("0001-01-01", "2008-09-01", "or later"),
        ("2008-09-01", "9999-12-31", "2013-03-01 or earlier"),
    ],
)
def test_ranges_that_cannot_be_had_are_one_sentence(first, last, words):
    """A wrong range says what to give instead."""
    with pytest.raises(UsageError, match=words):
        plan(first, last)


@given(st.dates(dt.date(2001, 1, 1), LATEST), st.dates(dt.date(2001, 1, 1), LATEST))
def test_every_session_of_the_range_is_one_night(first, last):
    """Nights are sessions, in order, inside the range, without a gap, after the eve."""
    try:
        found = plan_nights(first, last, CALENDAR, earliest=EARLIEST, latest=LATEST)
    except UsageError:
        assert first > last or not CALENDAR.sessions_between(first, last)
        return
    assert list(found.sessions) == CALENDAR.sessions_between(first, last)
    assert CALENDAR.shift(found.eve, 1) == found.sessions[0]


def test_diary_tells_what_happened():
    """A quiet night is short; a loud one names regime, drift, launches, versions and alerts."""
    assert diary_line(Night(MONDAY, fetched=6, regime="high_volatility", seconds=2.0)) == (
        "2008-09-15  6 bars; no anomaly; high volatility; 2.0 s"
    )
    loud = diary_line(
        Night(
            MONDAY,
            fetched=6,
            anomalies=(("HIGH", 1), ("LOW", 2)),
            regime="bearish",
            regime_before="high_volatility",
            drift_share=0.4,
            drift_strikes=3,
            retrained=("jump-2",),
            promoted=("jump-2",),
            alerts=("one", "two", "three"),
            forecast=Forecast(90.0, 100.0, 110.0, 80.0, is_inside=False),
            launched=("retrain_on_drift (done)",),
            seconds=2.0,
        )
    )
    for words in (
        "anomalies 1 HIGH, 2 LOW",
        "REGIME high volatility -> bearish",
        "drift 40%, 3 strikes",
        "forecast 100 (90 to 110), came 80 OUTSIDE",
        "launched retrain_on_drift (done)",
        "trained jump-2",
        "promoted jump-2",
        "3 alerts (one; two and 1 more)",
    ):
        assert words in loud
    assert "failed: no disk" in diary_line(Night(MONDAY, error="no disk"))


@pytest.fixture
def record(tmp_path):
    return NightRecord(tmp_path / "record.duckdb")


def predictions(*, newest_bar: dt.date = MONDAY, written_at: dt.datetime = WALL, predicted: float = 0.4):
    row = {
        "kind": "signal",
        "model": "direction",
        "symbol": "IBM",
        "as_of": MONDAY,
        "horizon_days": 1,
        "target_date": TUESDAY,
        "model_version": "direction-1",
        "predicted": predicted,
        "newest_bar": newest_bar,
        "decided_at": ReplayClock.after(MONDAY).now(),
        "written_at": written_at,
    }
    return pl.DataFrame([dict.fromkeys(PREDICTIONS.column_names) | row], schema=PREDICTIONS.polars_schema)


def outcome(clock: dt.datetime, value: float | None = 1.0):
    key = {name: predictions()[name][0] for name in PREDICTIONS.key}
    schema = {name: PREDICTIONS.polars_schema[name] for name in (*PREDICTIONS.key, "outcome", "outcome_clock")}
    return pl.DataFrame([key | {"outcome": value, "outcome_clock": clock}], schema=schema)


def live_two_nights(record: NightRecord, made: pl.DataFrame, *, second_start: dt.datetime, came: dt.datetime) -> Proof:
    record.start(MONDAY, ReplayClock.after(MONDAY).now(), WALL - dt.timedelta(minutes=1))
    record.note_predictions(made)
    record.start(TUESDAY, ReplayClock.after(TUESDAY).now(), second_start)
    record.note_outcomes(outcome(came))
    return record.proof()


CAME = ReplayClock.after(TUESDAY).now()


@pytest.mark.parametrize(
    ("made", "second_start", "came", "too_late"),
    [
        (predictions(), WALL + dt.timedelta(minutes=1), CAME, 0),
        (predictions(newest_bar=TUESDAY), WALL + dt.timedelta(minutes=1), CAME, 1),
        (predictions(), WALL - dt.timedelta(seconds=1), CAME, 1),
        (predictions(), WALL + dt.timedelta(minutes=1), ReplayClock.after(MONDAY).now(), 1),
    ],
    ids=["honest", "saw the next bar", "written after the next night began", "bar was there by the replay's clock"],
)
def test_proof_counts_what_was_not_written_before_its_outcome(record, made, second_start, came, too_late):
    """Either clock, or a later bar in the publication, gives a prediction away that came too late."""
    assert live_two_nights(record, made, second_start=second_start, came=came) == Proof(1, 1, too_late)


def test_what_was_written_first_stays(record):
    """A night that is lived through again neither moves its start nor rewrites its predictions."""
    clock = ReplayClock.after(MONDAY).now()
    assert record.start(MONDAY, clock, WALL) == WALL
    assert record.start(MONDAY, clock, WALL + dt.timedelta(hours=1)) == WALL
    assert record.note_predictions(predictions()) == 1
    assert record.note_predictions(predictions(written_at=WALL + dt.timedelta(hours=1), predicted=0.9)) == 0
    (row,) = record.waiting(TUESDAY).iter_rows(named=True)
    assert (row["written_at"], row["predicted"]) == (WALL, 0.4)
    assert record.done() == {}


def test_night_ends_together_with_the_cursors(record):
    """A completed night has its line, and the sensors go on from where they were."""
    record.start(MONDAY, ReplayClock.after(MONDAY).now(), WALL)
    record.end(Night(MONDAY, fetched=6), run_id="run", now=WALL, cursors={"drift_sensor": "{}", "other": None})
    assert list(record.done()) == [MONDAY]
    assert record.failed() == 0
    assert record.cursors() == {"drift_sensor": "{}", "other": None}


def test_newest_night_is_lived_again_where_it_failed(record):
    """A failed night before another one is history, since a home never goes back; the newest is to be done."""
    days = [dt.date(2008, 9, 15) + dt.timedelta(days=n) for n in range(4)]
    for day, error in zip(days, ("no disk", "", "no disk", "no disk"), strict=True):
        record.start(day, ReplayClock.after(day).now(), WALL)
        record.end(Night(day, error=error), run_id="run", now=WALL, cursors={})
    assert list(record.done()) == days[:3]
    assert record.failed() == 3


def test_reader_that_keeps_the_record_open_stops_nobody(record):
    """The readers' file is put in place anew after each night; who holds it keeps the one that was opened."""
    record.start(MONDAY, ReplayClock.after(MONDAY).now(), WALL)
    record.end(Night(MONDAY), run_id="run", now=WALL, cursors={})
    script = (
        "import duckdb, sys\nc = duckdb.connect(sys.argv[1], read_only=True)\nprint('open', flush=True)\n"
        "sys.stdin.readline()\nprint(c.execute('SELECT count(*) FROM replay.nights').fetchone()[0])"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", script, str(record.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout.readline() == "open\n"
    record.start(TUESDAY, CAME, WALL)
    record.end(Night(TUESDAY), run_id="run", now=WALL, cursors={})
    assert reader.communicate("go on\n")[0] == "1\n"
    with duckdb.connect(str(record.path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM replay.nights").fetchone() == (2,)
