"""What is known of each symbol when a night's calls are planned: how fresh it is, and which holes it has."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.market_data.ports import FetchRequest

__all__ = [
    "COMPACT_BARS",
    "DEAD_AFTER_SESSIONS",
    "STATE_SCHEMA",
    "Hole",
    "Standing",
    "SymbolState",
    "gap_after",
    "hole_after_import",
    "hole_after_reply",
    "read_states",
]

COMPACT_BARS = 100
"""Bars of a compact reply. A gap of fewer sessions is closed by one, with a stored bar to spare for comparison."""
DEAD_AFTER_SESSIONS = 5
"""A symbol is dead when the vendor, asked, had nothing newer than a bar more than this many sessions old. Fewer would
take halts of a few days for the end; late symbols arrive within one session."""

STATE_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "asset_class": pl.String(),
    "newest_date": pl.Date(),
    "oldest_date": pl.Date(),
    "last_checked_session": pl.Date(),
    "last_reply_newest": pl.Date(),
    "splits_checked_on": pl.Date(),
    "dividends_checked_on": pl.Date(),
    "has_suspect_jump": pl.Boolean(),
    "hole_from": pl.Date(),
    "hole_to": pl.Date(),
}
"""One row per symbol of the universe; all but the first two columns may be null.

``newest_date`` and ``oldest_date`` are of the stored bars, ``last_reply_newest`` of the last answer with prices.
``last_checked_session``, ``splits_checked_on`` and ``dividends_checked_on`` are the last finished session by the
source's clock when that answer came (a session, not the date of the clock: a split of the next session would be taken
for seen). The hole is as in :class:`Hole`."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Sessions of one symbol that compact replies cannot reach: ``start`` to ``end``, both included.

    ``start`` is ``None`` where the hole reaches back to the symbol's beginning, wherever that is.
    """

    symbol: str
    start: dt.date | None
    end: dt.date

    @property
    def advice(self) -> str:
        """One sentence: what is missing and how to fill it."""
        reach = f"before and on {self.end}" if self.start is None else f"from {self.start} to {self.end}"
        return (
            f"{self.symbol} has no bars {reach}, and this key's plan refuses the full history: "
            "fill the hole with `quant import-prices FILE`."
        )


class Standing(StrEnum):
    """How fresh a symbol's prices are."""

    NEVER = "never_fetched"
    CURRENT = "current"
    BEHIND = "behind"
    LATE = "late"
    """Asked for the newest session already, and the vendor did not have its bar yet."""
    DEAD = "dead"
    """The vendor's data ended sessions ago; not asked for the newest session yet."""
    DORMANT = "dormant"
    """Dead, and asked for the newest session already."""


@dataclass(frozen=True, slots=True)
class SymbolState:
    """One row of ``STATE_SCHEMA``."""

    symbol: str
    asset_class: str
    newest_date: dt.date | None
    oldest_date: dt.date | None
    last_checked_session: dt.date | None
    last_reply_newest: dt.date | None
    splits_checked_on: dt.date | None
    dividends_checked_on: dt.date | None
    has_suspect_jump: bool | None
    hole_from: dt.date | None
    hole_to: dt.date | None

    @property
    def hole(self) -> Hole | None:
        """The recorded hole."""
        return None if self.hole_to is None else Hole(self.symbol, self.hole_from, self.hole_to)

    def standing(self, session: dt.date, calendar: TradingCalendar) -> Standing:
        """How fresh the symbol is when ``session`` is the last finished one."""
        newest, checked = self.newest_date, self.last_checked_session
        if newest is None:
            return Standing.NEVER
        if newest >= session:
            return Standing.CURRENT
        is_asked = checked is not None and checked >= session
        # Judged when it was last asked: a machine that was off for a month does not kill its symbols.
        age = 0 if checked is None else calendar.count_between(newest, checked)
        if self.last_reply_newest == newest and age > DEAD_AFTER_SESSIONS:
            return Standing.DORMANT if is_asked else Standing.DEAD
        return Standing.LATE if is_asked else Standing.BEHIND

    def sessions_behind(self, session: dt.date, calendar: TradingCalendar) -> int:
        """Sessions without news: since the newest bar, or since the last question where the symbol is dead."""
        standing = self.standing(session, calendar)
        since = self.last_checked_session if standing in {Standing.DEAD, Standing.DORMANT} else self.newest_date
        return 0 if since is None else calendar.count_between(since, session)


def read_states(states: pl.DataFrame) -> list[SymbolState]:
    """Rows of ``STATE_SCHEMA`` as values, in the frame's order."""
    return [SymbolState(**row) for row in states.select(STATE_SCHEMA.keys()).iter_rows(named=True)]


def gap_after(
    reply_oldest: dt.date, stored_newest: dt.date, calendar: TradingCalendar
) -> tuple[dt.date, dt.date] | None:
    """First and last session between the newest stored bar and the oldest bar of a reply; ``None`` if there is none.

    A reply that reaches back to the stored bars, or to the session after the newest one, leaves no gap.
    """
    missing = calendar.sessions_between(stored_newest, reply_oldest)
    inside = [session for session in missing if stored_newest < session < reply_oldest]
    return (inside[0], inside[-1]) if inside else None


def hole_after_reply(
    known: Hole | None,
    request: FetchRequest,
    reply_dates: pl.Series,
    stored_newest: dt.date | None,
    calendar: TradingCalendar,
) -> Hole | None:
    """The hole that remains once a reply with prices is stored; write it to the symbol's state.

    Parameters
    ----------
    known : Hole or None
        The hole recorded before.
    request : FetchRequest
        What was asked. A full reply fills every hole: what it lacks the vendor does not have.
    reply_dates : pl.Series
        Dates of the reply's bars, in any order, at least one. A compact reply of fewer than 100 bars is the
        symbol's whole history.
    stored_newest : date or None
        Newest bar stored before the reply.
    calendar : TradingCalendar
        Sessions.
    """
    if request.outputsize == "full" or len(reply_dates) < COMPACT_BARS:
        return None if request.outputsize == "full" or stored_newest is None else known
    oldest = reply_dates.min()
    if not isinstance(oldest, dt.date):
        return known
    if stored_newest is None:
        return Hole(request.symbol, None, calendar.session_on_or_before(oldest - dt.timedelta(days=1)))
    gap = gap_after(oldest, stored_newest, calendar)
    if gap is None:
        return known
    start = gap[0] if known is None else known.start and min(known.start, gap[0])
    return Hole(request.symbol, start, gap[1])


def hole_after_import(known: Hole | None, imported_dates: pl.Series, calendar: TradingCalendar) -> Hole | None:
    """The hole that remains once a file's bars are stored.

    Parameters
    ----------
    known : Hole or None
        The hole recorded before.
    imported_dates : pl.Series
        Dates of the file's bars for this symbol, at least one. The file is taken to be whole between its ends. A hole
        without a start is filled by any file that reaches its end: how far back to go is the person's choice.
    calendar : TradingCalendar
        Sessions.
    """
    first, last = imported_dates.min(), imported_dates.max()
    if known is None or not isinstance(first, dt.date) or not isinstance(last, dt.date):
        return known
    if last >= known.end:
        if known.start is None or first <= known.start:
            return None
        before = calendar.session_on_or_before(first - dt.timedelta(days=1))
        return Hole(known.symbol, known.start, min(before, known.end))
    if known.start is not None and first <= known.start <= last:
        return Hole(known.symbol, calendar.shift(last, 1), known.end)
    return known
