"""Turning the text of a price file into bars, and saying of each line that will not do why not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from quant_assets.foundation.calendar import CALENDAR_START, TradingCalendar
from quant_assets.market_data.price_file_columns import FileLayout
from quant_assets.market_data.price_file_rejects import Reject
from quant_assets.market_data.price_file_text import RawTable

__all__ = ["NUMBER_FIELDS", "Rejects", "find_impossible_rows", "parse_dates", "parse_numbers"]

_PRICES = ("open", "high", "low", "close")
_OPTIONAL = ("adjusted_close", "dividend_amount", "split_coefficient")
NUMBER_FIELDS = (*_PRICES, "volume", *_OPTIONAL)
_EMPTY = ("", "null", "none", "nan", "n/a", "na", "-")
_THOUSANDS = r"^[-+]?\d{1,3}([,\s'\u00a0\u202f]\d{3})+(\.\d*)?$"
_LARGEST = 1e15
"""Beyond this a volume or price is an error, and no longer exact as a number of 64 bits."""


@dataclass(slots=True)
class Rejects:
    """Collects what is wrong, with the lines of the file."""

    raw: RawTable
    found: list[Reject] = field(default_factory=list)

    def add(self, mask: pl.Series, column: str, reason: str) -> None:
        """Reject the rows where ``mask`` is true for the value of ``column`` (a name of the file, or empty)."""
        rows = mask.fill_null(value=False).arg_true().to_numpy()
        values: Iterable[object] = self.raw.frame[column][rows] if column else [""] * len(rows)
        self.found.extend(
            Reject(int(line), column, "" if value is None else str(value), reason)
            for line, value in zip(self.raw.lines[rows], values, strict=True)
        )

    def sorted(self) -> list[Reject]:
        """All rejects in the order of the file."""
        return sorted(self.found, key=lambda reject: (reject.line, reject.column))


def parse_numbers(raw: RawTable, layout: FileLayout, rejects: Rejects) -> pl.DataFrame:
    """Prices, volume and what optional columns there are, as floats; empty values are null.

    ``null``, ``nan``, ``n/a`` and a dash count as empty. Thousands separators, decimal commas and units are rejected:
    which of the two a comma is cannot be known.
    """
    parsed = {}
    for name in NUMBER_FIELDS:
        if name not in layout.columns:
            parsed[name] = pl.Series(name, [None] * raw.frame.height, dtype=pl.Float64)
            continue
        column = layout.columns[name]
        given = raw.frame[column]
        if given.dtype.is_numeric():
            values = given.cast(pl.Float64)
            values = values.set(values.is_nan().fill_null(value=False), None)
        else:
            text = given.cast(pl.String).str.strip_chars()
            is_empty = text.str.to_lowercase().is_in(_EMPTY) | text.is_null()
            values = text.cast(pl.Float64, strict=False)
            has_thousands = text.str.contains(_THOUSANDS)
            rejects.add(has_thousands, column, "it has a thousands separator; write 1234.56")
            rejects.add(values.is_null() & ~is_empty & ~has_thousands, column, "it is not a number such as 1234.56")
            values = values.set(is_empty, None)
        rejects.add(values.abs() > _LARGEST, column, "it is too large")
        parsed[name] = values.alias(name)
    return pl.DataFrame(parsed)


def parse_dates(raw: RawTable, layout: FileLayout, rejects: Rejects) -> pl.Series:
    """Dates written 2020-01-31, 20200131, or with a time after them; dates and instants of Parquet as they are."""
    column = layout.columns["date"]
    given = raw.frame[column]
    if given.dtype == pl.Date or isinstance(given.dtype, pl.Datetime):
        return given.cast(pl.Date).alias("date") if given.dtype == pl.Date else given.dt.date().alias("date")
    text = given.cast(pl.String).str.strip_chars()
    day = pl.when(text.str.contains(r"^\d{4}-\d{2}-\d{2}[ T]")).then(text.str.slice(0, 10)).otherwise(text)
    dates = pl.select(
        pl.coalesce(day.str.to_date("%Y-%m-%d", strict=False), day.str.to_date("%Y%m%d", strict=False)).alias("date")
    ).to_series()
    rejects.add(dates.is_null(), column, "it is not a date such as 2020-01-31")
    return dates


def find_impossible_rows(
    bars: pl.DataFrame, layout: FileLayout, rejects: Rejects, last_session: dt.date, calendar: TradingCalendar
) -> None:
    """Reject rows that cannot be a bar of the exchange up to ``last_session``.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date and ``NUMBER_FIELDS``, in the order of the raw table.
    layout : FileLayout
        The file's names of the fields.
    rejects : Rejects
        Takes what is found.
    last_session : date
        Last finished session by the source's clock.
    calendar : TradingCalendar
        Sessions.
    """
    date, date_column = bars["date"], layout.columns["date"]
    is_future = date > last_session
    is_early = date < CALENDAR_START
    rejects.add(is_future, date_column, f"it lies in the future; the last finished session is {last_session}")
    rejects.add(is_early, date_column, f"it lies before {CALENDAR_START}, where the calendar starts")
    is_session = pl.Series(np.isin(date.fill_null(CALENDAR_START).to_numpy(), calendar.sessions)) | date.is_null()
    rejects.add(~is_session & ~is_future & ~is_early, date_column, "the exchange was closed on that day")
    rejects.add(
        bars.select("symbol", "date").is_duplicated() & date.is_not_null(),
        date_column,
        "the file has more than one row of this symbol and day",
    )
    for name in _PRICES:
        # A value that is no number has been rejected already.
        is_empty = bars[name].is_null() & ~_is_rejected(bars.height, layout.columns[name], rejects)
        rejects.add(is_empty, layout.columns[name], "the price is missing")
    for name in (*_PRICES, "adjusted_close"):
        rejects.add(bars[name] <= 0, layout.columns.get(name, ""), "a price is above 0")
    for name in ("volume", "dividend_amount", "split_coefficient"):
        rejects.add(bars[name] < 0, layout.columns.get(name, ""), "it is below 0")
    low, high = layout.columns["low"], layout.columns["high"]
    rejects.add(bars["high"] < bars["low"], high, f"the {high} is below the {low}")


def _is_rejected(height: int, column: str, rejects: Rejects) -> pl.Series:
    lines = [reject.line for reject in rejects.found if reject.column == column]
    return pl.Series(np.isin(rejects.raw.lines, lines)) if lines else pl.repeat(value=False, n=height, eager=True)
