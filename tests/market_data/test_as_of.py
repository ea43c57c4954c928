"""The session a run is for."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import DataError
from quant_assets.market_data.as_of import default_as_of, live_symbols

CALENDAR = new_york_calendar()
CLOCK = dt.date(2013, 3, 1)


def back(sessions: int) -> dt.date:
    return CALENDAR.shift(CLOCK, -sessions)


def as_of(newest: dict[str, dt.date | None]) -> dt.date:
    return default_as_of(newest, live_symbols(newest, CLOCK, CALENDAR), CLOCK)


def test_half_of_the_symbols_decide():
    """With half of the symbols on the newest session the run is for it, with fewer for the one before."""
    assert as_of({"A": back(0), "B": back(0), "C": back(1), "D": back(1)}) == back(0)
    assert as_of({"A": back(0), "B": back(1), "C": back(1)}) == back(1)
    assert as_of({"A": back(0)}) == back(0)


def test_dead_symbols_do_not_vote():
    """Symbols whose bars ended over ten sessions before the newest one hold nothing back."""
    newest = {"A": back(0), "OLD": back(11), "OLDER": back(500), "NEVER": None}
    assert live_symbols(newest, CLOCK, CALENDAR) == ("A",)
    assert as_of(newest) == back(0)
    assert live_symbols(newest | {"HALTED": back(10)}, CLOCK, CALENDAR) == ("A", "HALTED")


def test_never_after_the_clock():
    """Bars dated after the clock, as an import may bring them, count as of the clock."""
    assert as_of({"A": dt.date(2018, 12, 31), "B": dt.date(2018, 12, 31)}) == CLOCK


def test_no_prices_is_an_error():
    """Without any bar there is no session to run for, and the message says so."""
    assert live_symbols({"A": None}, CLOCK, CALENDAR) == ()
    with pytest.raises(DataError, match="no prices are stored yet"):
        as_of({"A": None})


@given(st.dictionaries(st.text(min_size=1, max_size=2), st.integers(0, 30).map(back), min_size=1, max_size=9))
def test_equals_counting_session_by_session(newest):
    """The answer is that of counting, from the clock backwards, which live symbols have each session."""
    live = live_symbols(newest, CLOCK, CALENDAR)
    slow = next(
        session
        for session in map(back, range(31))
        if 2 * sum(newest[symbol] >= session for symbol in live) >= len(live)
    )
    assert as_of(newest) == slow
