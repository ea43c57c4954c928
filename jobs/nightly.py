"""The main job, and its schedule: 06:00 New York, Tuesday to Saturday, for the session of the day before."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from quant_assets.foundation.calendar import NEW_YORK, TradingCalendar, new_york_calendar

__all__ = ["nightly", "nightly_schedule", "reason_to_skip"]

nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.all(),
    description=(
        "Fetch what is new, check it, and bring every table up to the newest finished session; publish the readers' "
        "database. Narrow the fetch to some symbols in the launchpad: ops > fetch_prices > config > symbols."
    ),
)


def reason_to_skip(scheduled_date: dt.date, calendar: TradingCalendar) -> str | None:
    """Why the run of ``scheduled_date`` has nothing to do; None where the day before was a session."""
    day_before = scheduled_date - dt.timedelta(days=1)
    return None if calendar.is_session(day_before) else f"The exchange was closed on {day_before}."


@dg.schedule(
    job=nightly,
    cron_schedule="0 6 * * 2-6",
    execution_timezone=NEW_YORK,
    description="06:00 New York, Tuesday to Saturday; exchange holidays are skipped. Switch it on here.",
)
def nightly_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for one run per session."""
    date = context.scheduled_execution_time.date()
    reason = reason_to_skip(date, new_york_calendar())
    return dg.SkipReason(reason) if reason else dg.RunRequest(run_key=f"nightly-{date}")
