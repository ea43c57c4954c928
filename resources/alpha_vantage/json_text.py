"""JSON replies to columns of text. Every scalar of the vendor is a string; a number is tolerated."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from quant_assets.foundation.calendar import NEW_YORK, TradingCalendar
from quant_assets.market_data.ports import FetchRequest
from resources.alpha_vantage.shapes import BAR_COLUMNS, expected_columns, refuse

__all__ = ["bar_columns", "event_columns", "refreshed_through"]

_SERIES = "time series (daily)"


def bar_columns(request: FetchRequest, document: Mapping[str, Any], body: bytes) -> dict[str, list[str | None]]:
    """Columns of a daily time series, ``timestamp`` first. A date that occurs twice stays twice."""
    series = next((value for key, value in document.items() if key.strip().lower() == _SERIES), None)
    if not isinstance(series, Mapping):
        refuse(request, f"has the parts {', '.join(document)[:200]!r} and no daily time series")
    _check_symbol(request, _metadata(document).get("symbol"))
    dates, bars = list(series), list(series.values())
    keys = {_label(key): key for key in bars[0]} if bars and isinstance(bars[0], Mapping) else {}
    wanted = BAR_COLUMNS[request.function]
    if bars and not set(wanted) <= keys.keys():
        refuse(request, f"has bars of {', '.join(keys)[:200]!r} instead of {', '.join(wanted)!r}")
    if bars and body.count(b'"' + keys["open"].encode() + b'"') != len(bars):
        # JSON parsers keep the last of two equal keys; a date that comes twice must not pass unseen.
        dates, bars = _with_repeated_dates(body)
    try:
        rows = list(map(itemgetter(*(keys[name] for name in wanted)), bars)) if bars else []
    except (KeyError, TypeError):
        refuse(request, "has a bar that lacks a value")
    values = zip(*rows, strict=True) if rows else ([] for _ in wanted)
    return {"timestamp": list(dates)} | {
        name: _texts(request, column) for name, column in zip(wanted, values, strict=True)
    }


def event_columns(request: FetchRequest, document: Mapping[str, Any]) -> dict[str, list[str | None]]:
    """Columns of a list of splits or dividends."""
    rows = document.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        refuse(request, f"has the parts {', '.join(document)[:200]!r} and no list of events")
    _check_symbol(request, document.get("symbol"))
    names = list(rows[0]) if rows else list(expected_columns(request))
    if not set(expected_columns(request)) <= set(names) or any(row.keys() != set(names) for row in rows):
        refuse(request, f"has events of {', '.join(names)[:200]!r} instead of {', '.join(expected_columns(request))!r}")
    return {name: _texts(request, [row[name] for row in rows]) for name in names}


def refreshed_through(document: Mapping[str, Any], calendar: TradingCalendar) -> dt.date | None:
    """Newest date whose bar can be whole by the vendor's own stamp; ``None`` where the stamp does not say.

    ``Last Refreshed`` carries a time of day (New York) while a session is open; the bar of that day is then a part
    of one. Midnight counts as no time.
    """
    stamp = _metadata(document).get("last_refreshed")
    try:
        refreshed = dt.datetime.fromisoformat(str(stamp)).replace(tzinfo=ZoneInfo(NEW_YORK))
    except ValueError:
        return None
    if refreshed.time() == dt.time(0) or not calendar.is_session(refreshed.date()):
        return None
    is_over = refreshed >= calendar.close_at(refreshed.date())
    return refreshed.date() if is_over else refreshed.date() - dt.timedelta(days=1)


def _label(key: str) -> str:
    """``5. adjusted close`` is ``adjusted_close``."""
    return key.rpartition(". ")[2].strip().lower().replace(" ", "_")


def _metadata(document: Mapping[str, Any]) -> dict[str, Any]:
    meta = document.get("Meta Data")
    return {_label(key): value for key, value in meta.items()} if isinstance(meta, Mapping) else {}


def _check_symbol(request: FetchRequest, answered: object) -> None:
    """Refuse another symbol's data; a made-up key has been seen to get IBM's."""
    plain = str(answered).strip().upper().replace(".", "-")
    if plain != request.symbol.upper().replace(".", "-"):
        refuse(request, f"is about {str(answered)[:50]!r}")


def _texts(request: FetchRequest, values: Sequence[Any]) -> list[str | None]:
    if set(map(type, values)) <= {str}:
        return list(values)
    for value in values:
        if not isinstance(value, str | int | float | None) or isinstance(value, bool):
            refuse(request, f"has {str(value)[:50]!r} where a number should be")
    return [value if value is None or isinstance(value, str) else str(value) for value in values]


def _with_repeated_dates(body: bytes) -> tuple[list[str], list[dict[str, Any]]]:
    """Dates and bars of the series as written, repeated dates included."""
    parts: list[tuple[str, Any]] = json.loads(body, object_pairs_hook=list)
    series = next(value for key, value in parts if key.strip().lower() == _SERIES)
    return [date for date, _ in series], [dict(bar) for _, bar in series]
