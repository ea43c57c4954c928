"""The clock of a replay: a movable "today" that stands still between moves."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from quant_assets.foundation.errors import UsageError

__all__ = ["NEW_YORK", "ReplayClock"]

NEW_YORK = ZoneInfo("America/New_York")
_MORNING = dt.time(6)
"""New York time of the morning pull: the session before is final by then."""
_FINAL_AT = dt.time(20)
"""New York time from which the bar of the day is final: four hours after the regular close."""


class ReplayClock:
    """An aware instant in UTC that moves only when told to.

    Parameters
    ----------
    now : datetime
        Aware; any zone.

    Raises
    ------
    UsageError
        Where an instant has no time zone.
    """

    def __init__(self, now: dt.datetime) -> None:
        self._now = _utc(now)

    @classmethod
    def after(cls, session: dt.date) -> ReplayClock:
        """A clock at 06:00 New York time on the morning after ``session``, when its bars are final."""
        return cls(_morning_after(session))

    def now(self) -> dt.datetime:
        """The instant the clock stands at, in UTC."""
        return self._now

    def move_to(self, when: dt.date | dt.datetime) -> None:
        """Stand at an aware instant, or on the morning after a date (forwards or back)."""
        self._now = _utc(when) if isinstance(when, dt.datetime) else _morning_after(when)

    @property
    def local(self) -> dt.datetime:
        """The instant in New York."""
        return self._now.astimezone(NEW_YORK)

    @property
    def final_date(self) -> dt.date:
        """Newest date whose session, if it is one, is over and final."""
        local = self.local
        return local.date() if local.time() >= _FINAL_AT else local.date() - dt.timedelta(days=1)


def _utc(when: dt.datetime) -> dt.datetime:
    if when.tzinfo is None:
        raise UsageError(f"the replay clock cannot stand at {when} without a time zone; give an aware datetime")
    return when.astimezone(dt.UTC)


def _morning_after(session: dt.date) -> dt.datetime:
    morning = dt.datetime.combine(session + dt.timedelta(days=1), _MORNING, tzinfo=NEW_YORK)
    return morning.astimezone(dt.UTC)
