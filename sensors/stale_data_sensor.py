"""Tells people when a session's prices have not come twelve hours after its close."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import dagster as dg

from quant_assets.foundation.calendar import TradingCalendar, new_york_calendar
from quant_assets.foundation.home import Home
from quant_assets.ops.alerts import raise_alerts
from quant_assets.ops.ports import Alert, AlertDetails
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.ui_links import asset_link
from quant_assets.runtime import deliver_alerts, delivery_summary
from quant_assets.settings import load_settings
from sensors.published import Published, open_published, publication_name

__all__ = [
    "LATE_AFTER_HOURS",
    "UNASKED_AFTER_HOURS",
    "Freshness",
    "Missing",
    "missing_session",
    "stale_alert",
    "stale_data_sensor",
]

LATE_AFTER_HOURS = 12
"""After the close, by the source's clock as the last run read it. The nightly run at 06:00 New York reads it 14 hours
after a regular close, so a source that has not brought the session by then is late, and the hours before are quiet."""

UNASKED_AFTER_HOURS = 18
"""After the close, by the wall clock, on a live source: the nightly run had four hours and has published nothing."""

_STANDING = "replay-"


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far a publication reaches.

    Parameters
    ----------
    as_of : date
        Its newest session.
    source : str
    source_clock : datetime
        The source's clock when the run read it.
    """

    as_of: dt.date
    source: str
    source_clock: dt.datetime

    @property
    def is_live(self) -> bool:
        """Whether time goes on at the source between runs; that of a replay stands still."""
        return not self.source.startswith(_STANDING)


@dataclass(frozen=True, slots=True)
class Missing:
    """A session that is late; ``was_asked`` says whether a run asked the source for it."""

    session: dt.date
    was_asked: bool


def missing_session(freshness: Freshness, wall: dt.datetime, calendar: TradingCalendar) -> Missing | None:
    """The session after the newest published one, where it is late.

    Parameters
    ----------
    freshness : Freshness
    wall : datetime
        Wall clock (aware); says nothing about a source whose own clock stands still, such as the embedded history.
    calendar : TradingCalendar
    """
    following = calendar.shift(freshness.as_of, 1)
    close = calendar.close_at(following)
    if freshness.source_clock >= close + dt.timedelta(hours=LATE_AFTER_HOURS):
        return Missing(following, was_asked=True)
    if freshness.is_live and wall >= close + dt.timedelta(hours=UNASKED_AFTER_HOURS):
        return Missing(following, was_asked=False)
    return None


def stale_alert(freshness: Freshness, missing: Missing, now: dt.datetime) -> Alert:
    """What people are told, once for as long as it lasts."""
    if missing.was_asked:
        why = f"{LATE_AFTER_HOURS} hours after its close {freshness.source} had not brought it."
        advice = "Look at 'quant status' (quota, breaker) and at market_data.fetch_log, then run 'quant run nightly'."
    else:
        why = f"{UNASKED_AFTER_HOURS} hours after its close no run has published it."
        advice = "See that the daemon runs and nightly_schedule is on, then run 'quant run nightly'."
    return Alert(
        alert_id=f"stale_data-{freshness.as_of}",
        kind="stale_data",
        severity="HIGH",
        subject=f"Prices end at {freshness.as_of}: the session of {missing.session} has not come",
        body=f"{why} {advice}",
        created_at=now,
        details=AlertDetails(
            figures={"newest session": str(freshness.as_of), "missing": str(missing.session)},
            link=asset_link("market_data.daily_prices"),
        ),
    )


def read_freshness(published: Published) -> Freshness | None:
    """Freshness of a publication; None where it says nothing."""
    rows = published.rows("ops.run_state", "SELECT as_of, source, source_clock FROM ops.run_state LIMIT 1")
    return Freshness(*rows.row(0)) if rows.height else None


@dg.sensor(
    name="stale_data_sensor",
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Every ten minutes: where the source had not brought a session twelve hours after its close, or no run has "
        "published it after eighteen, people are told, once. A source that stands still is never late."
    ),
)
def stale_data_sensor(_context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Raise and deliver."""
    settings = load_settings()
    home = Home(settings.home)
    if publication_name(home) is None:
        return dg.SkipReason("Nothing is published yet.")
    with open_published(home) as published:
        freshness = read_freshness(published)
    if freshness is None:
        return dg.SkipReason("The publication does not say how far it reaches.")
    now, calendar = dt.datetime.now(dt.UTC), new_york_calendar()
    missing = missing_session(freshness, now, calendar)
    if missing is None:
        return dg.SkipReason(f"No session after {freshness.as_of} is late.")
    raise_alerts(OperationsStore(home.operations), [stale_alert(freshness, missing, now)])
    return dg.SkipReason(f"{missing.session} is late; {delivery_summary(deliver_alerts(settings))}.")
