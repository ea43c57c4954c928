"""The clock of a replay."""

import datetime as dt

import pytest

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import UsageError
from quant_assets.replay.clock import ReplayClock


def test_a_clock_after_a_session_stands_on_the_next_morning_in_new_york():
    """06:00 in New York is 11:00 UTC in winter and 10:00 in summer."""
    assert ReplayClock.after(dt.date(2013, 3, 1)).now() == dt.datetime(2013, 3, 2, 11, tzinfo=dt.UTC)
    assert ReplayClock.after(dt.date(2013, 7, 1)).now() == dt.datetime(2013, 7, 2, 10, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("hour_utc", "final_date"),
    [(11, dt.date(2013, 2, 28)), (20, dt.date(2013, 2, 28)), (24, dt.date(2013, 2, 28)), (25, dt.date(2013, 3, 1))],
)
def test_a_session_is_final_four_hours_after_its_close(hour_utc, final_date):
    """The New York close of 2013-03-01 is at 21:00 UTC; its bar is final at 01:00 UTC, as the calendar says too."""
    now = dt.datetime(2013, 3, 1, tzinfo=dt.UTC) + dt.timedelta(hours=hour_utc)
    assert ReplayClock(now).final_date == final_date
    assert new_york_calendar().last_finished_session(now) == final_date


def test_a_clock_moves_to_dates_and_instants_both_ways():
    """A date means the morning after it; an instant is taken as it is, in UTC."""
    clock = ReplayClock.after(dt.date(2013, 3, 1))
    clock.move_to(dt.date(2012, 3, 1))
    assert clock.final_date == dt.date(2012, 3, 1)
    berlin = dt.timezone(dt.timedelta(hours=1))
    clock.move_to(dt.datetime(2014, 1, 2, 16, tzinfo=berlin))
    assert clock.now() == dt.datetime(2014, 1, 2, 15, tzinfo=dt.UTC)
    assert clock.now().utcoffset() == dt.timedelta(0)


def test_a_naive_instant_is_refused():
    """An instant without a zone could mean any day."""
    with pytest.raises(UsageError, match="time zone"):
        ReplayClock(dt.datetime(2013, 3, 1, 12))  # noqa: DTZ001 - the case under test
