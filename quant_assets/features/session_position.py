"""Stored columns of version 2 about the session itself.

Functions are columns, as in ``indicators``. The exchange announces its sessions years ahead, so knowing that this one
is the month's last looks at no price.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from quant_assets.features.windows import Floats
from quant_assets.foundation.calendar import new_york_calendar

__all__ = ["is_month_end"]


def is_month_end(date: npt.NDArray[np.int32]) -> Floats:
    """1 on the last session of a month, else 0; unknown outside the calendar (1990 to next year)."""
    sessions, last_of_month = _sessions()
    known = (date >= sessions[0]) & (date <= sessions[-1])
    return np.where(known, np.isin(date, last_of_month).astype(np.float64), np.nan)


@lru_cache(maxsize=1)
def _sessions() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Days since 1970 of every whole month's sessions, and of the last one of each month."""
    sessions = new_york_calendar().sessions
    months = sessions.astype("datetime64[M]")
    is_last = months[:-1] != months[1:]
    whole = sessions[: np.flatnonzero(is_last)[-1] + 1]
    return whole.astype(np.int64), sessions[:-1][is_last].astype(np.int64)
