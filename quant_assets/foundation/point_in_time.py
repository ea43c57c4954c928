"""What was known when: read-only views for whoever decides, and the tools that prove nobody looked ahead.

A decision on the close of session t may use rows dated t or before and, where rows carry the instant at which they
became known, only those known by then. :class:`KnownFrame` serves tables like that, :func:`past` serves arrays.
:func:`corrupted_after` makes the opposite on purpose, a history whose future is wrong; whatever is dated t must come
out identical on both. The simulator alone sees the session in which an order is filled.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.foundation.errors import UsageError

__all__ = ["KnownFrame", "corrupted_after", "past", "read_only"]


@dataclass(frozen=True, slots=True)
class KnownFrame:
    """A table that only answers with rows known at a stated time.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows dated by session.
    date_column : str
        The session a row is about (Date).
    known_column : str
        Instant at which the row became known (Datetime in UTC), such as ``first_seen_at``; empty where the session
        alone decides.
    """

    frame: pl.DataFrame
    date_column: str = "date"
    known_column: str = ""

    def __post_init__(self) -> None:
        needed = [name for name in (self.date_column, self.known_column) if name]
        if missing := [name for name in needed if name not in self.frame.columns]:
            raise UsageError(f"a point-in-time view needs the columns {missing}; the frame has {self.frame.columns}")

    def at(self, session: dt.date, known_by: dt.datetime | None = None) -> pl.DataFrame:
        """Rows dated ``session`` or before and known by ``known_by`` (aware), in the stored order.

        A row without an instant is not served where one is asked for: nobody can say that it was known.

        Raises
        ------
        UsageError
            Where ``known_by`` is given but the table has no such column, has none where the table needs one, or is
            without a time zone.
        """
        if bool(self.known_column) != (known_by is not None):
            raise UsageError(
                "say by when rows must be known exactly where the table records it "
                f"(column {self.known_column or 'none'!r}, known_by {known_by})"
            )
        visible = pl.col(self.date_column) <= session
        if known_by is not None:
            if known_by.tzinfo is None:
                raise UsageError("known_by has no time zone; use UTC")
            visible &= pl.col(self.known_column) <= known_by
        return self.frame.filter(visible)


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A view of ``array`` that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


def past(array: npt.NDArray[Any], position: int) -> npt.NDArray[Any]:
    """Read-only rows 0 to ``position`` inclusive of an array whose first axis is time: what that session's close knew.

    Raises
    ------
    UsageError
        Where ``position`` lies outside the array.
    """
    if not 0 <= position < len(array):
        raise UsageError(f"session {position} lies outside the history of {len(array)} sessions")
    # A copy, not a view: from a view, ``.base`` would lead to the future.
    return read_only(array[: position + 1].copy())


def corrupted_after(
    frame: pl.DataFrame, session: dt.date, *, rng: np.random.Generator, date_column: str = "date"
) -> pl.DataFrame:
    """``frame`` with every float after ``session`` multiplied by a random factor from 0.2 to 5.

    The dates, the number of rows and everything dated ``session`` or before stay as they are. Whatever claims not to
    look ahead must give identical values up to ``session`` on both frames.
    """
    floats = [name for name, kind in frame.schema.items() if kind.is_float()]
    factors = {name: pl.Series(np.exp(rng.uniform(np.log(0.2), np.log(5.0), frame.height))) for name in floats}
    later = pl.col(date_column) > session
    return frame.with_columns(
        pl.when(later).then(pl.col(name) * factor).otherwise(pl.col(name)).alias(name)
        for name, factor in factors.items()
    )
