"""Replies to frames: JSON or CSV, plain or adjusted bars, splits and dividends, as declared in the room's port.

A reply is read whole or not at all: a missing column, a number that is none, two different bars of one date, or
another symbol's data is an ``UnrecognisedReplyError``. Bars with impossible prices pass, since judging them is the
quality room's work, and so do split factors as printed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.errors import EmptyReplyError
from quant_assets.market_data.ports import ACTIONS_SCHEMA, BARS_SCHEMA, FetchRequest, VendorFunction
from resources.alpha_vantage import csv_text, json_text
from resources.alpha_vantage.columns import date_column, float_column, integer_column
from resources.alpha_vantage.shapes import BAR_COLUMNS, EVENT_COLUMNS, refuse

__all__ = ["PARSER_VERSION", "Parsed", "parse_reply"]

PARSER_VERSION = "1"
"""Raised whenever the same body would give another frame."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A frame of the port's schema, sorted by date, and what was left out of it, in words."""

    frame: pl.DataFrame
    notes: tuple[str, ...] = ()


def parse_reply(
    request: FetchRequest,
    body: bytes,
    document: Mapping[str, Any] | None,
    *,
    finished: dt.date,
    calendar: TradingCalendar,
) -> Parsed:
    """Read a reply that was classified as data.

    Parameters
    ----------
    request
        What was asked for; a CSV reply does not say it.
    body, document
        The reply, and its JSON where it is JSON.
    finished
        Last finished session by the source's clock; later bars are left out and noted.
    calendar
        The exchange's sessions.

    Raises
    ------
    UnrecognisedReplyError
        Not the shape that the request calls for, or a value that cannot be read.
    EmptyReplyError
        A time series without a single bar, which is never the truth about a listed symbol.
    TransportError
        A CSV whose end is missing.
    """
    if request.function in EVENT_COLUMNS:
        is_csv = document is None
        raw = csv_text.text_columns(request, body) if is_csv else json_text.event_columns(request, document or {})
        return _events(request, raw)
    if document is None:
        clean = csv_text.clean_bars(request, body)
        columns = _typed(request, csv_text.text_columns(request, body)) if clean is None else clean
    else:
        columns = _typed(request, json_text.bar_columns(request, document, body))
        finished = min(finished, json_text.refreshed_through(document, calendar) or finished)
    return _bars(request, columns, finished)


def _typed(request: FetchRequest, raw: Mapping[str, list[str | None]]) -> dict[str, pl.Series]:
    columns = {"timestamp": date_column("timestamp", raw["timestamp"])}
    for name in BAR_COLUMNS[request.function]:
        columns[name] = integer_column(name, raw[name]) if name == "volume" else float_column(name, raw[name])
    return columns


def _bars(request: FetchRequest, columns: dict[str, pl.Series], finished: dt.date) -> Parsed:
    if columns["timestamp"].is_empty():
        raise EmptyReplyError(f"the reply for {request.symbol} holds no bars; it will be asked for again.")
    if columns["timestamp"].null_count():
        refuse(request, "has a bar without a date")
    notes: list[str] = []
    days = columns["timestamp"].to_numpy()
    if (days[1:] < days[:-1]).all():  # newest first, as the vendor sends them
        columns = {name: _reversed(column) for name, column in columns.items()}
        days = days[::-1]
    elif not (days[1:] > days[:-1]).all():
        columns = _without_repeats(request, columns, notes)
        days = columns["timestamp"].to_numpy()
    kept = int(np.searchsorted(days, np.datetime64(finished), side="right"))
    if kept < len(days):
        late = columns["timestamp"][kept:].to_list()
        which = f"the bar of {late[0]}" if len(late) == 1 else f"{len(late)} bars from {late[0]} to {late[-1]}"
        notes.append(f"left out {which}: the last finished session is {finished}")
        columns = {name: column.head(kept) for name, column in columns.items()}
    return Parsed(_with_schema(request.symbol, columns), tuple(notes))


def _reversed(column: pl.Series) -> pl.Series:
    if column.null_count():
        return column.reverse()
    # NumPy, since Polars sends a reversal through its query engine: that took as long as reading the reply.
    return pl.Series(column.name, np.ascontiguousarray(column.to_numpy()[::-1]))


def _without_repeats(request: FetchRequest, columns: dict[str, pl.Series], notes: list[str]) -> dict[str, pl.Series]:
    frame = pl.DataFrame(list(columns.values()))
    distinct = frame.unique(maintain_order=True).sort("timestamp")
    again = distinct.filter(pl.col("timestamp").is_duplicated())
    if not again.is_empty():
        refuse(request, f"has two different bars of {again['timestamp'][0]}")
    if distinct.height < frame.height:
        notes.append(f"left out {frame.height - distinct.height} bars that came twice")
    return {column.name: column for column in distinct}


def _with_schema(symbol: str, columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    """All columns of ``BARS_SCHEMA``; those that the function does not carry are null."""
    height = len(columns["timestamp"])
    known = {"date": columns["timestamp"], "symbol": pl.Series([symbol]).new_from_index(0, height), **columns}
    return pl.DataFrame(
        [
            known[name].alias(name) if name in known else pl.Series(name, [None], dtype).new_from_index(0, height)
            for name, dtype in BARS_SCHEMA.items()
        ]
    )


def _events(request: FetchRequest, raw: Mapping[str, list[str | None]]) -> Parsed:
    kind, date_name, value_name = EVENT_COLUMNS[request.function]
    notes: list[str] = []
    # Whole lines are compared, so that two distributions of one day with different payment dates stay two.
    listed = pl.DataFrame({name: pl.Series(values, dtype=pl.String) for name, values in raw.items()})
    distinct = listed.unique(maintain_order=True)
    if distinct.height < listed.height:
        notes.append(f"left out {listed.height - distinct.height} events that came twice")
    dated = pl.DataFrame(
        [
            date_column("effective_date", distinct[date_name].to_list()),
            float_column("value", distinct[value_name].to_list()),
        ]
    )
    events = dated.drop_nulls()
    if events.height < dated.height:
        notes.append(f"left out {dated.height - events.height} events without a date or a value")
    repeated = events.filter(pl.col("effective_date").is_duplicated())["effective_date"].sort()
    if not repeated.is_empty() and request.function is VendorFunction.SPLITS:
        refuse(request, f"has two different splits of {repeated[0]}")
    if not repeated.is_empty():
        notes.append(f"added up the dividends of {repeated[0]}")
        events = events.group_by("effective_date", maintain_order=True).agg(pl.col("value").sum())
    frame = events.sort("effective_date").with_columns(symbol=pl.lit(request.symbol), kind=pl.lit(kind))
    return Parsed(frame.select(pl.col(name).cast(dtype) for name, dtype in ACTIONS_SCHEMA.items()), tuple(notes))
