"""The exchange calendar: which dates are sessions and when each one ends.

Rows of every table are dated by exchange session. The calendar is built with an explicit start of 1990,
since the library's default start moves with today's date.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import exchange_calendars
import numpy as np
import numpy.typing as npt
import pandas as pd

from quant_assets.foundation.errors import UsageError

__all__ = ["CALENDAR_START", "NEW_YORK", "TradingCalendar", "new_york_calendar"]

CALENDAR_START = dt.date(1990, 1, 1)
NEW_YORK = "America/New_York"
_SETTLING_HOURS = 4
"""Hours after the close before a vendor's bar of the session counts as finished."""


class TradingCalendar:
    """Sessions of one exchange from 1990 to about a year ahead, as a sorted array of dates."""

    def __init__(self, code: str = "XNYS") -> None:
        # The library's default end is a year after the wall clock's today.
        self._calendar = exchange_calendars.get_calendar(code, start=CALENDAR_START.isoformat())
        self.sessions: npt.NDArray[np.datetime64] = self._calendar.sessions.values.astype("datetime64[D]")

    def _position(self, date: dt.date, side: str) -> int:
        found = np.searchsorted(self.sessions, np.datetime64(date), side=side)  # type: ignore[call-overload]
        return int(found)

    def _checked(self, position: int, date: dt.date) -> dt.date:
        if not 0 <= position < len(self.sessions):
            first, last = self.sessions[0].item(), self.sessions[-1].item()
            raise UsageError(f"{date} lies outside the exchange calendar ({first} to {last}); choose a date inside it")
        session: dt.date = self.sessions[position].item()
        return session

    def is_session(self, date: dt.date) -> bool:
        """Whether the exchange was or will be open on ``date``."""
        position = self._position(date, "left")
        return position < len(self.sessions) and self.sessions[position].item() == date

    def session_on_or_before(self, date: dt.date) -> dt.date:
        """Newest session not after ``date``."""
        return self._checked(self._position(date, "right") - 1, date)

    def session_on_or_after(self, date: dt.date) -> dt.date:
        """Oldest session not before ``date``."""
        return self._checked(self._position(date, "left"), date)

    def shift(self, session: dt.date, count: int) -> dt.date:
        """The session ``count`` sessions after ``session`` (before, where negative)."""
        return self._checked(self._position(self.session_on_or_before(session), "left") + count, session)

    def count_between(self, start: dt.date, end: dt.date) -> int:
        """Number of sessions in the half-open interval ``(start, end]``; 0 where ``end <= start``."""
        return max(0, self._position(end, "right") - self._position(start, "right"))

    def sessions_between(self, start: dt.date, end: dt.date) -> list[dt.date]:
        """Sessions in the closed interval ``[start, end]``."""
        found: list[dt.date] = self.sessions[self._position(start, "left") : self._position(end, "right")].tolist()
        return found

    def close_at(self, session: dt.date) -> dt.datetime:
        """Instant (UTC) at which ``session`` closes, early closes included."""
        close: dt.datetime = self._calendar.session_close(pd.Timestamp(session)).to_pydatetime()
        return close

    def last_finished_session(self, now: dt.datetime) -> dt.date:
        """Newest session whose bar can be final at ``now`` (aware): it closed at least four hours ago.

        The bar of a running or just closed session may still change, so it is not finished.
        """
        if now.tzinfo is None:
            raise UsageError("a clock without a time zone cannot be compared with the exchange's hours")
        local_date = pd.Timestamp(now).tz_convert(NEW_YORK).date()
        session = self.session_on_or_before(local_date)
        if now < self.close_at(session) + dt.timedelta(hours=_SETTLING_HOURS):
            return self.shift(session, -1)
        return session


@lru_cache(maxsize=1)
def new_york_calendar() -> TradingCalendar:
    """The New York Stock Exchange's calendar, built once per process (about half a second)."""
    return TradingCalendar("XNYS")
