"""A clock that moves only when somebody sleeps."""

from __future__ import annotations

import datetime as dt
import threading

__all__ = ["FakeTime"]


class FakeTime:
    """Wall clock, monotonic clock and sleep that agree with each other; safe to share between threads."""

    def __init__(self, start: dt.datetime = dt.datetime(2024, 1, 9, 11, tzinfo=dt.UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._lock = threading.Lock()
        self.pauses: list[float] = []

    def now(self) -> dt.datetime:
        """The wall clock."""
        return self._start + dt.timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Let seconds pass at once."""
        with self._lock:
            self.pauses.append(seconds)
            self._elapsed += seconds
