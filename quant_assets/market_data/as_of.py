"""Which session a night computes for."""

from __future__ import annotations

import datetime as dt

import polars as pl

__all__ = ["default_as_of"]

_LIVE_WITHIN_SESSIONS = 10
"""A symbol without a bar in the last ten sessions of the universe is dead and does not vote."""


def default_as_of(newest: pl.DataFrame, sessions: list[dt.date]) -> dt.date | None:
    """The newest session for which at least half of the live symbols have a bar.

    Parameters
    ----------
    newest : pl.DataFrame
        symbol, newest_date (null without any bar).
    sessions : list of date
        Exchange sessions up to the newest finished one by the source's clock, ascending.

    Returns
    -------
    date or None
        None where no symbol has a bar.
    """
    allowed = sessions[-1]
    dates = newest["newest_date"].drop_nulls().clip(upper_bound=allowed).sort(descending=True)
    if dates.is_empty():
        return None
    front: dt.date = dates[0]
    recent = [session for session in sessions if session <= front][-_LIVE_WITHIN_SESSIONS:]
    live = dates.filter(dates >= recent[0])
    # Sorted descending, the bar in the middle is reached by at least half of the live symbols.
    reached: dt.date = live[(live.len() - 1) // 2]
    return reached
