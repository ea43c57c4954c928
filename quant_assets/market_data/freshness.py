"""How far behind each symbol is, counted in sessions."""

from __future__ import annotations

import datetime as dt

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar

__all__ = ["sessions_behind"]


def sessions_behind(newest: pl.DataFrame, expected: dt.date, calendar: TradingCalendar) -> pl.DataFrame:
    """Symbols whose newest bar is older than the expected session.

    Parameters
    ----------
    newest : pl.DataFrame
        symbol, newest_date; null where a symbol has no bar at all.
    expected : date
        Newest finished session by the source's clock.
    calendar : TradingCalendar

    Returns
    -------
    pl.DataFrame
        symbol, newest_date, sessions_behind (null without any bar), furthest behind first.
    """
    behind = [calendar.count_between(date, expected) if date is not None else None for date in newest["newest_date"]]
    counted = newest.select("symbol", "newest_date").with_columns(pl.Series("sessions_behind", behind, dtype=pl.Int64))
    late = counted.filter(pl.col("sessions_behind").is_null() | (pl.col("sessions_behind") > 0))
    return late.sort("sessions_behind", "symbol", descending=[True, False], nulls_last=False)
