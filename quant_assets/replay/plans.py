"""The vendor's plans: what a key may ask for and how often."""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.replay.notices import Notice

__all__ = ["CallLimiter", "Plan", "parse_plan"]

_FREE_CALLS_PER_DAY = 25
_FREE_CALLS_PER_SECOND = 1
_PREMIUM_CALLS_PER_SECOND = 30
"""Ceiling of every premium key, as its notice says."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Limits of a plan; None means no such limit."""

    name: str
    calls_per_day: int | None = None
    calls_per_minute: int | None = None
    calls_per_second: int | None = None
    is_premium: bool = True


def parse_plan(name: str) -> Plan:
    """Plan named ``free``, ``unlimited`` or by its requests a minute, such as ``75``.

    Raises
    ------
    ConfigurationError
        For any other name.
    """
    if name == "unlimited":
        return Plan(name)
    if name == "free":
        return Plan(name, calls_per_day=_FREE_CALLS_PER_DAY, calls_per_second=_FREE_CALLS_PER_SECOND, is_premium=False)
    if re.fullmatch(r"[1-9][0-9]{0,4}", name):
        return Plan(name, calls_per_minute=int(name), calls_per_second=_PREMIUM_CALLS_PER_SECOND)
    raise ConfigurationError(f"the plan {name!r} is not known; write free, unlimited or requests a minute such as 75")


class CallLimiter:
    """Counts calls of each key and says which of them come too often.

    Every call counts towards the day, refused ones included (the vendor documents neither; this is the strict
    reading). Only answered calls count towards the second and the minute, both of them sliding windows.

    Parameters
    ----------
    plan : Plan
    monotonic : callable
        Seconds from any origin; never goes back.
    """

    def __init__(self, plan: Plan, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self._monotonic = monotonic
        self._used_today: dict[tuple[str, dt.date], int] = defaultdict(int)
        self._answered_at: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def refuse(self, key_hash: str, day: dt.date) -> Notice | None:
        """Count one call and return the notice that refuses it, or None where it may be answered.

        Parameters
        ----------
        key_hash : str
            The key, hashed.
        day : date
            Day the call counts towards.
        """
        plan = self._plan
        if plan.calls_per_second is None:
            return None
        with self._lock:
            self._used_today[key_hash, day] += 1
            if plan.calls_per_day is not None and self._used_today[key_hash, day] > plan.calls_per_day:
                return Notice.DAILY_QUOTA
            now = self._monotonic()
            answered = self._answered_at[key_hash]
            while answered and answered[0] <= now - 60.0:
                answered.popleft()
            if sum(at > now - 1.0 for at in answered) >= plan.calls_per_second:
                return Notice.BURST if plan.is_premium else Notice.FREE_THROTTLE
            if plan.calls_per_minute is not None and len(answered) >= plan.calls_per_minute:
                return Notice.MINUTE_CAP
            answered.append(now)
        return None
