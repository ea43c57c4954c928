"""Dates that people give on the command line."""

from __future__ import annotations

import datetime as dt

from quant_assets.foundation.errors import UsageError

__all__ = ["named_date", "optional_date"]


def named_date(text: str, option: str) -> dt.date:
    """The date that an option gives; UsageError in one sentence where it is none."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is not a date; write it as 2013-03-01.") from None


def optional_date(text: str | None, option: str) -> dt.date | None:
    """The same of an option that may be left out."""
    return None if text is None else named_date(text, option)
