"""What a plan allows: calls a day, distance between calls, workers. And the pacer that keeps that distance.

The vendor asks for requests spread evenly over the minute and never more than 30 a second. Keeping one fixed distance
between any two calls meets the per-second limit, the per-minute limit and the wish for evenness at once; it is a
token bucket of size one. A rate-limit library would bring a dependency for these few lines.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self
from zoneinfo import ZoneInfo

from quant_assets.foundation.calendar import NEW_YORK
from quant_assets.foundation.errors import ConfigurationError

__all__ = ["FREE_CALLS_PER_DAY", "FREE_MARGIN", "Pacer", "Plan", "quota_day"]

FREE_CALLS_PER_DAY = 25
FREE_MARGIN = 2
"""Calls of the day left unused on the free plan: a browser or a second home may spend some behind our back."""
_FREE_CALLS_PER_MINUTE = 60
_CEILING_PER_SECOND = 30
_SLACK = 1.05
"""The distance between calls is stretched by this: the server counts arrivals, and the network moves them about."""
_TYPICAL_LATENCY_S = 1.5
"""A full history takes the vendor about a second; workers beyond rate times latency would only wait."""
_MOST_WORKERS = 16
_UNLIMITED_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """Limits of one plan. ``None`` means without that limit."""

    name: str
    calls_per_minute: int | None
    calls_per_day: int | None

    @classmethod
    def parse(cls, text: str | int | None) -> Self:
        """Read ``free``, requests a minute such as ``75``, or ``None`` / ``unlimited`` for the embedded source."""
        name = "unlimited" if text is None else str(text).strip().lower()
        if name == "unlimited":
            return cls(name, calls_per_minute=None, calls_per_day=None)
        if name == "free":
            return cls(name, _FREE_CALLS_PER_MINUTE, calls_per_day=FREE_CALLS_PER_DAY - FREE_MARGIN)
        if not name.isascii() or not name.isdigit() or int(name) == 0:
            raise ConfigurationError(
                f"the plan {text!r} is not known; write 'free' or the plan's requests per minute, such as 75."
            )
        return cls(name, calls_per_minute=int(name), calls_per_day=None)

    @property
    def seconds_between_calls(self) -> float:
        """Distance between two calls; 0 without a limit."""
        if self.calls_per_minute is None:
            return 0.0
        return _SLACK / min(self.calls_per_minute / 60, _CEILING_PER_SECOND)

    @property
    def workers(self) -> int:
        """Calls in flight at once: one on the free plan, else enough to use the rate."""
        if self.calls_per_minute is None:
            return _UNLIMITED_WORKERS
        if self.calls_per_day is not None:
            return 1
        return min(_MOST_WORKERS, math.ceil(_TYPICAL_LATENCY_S / self.seconds_between_calls))


class Pacer:
    """Keeps a distance between calls, across threads.

    Parameters
    ----------
    seconds_between_calls
        0 lets every call pass at once.
    clock, sleep
        Seconds that never go back, and how to let them pass; tests give both and wait for nothing.
    """

    def __init__(
        self,
        seconds_between_calls: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._distance = seconds_between_calls
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = -math.inf

    def wait(self) -> None:
        """Return when the next call may be made. Callers are served in the order in which they ask."""
        if self._distance == 0 and self._next == -math.inf:
            return
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + self._distance
        if start > now:
            self._sleep(start - now)

    def hold(self, seconds: float) -> None:
        """Let nobody start within ``seconds`` from now: after a throttle, or after another process's call."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


def quota_day(now: dt.datetime) -> dt.date:
    """The vendor's day at ``now`` (aware): the date in New York.

    When the count starts anew is documented nowhere; projects assume midnight US/Eastern or UTC. The vendor labels
    everything else US/Eastern, and the night's run at 06:00 New York lies after both.
    """
    return now.astimezone(ZoneInfo(NEW_YORK)).date()
