"""Text to typed columns: dates, numbers and volumes, where a value that cannot be read is an error, never a null.

The vendor prints a value that it does not have as ``None``, ``null``, ``-`` or ``n/a``; those become null. Whole
columns are cast at once; only where that fails are values read one by one, to tolerate the sentinels and to name
the value that is wrong.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import re
from collections.abc import Sequence

import polars as pl

from quant_assets.foundation.errors import UnrecognisedReplyError

__all__ = ["date_column", "float_column", "integer_column", "is_missing"]

_SENTINELS = frozenset({"", "none", "null", "-", "n/a"})
_LARGEST = 2**63
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def is_missing(value: str | None) -> bool:
    """Whether the vendor printed that it has no value."""
    return value is None or value.strip().lower() in _SENTINELS


def date_column(name: str, values: Sequence[str | None]) -> pl.Series:
    """Dates written as ``2024-01-31``; a missing one is null, a time of day or anything else is an error."""
    text = pl.Series(name, values, dtype=pl.String)
    try:
        if text.null_count() == 0 and text.str.contains(f"^{_ISO_DATE.pattern}$").all():
            return text.str.to_date("%Y-%m-%d", strict=True)
    except pl.exceptions.PolarsError:
        pass
    return pl.Series(name, [_date(name, value) for value in values], dtype=pl.Date)


def float_column(name: str, values: Sequence[str | None]) -> pl.Series:
    """Finite numbers; a missing one is null."""
    try:
        numbers = pl.Series(name, values, dtype=pl.String).cast(pl.Float64, strict=True)
        if numbers.null_count() == 0 and numbers.is_finite().all():
            return numbers
    except pl.exceptions.PolarsError:
        pass
    return pl.Series(name, [_number(name, value) for value in values], dtype=pl.Float64)


def integer_column(name: str, values: Sequence[str | None]) -> pl.Series:
    """Whole numbers; decimals, which some symbols carry in their volume, are rounded; a missing one is null."""
    try:
        numbers = pl.Series(name, values, dtype=pl.String).cast(pl.Int64, strict=True)
        if numbers.null_count() == 0:
            return numbers
    except pl.exceptions.PolarsError:
        pass
    return pl.Series(name, [_whole(name, value) for value in values], dtype=pl.Int64)


def _date(name: str, value: str | None) -> dt.date | None:
    if value is None or is_missing(value):
        return None
    with contextlib.suppress(ValueError):
        if _ISO_DATE.fullmatch(value.strip()):
            return dt.date.fromisoformat(value.strip())
    raise UnrecognisedReplyError(f"{name} {value!r} in the reply is no date; nothing of it was kept.")


def _number(name: str, value: str | None) -> float | None:
    if value is None or is_missing(value):
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in value:
        raise UnrecognisedReplyError(f"{name} {value!r} in the reply is no number; nothing of it was kept.")
    return number


def _whole(name: str, value: str | None) -> int | None:
    if value is None or is_missing(value):
        return None
    text = value.strip()
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit():
        whole = int(text)
    else:
        number = _number(name, value)
        whole = 0 if number is None else round(number)
    if not -_LARGEST <= whole < _LARGEST:
        raise UnrecognisedReplyError(f"{name} {value!r} in the reply is too large; nothing of it was kept.")
    return whole
