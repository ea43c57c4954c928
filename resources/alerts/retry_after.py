"""The header by which a server asks to be left alone."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime

__all__ = ["retry_after_seconds"]

_LONGEST = 24 * 3600.0


def retry_after_seconds(value: object, now: dt.datetime | None = None) -> float | None:
    """Seconds named by ``Retry-After`` (a number or a date), at most a day; None where it names none.

    Parameters
    ----------
    value : object
        The header, a list of its values, or None.
    now : datetime, optional
        Wall clock (aware) that a date is compared with.
    """
    text = str(value[0] if isinstance(value, list) and value else value).strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST)
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if when.tzinfo is None:
        return None
    seconds = (when - (now or dt.datetime.now(dt.UTC))).total_seconds()
    return min(max(seconds, 0.0), _LONGEST)
