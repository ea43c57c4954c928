"""When models are fitted: on fixed calendar dates, so that a longer history changes no earlier model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby

__all__ = ["MINIMUM_SESSIONS", "RefitEvery", "model_version_name", "refit_blocks", "refit_date"]

MINIMUM_SESSIONS = 500
"""Sessions that a model needs to be fitted on, and a series to be labelled by one; below, the threshold rule labels."""


class RefitEvery(StrEnum):
    """How often a model is fitted again."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


def refit_date(session: dt.date, every: RefitEvery) -> dt.date:
    """First day of the calendar period of ``session``: its model knows the sessions before that day."""
    match every:
        case RefitEvery.MONTH:
            return session.replace(day=1)
        case RefitEvery.QUARTER:
            return session.replace(month=(session.month - 1) // 3 * 3 + 1, day=1)
        case RefitEvery.YEAR:
            return session.replace(month=1, day=1)


def refit_blocks(dates: Sequence[dt.date], first: int, every: RefitEvery) -> list[tuple[dt.date, int, int]]:
    """Rows from ``first`` on by refit date: date, first row, one past the last row."""
    blocks = []
    for effective_from, rows in groupby(range(first, len(dates)), key=lambda row: refit_date(dates[row], every)):
        members = list(rows)
        blocks.append((effective_from, members[0], members[-1] + 1))
    return blocks


def model_version_name(kind: str, effective_from: dt.date, every: RefitEvery) -> str:
    """Such as ``regime-market-2008-09`` or ``regime-symbols-2008``."""
    period = f"{effective_from:%Y}" if every is RefitEvery.YEAR else f"{effective_from:%Y-%m}"
    return f"regime-{kind}-{period}"
