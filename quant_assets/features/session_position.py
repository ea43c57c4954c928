"""Stored columns of version 2 about the session itself.

Functions are columns, as in ``indicators``. The exchange announces its sessions years ahead, so knowing that this one
is the last of its week or month looks at no price. Closings at a day's notice are in the calendar as they happened.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from quant_assets.features.windows import Floats
from quant_assets.foundation.calendar import new_york_calendar

__all__ = ["is_month_end", "is_week_end"]

_THURSDAY = 3
"""Days from Monday to 1970-01-01, which is day 0."""


def is_month_end(date: npt.NDArray[np.int32]) -> Floats:
    """1 on the last session of a month, else 0; unknown outside the calendar (1990 to next year)."""
    sessions, last_of_month, _ = _sessions()
    known = (date >= sessions[0]) & (date <= last_of_month[-1])
    return np.where(known, np.isin(date, last_of_month).astype(np.float64), np.nan)


def is_week_end(date: npt.NDArray[np.int32]) -> Floats:
    """1 on the last session of a week from Monday on, else 0; unknown outside the calendar (1990 to next year)."""
    sessions, _, last_of_week = _sessions()
    known = (date >= sessions[0]) & (date <= last_of_week[-1])
    return np.where(known, np.isin(date, last_of_week).astype(np.float64), np.nan)


@lru_cache(maxsize=1)
def _sessions() -> tuple[npt.NDArray[np.int64], ...]:
    """Days since 1970 of all sessions, and of the last one of each month and of each week that the calendar holds."""
    sessions = new_york_calendar().sessions
    days = sessions.astype(np.int64)
    periods = (sessions.astype("datetime64[M]").astype(np.int64), (days + _THURSDAY) // 7)
    # The calendar may end inside a period, whose last session is then unknown.
    return days, *(days[:-1][period[:-1] != period[1:]] for period in periods)
