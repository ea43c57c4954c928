from __future__ import annotations

import datetime as dt
import itertools

import numpy as np

from quant_assets.features.session_position import is_month_end, is_week_end
from quant_assets.foundation.calendar import new_york_calendar


def days_of(*dates: str):
    return np.array(dates, dtype="datetime64[D]").astype(np.int32)


def test_the_last_session_of_a_week_is_the_one_before_the_next_week():
    """Every session is compared with the one after it: the ISO week changes exactly where the column is 1."""
    sessions = new_york_calendar().sessions
    weeks = [day.isocalendar()[:2] for day in sessions.tolist()]
    expected = [week != following for week, following in itertools.pairwise(weeks)]
    last = max(place for place, is_last in enumerate(expected) if is_last)
    found = is_week_end(sessions.astype(np.int32))
    np.testing.assert_array_equal(found[: last + 1], np.array(expected[: last + 1], dtype=float))
    assert np.isnan(found[last + 1 :]).all()


def test_a_holiday_moves_the_end_of_the_week():
    """Good Friday makes Thursday the week's last session; an ordinary Thursday is not, and a Sunday never is."""
    found = is_week_end(days_of("2019-04-18", "2019-04-25", "2019-04-26", "2019-04-28"))
    assert found.tolist() == [1.0, 0.0, 1.0, 0.0]


def test_outside_the_calendar_nothing_is_known():
    """Dates before 1990 and beyond the calendar's last whole period are null."""
    beyond = str(new_york_calendar().sessions[-1].item() + dt.timedelta(days=40))
    assert np.isnan(is_week_end(days_of("1989-12-29", beyond))).all()
    assert np.isnan(is_month_end(days_of("1989-12-29", beyond))).all()
