"""How fresh a symbol is, and which holes replies and files leave."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.market_data.fetch_state import (
    STATE_SCHEMA,
    Hole,
    Standing,
    gap_after,
    hole_after_import,
    hole_after_reply,
    read_states,
)
from quant_assets.market_data.ports import FetchRequest, VendorFunction

SESSION = dt.date(2013, 3, 1)
COMPACT = FetchRequest("X", VendorFunction.DAILY, "compact")
FULL = FetchRequest("X", VendorFunction.DAILY, "full")


def state_of(**known):
    row = {"symbol": "X", "asset_class": "equity"} | known
    return read_states(pl.DataFrame([row], schema=STATE_SCHEMA))[0]


def dates_of(calendar, end: dt.date, count: int) -> pl.Series:
    return pl.Series([calendar.shift(end, -n) for n in range(count)])


@pytest.mark.parametrize(
    ("newest", "checked", "reply_newest", "standing"),
    [
        (None, None, None, Standing.NEVER),
        (0, None, None, Standing.CURRENT),
        (1, 1, 1, Standing.BEHIND),
        (1, 0, 1, Standing.LATE),
        (30, 30, 30, Standing.BEHIND),
        (5, 0, 5, Standing.LATE),
        (6, 0, 6, Standing.DORMANT),
        (30, 1, 30, Standing.DEAD),
        (30, 0, 30, Standing.DORMANT),
        (30, 0, 20, Standing.LATE),
    ],
)
def test_standing(calendar, newest, checked, reply_newest, standing):
    """A symbol is dead when the vendor, asked, had only what is stored and that ended over five sessions before."""
    newest, checked, reply_newest = (
        None if back is None else calendar.shift(SESSION, -back) for back in (newest, checked, reply_newest)
    )
    state = state_of(newest_date=newest, last_checked_session=checked, last_reply_newest=reply_newest)
    assert state.standing(SESSION, calendar) is standing


def test_dead_symbols_are_stale_since_they_were_asked(calendar):
    """A dead symbol's staleness counts from the last question, so it does not crowd out the living."""
    ended, asked = calendar.shift(SESSION, -300), calendar.shift(SESSION, -2)
    dead = state_of(newest_date=ended, last_reply_newest=ended, last_checked_session=asked)
    assert dead.sessions_behind(SESSION, calendar) == 2
    assert state_of(newest_date=ended).sessions_behind(SESSION, calendar) == 300


def test_gap_after_a_reply(calendar):
    """The gap holds the sessions strictly between the stored bar and the reply, weekends and holidays apart."""
    friday, monday, tuesday = dt.date(2013, 1, 18), dt.date(2013, 1, 21), dt.date(2013, 1, 22)
    assert not calendar.is_session(monday)
    assert gap_after(tuesday, friday, calendar) is None
    assert gap_after(friday, tuesday, calendar) is None
    assert gap_after(dt.date(2013, 1, 25), friday, calendar) == (tuesday, dt.date(2013, 1, 24))


def test_first_compact_reply_leaves_the_past_open(calendar):
    """A full hundred bars on a symbol never fetched leave a hole before the oldest; fewer are its whole history."""
    hundred = dates_of(calendar, SESSION, 100)
    hole = hole_after_reply(None, COMPACT, hundred, None, calendar)
    assert hole == Hole("X", None, calendar.shift(SESSION, -100))
    assert hole_after_reply(None, COMPACT, hundred.head(60), None, calendar) is None
    assert "quant import-prices FILE" in hole.advice


def test_compact_reply_behind_a_gap_leaves_a_hole(calendar):
    """What lies between the stored bars and the reply is a hole, joined to one known before."""
    hundred, newest = dates_of(calendar, SESSION, 100), calendar.shift(SESSION, -150)
    hole = hole_after_reply(None, COMPACT, hundred, newest, calendar)
    assert hole == Hole("X", calendar.shift(newest, 1), calendar.shift(SESSION, -100))
    older = Hole("X", calendar.shift(SESSION, -400), calendar.shift(SESSION, -390))
    assert hole_after_reply(older, COMPACT, hundred, newest, calendar) == Hole("X", older.start, hole.end)
    endless = Hole("X", None, older.end)
    assert hole_after_reply(endless, COMPACT, hundred, newest, calendar) == Hole("X", None, hole.end)


def test_full_reply_fills_every_hole(calendar):
    """What a full reply lacks the vendor does not have; a compact one that connects changes nothing."""
    hundred, newest = dates_of(calendar, SESSION, 100), calendar.shift(SESSION, -3)
    known = Hole("X", None, calendar.shift(SESSION, -100))
    assert hole_after_reply(known, FULL, hundred, newest, calendar) is None
    assert hole_after_reply(known, COMPACT, hundred, newest, calendar) == known


def test_imported_files_fill_holes(calendar):
    """A file that spans the hole fills it, one that spans an end shortens it, one elsewhere changes nothing."""
    hole = Hole("X", calendar.shift(SESSION, -200), calendar.shift(SESSION, -150))

    def imported(oldest: int, newest: int) -> pl.Series:
        return pl.Series([calendar.shift(SESSION, -oldest), calendar.shift(SESSION, -newest)])

    assert hole_after_import(hole, imported(300, 100), calendar) is None
    assert hole_after_import(hole, imported(180, 100), calendar) == Hole("X", hole.start, calendar.shift(SESSION, -181))
    assert hole_after_import(hole, imported(300, 160), calendar) == Hole("X", calendar.shift(SESSION, -159), hole.end)
    assert hole_after_import(hole, imported(100, 50), calendar) == hole
    assert hole_after_import(hole, imported(400, 300), calendar) == hole
    assert hole_after_import(Hole("X", None, hole.end), imported(170, 100), calendar) is None
    assert hole_after_import(None, imported(300, 100), calendar) is None
