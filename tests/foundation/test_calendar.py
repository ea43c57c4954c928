from __future__ import annotations

import datetime as dt

import pytest

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import UsageError

CALENDAR = new_york_calendar()


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)


def test_calendar_reaches_back_to_1990():
    """The first session is the first one of 1990 whatever today is."""
    assert CALENDAR.sessions[0].item() == dt.date(1990, 1, 2)


def test_known_closures_are_no_sessions():
    """The days after 2001-09-11, a national day of mourning and a hurricane closed the exchange."""
    for closed in ((2001, 9, 12), (2004, 6, 11), (2012, 10, 29), (2013, 3, 29), (2013, 3, 2)):
        assert not CALENDAR.is_session(dt.date(*closed)), closed
    assert CALENDAR.is_session(dt.date(2001, 9, 17))


def test_shift_and_count_are_inverse():
    """Moving n sessions on and counting the sessions between gives n."""
    start = dt.date(2008, 9, 15)
    for count in (0, 1, 7, 250):
        assert CALENDAR.count_between(start, CALENDAR.shift(start, count)) == count


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (utc(2013, 3, 1, 20, 59), dt.date(2013, 2, 28)),  # the session of 1 March is still open
        (utc(2013, 3, 1, 23, 0), dt.date(2013, 2, 28)),  # closed two hours ago: the bar may still move
        (utc(2013, 3, 2, 1, 0), dt.date(2013, 3, 1)),  # four hours after the close at 21:00 UTC
        (utc(2013, 3, 3, 12, 0), dt.date(2013, 3, 1)),  # Sunday
        (utc(2012, 11, 24, 1, 0), dt.date(2012, 11, 23)),  # the day after Thanksgiving closed at 18:00 UTC
        (utc(2012, 11, 23, 22, 1), dt.date(2012, 11, 23)),
    ],
)
def test_last_finished_session_waits_for_the_close(now, expected):
    """A session counts as finished four hours after its close, early closes included."""
    assert CALENDAR.last_finished_session(now) == expected


def test_naive_clock_and_dates_outside_are_refused():
    """A clock without a zone and a date before 1990 end in one sentence, not in a guess."""
    with pytest.raises(UsageError, match="time zone"):
        CALENDAR.last_finished_session(dt.datetime(2013, 3, 1))  # noqa: DTZ001 - the point of the test
    with pytest.raises(UsageError, match="outside the exchange calendar"):
        CALENDAR.session_on_or_before(dt.date(1989, 12, 29))
