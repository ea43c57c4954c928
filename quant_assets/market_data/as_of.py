"""The session a run is for, when nobody names one.

It is the newest session, not after the source's clock, for which at least half of the live symbols have a bar. One
early symbol does not pull the run to a session that the others lack, and one late or dead symbol does not hold it back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.errors import DataError

__all__ = ["LIVE_WITHIN_SESSIONS", "default_as_of", "live_symbols"]

LIVE_WITHIN_SESSIONS = 10
"""A symbol is live while its newest bar is at most this many sessions older than the newest bar of any. Two weeks
outlast a late vendor and most halts; a dead symbol stops counting after them."""


def live_symbols(
    newest_by_symbol: Mapping[str, dt.date | None], clock_session: dt.date, calendar: TradingCalendar
) -> tuple[str, ...]:
    """Symbols whose bars have not ended, sorted.

    Parameters
    ----------
    newest_by_symbol : mapping
        Newest stored bar per symbol; ``None`` where there is none. Bars after the clock count as of the clock.
    clock_session : date
        Last finished session by the source's clock.
    calendar : TradingCalendar
        Sessions.
    """
    known = {symbol: min(newest, clock_session) for symbol, newest in newest_by_symbol.items() if newest is not None}
    if not known:
        return ()
    newest_of_all = max(known.values())
    return tuple(
        sorted(
            symbol
            for symbol, newest in known.items()
            if calendar.count_between(newest, newest_of_all) <= LIVE_WITHIN_SESSIONS
        )
    )


def default_as_of(
    newest_by_symbol: Mapping[str, dt.date | None], live: Iterable[str], clock_session: dt.date
) -> dt.date:
    """The newest session, not after ``clock_session``, for which at least half of the live symbols have a bar.

    Parameters
    ----------
    newest_by_symbol : mapping
        Newest stored bar per symbol. A symbol is taken to have a bar on every session up to it.
    live : iterable of str
        From :func:`live_symbols`.
    clock_session : date
        Last finished session by the source's clock.

    Raises
    ------
    DataError
        When no live symbol has a bar.
    """
    dates = (newest_by_symbol[symbol] for symbol in live)
    newest = sorted((min(date, clock_session) for date in dates if date is not None), reverse=True)
    if not newest:
        raise DataError("no prices are stored yet, so there is no session to run for; fetch or import some first")
    # The k-th newest date is the newest session that k symbols reach.
    return newest[(len(newest) + 1) // 2 - 1]
