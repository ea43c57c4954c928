from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from jobs.nightly import nightly_schedule, reason_to_skip
from quant_assets.foundation.calendar import new_york_calendar


@pytest.mark.parametrize(
    ("scheduled", "is_skipped"),
    [
        (dt.date(2013, 3, 2), False),  # Saturday morning, for Friday
        (dt.date(2013, 3, 30), True),  # the day after Good Friday
        (dt.date(2012, 12, 26), True),  # the day after Christmas
        (dt.date(2012, 11, 24), False),  # the day after a half session
    ],
)
def test_holidays_are_skipped(scheduled, is_skipped):
    """A morning after a day without a session has nothing to do, and says why."""
    reason = reason_to_skip(scheduled, new_york_calendar())
    assert (reason is not None) == is_skipped


def test_schedule_asks_for_one_run_per_session():
    """At a tick after a session the schedule requests one run, keyed by the day."""
    at = dt.datetime(2013, 3, 2, 6, tzinfo=dt.UTC)
    with dg.build_schedule_context(scheduled_execution_time=at) as context:
        request = nightly_schedule(context)
    assert request.run_key == "nightly-2013-03-02"
