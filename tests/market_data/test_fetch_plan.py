"""The cheapest calls, in order, within the budget."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import UsageError
from quant_assets.market_data.fetch_plan import plan_fetch
from quant_assets.market_data.fetch_situation import FetchSituation, FetchWish
from quant_assets.market_data.fetch_state import STATE_SCHEMA, hole_after_reply, read_states
from quant_assets.market_data.ports import FetchRequest, VendorFunction

CALENDAR = new_york_calendar()
SESSION = dt.date(2013, 3, 1)
DAILY, ADJUSTED, SPLITS, DIVIDENDS = VendorFunction
PREMIUM_KINDS = {(ADJUSTED, ""), (ADJUSTED, "full"), (ADJUSTED, "compact"), (DAILY, "full")}


def back(sessions: int, session: dt.date = SESSION) -> dt.date:
    return CALENDAR.shift(session, -sessions)


def states_of(*rows: dict) -> pl.DataFrame:
    numbered = ({"symbol": f"S{n:02d}", "asset_class": "equity"} | row for n, row in enumerate(rows))
    return pl.DataFrame(list(numbered), schema=STATE_SCHEMA)


def stored(behind: int, **more) -> dict:
    """A symbol whose bars end ``behind`` sessions ago and whose lists were read this week."""
    return {
        "newest_date": back(behind),
        "last_reply_newest": back(behind),
        "last_checked_session": back(behind),
        "splits_checked_on": back(3),
        "dividends_checked_on": back(3),
    } | more


def everything(function: VendorFunction, outputsize: str) -> bool:
    return True


def free_key(function: VendorFunction, outputsize: str) -> bool:
    return (function, outputsize) not in PREMIUM_KINDS


def premium(**more) -> FetchSituation:
    return FetchSituation(SESSION, everything, None, **more)


def free(calls_left: int = 23, **more) -> FetchSituation:
    return FetchSituation(SESSION, free_key, calls_left, **more)


def test_current_universe_needs_no_call():
    """When every newest bar is stored nothing is asked, and all calls of a naive night are saved."""
    plan = plan_fetch(states_of(stored(0), stored(0)), premium(), CALENDAR)
    assert plan.requests == ()
    assert plan.current == ("S00", "S01")
    assert (plan.naive_calls, plan.calls_saved(0)) == (2, 2)


@pytest.mark.parametrize(("behind", "size"), [(1, "compact"), (99, "compact"), (100, "full"), (2000, "full")])
def test_gap_decides_the_output_size(behind, size):
    """Compact closes a gap of under 100 sessions; beyond it takes the full history."""
    plan = plan_fetch(states_of(stored(behind)), premium(), CALENDAR)
    assert plan.requests == (FetchRequest("S00", ADJUSTED, size),)


def test_never_fetched_needs_the_full_history():
    """A new symbol is asked in full with the function that carries dividends and splits, and no list."""
    plan = plan_fetch(states_of({}), premium(), CALENDAR)
    assert plan.requests == (FetchRequest("S00", ADJUSTED, "full"),)
    assert plan.holes == ()


def test_next_best_function_is_taken():
    """With the adjusted function refused the plain one gives the history, and lists are asked for the stored symbol."""

    def plain_only(function, outputsize):
        return function is not ADJUSTED

    plan = plan_fetch(states_of({}, stored(1)), FetchSituation(SESSION, plain_only, None), CALENDAR)
    assert plan.requests == (FetchRequest("S00", DAILY, "full"), FetchRequest("S01", DAILY, "compact"))
    full_refused = FetchSituation(SESSION, lambda _, size: size != "full", None)
    plan = plan_fetch(states_of({}), full_refused, CALENDAR)
    assert plan.requests == (FetchRequest("S00", ADJUSTED, "compact"),)


def test_free_key_takes_compact_and_lists_the_hole():
    """Where full is refused compact is taken, with what it cannot reach and how to fill it."""
    plan = plan_fetch(states_of({}, stored(150), stored(100)), free(), CALENDAR)
    assert [request.outputsize for request in plan.requests] == ["compact"] * 3
    assert [(hole.symbol, hole.start, hole.end) for hole in plan.holes] == [
        ("S00", None, back(100)),
        ("S01", back(149), back(100)),
    ]
    assert all("quant import-prices FILE" in hole.advice for hole in plan.holes)


def test_recorded_hole_is_listed_until_full_is_allowed():
    """A hole of an earlier night is repeated while full is refused, and asked for once it is allowed."""
    holed = states_of(stored(0, hole_from=None, hole_to=back(100)))
    refused = plan_fetch(holed, free(), CALENDAR)
    assert refused.requests == ()
    assert [hole.end for hole in refused.holes] == [back(100)]
    allowed = plan_fetch(holed, premium(), CALENDAR)
    assert allowed.requests == (FetchRequest("S00", ADJUSTED, "full"),)
    assert allowed.holes == ()


def test_most_stale_first():
    """Never fetched comes first, then by sessions behind, then by name."""
    plan = plan_fetch(states_of(stored(1), stored(40), {}, stored(1), stored(0)), premium(), CALENDAR)
    assert [request.symbol for request in plan.requests] == ["S02", "S01", "S00", "S03"]


def test_budget_stops_the_plan():
    """Calls beyond the day's are deferred with a reason, the least stale ones first."""
    plan = plan_fetch(states_of(stored(1), stored(3), stored(2)), free(calls_left=2), CALENDAR)
    assert [request.symbol for request in plan.requests] == ["S01", "S02"]
    assert [deferred.request.symbol for deferred in plan.deferred] == ["S00"]
    assert "2 calls left" in plan.deferred[0].reason
    nothing = plan_fetch(states_of(stored(1)), free(calls_left=0), CALENDAR)
    assert nothing.requests == ()
    assert len(nothing.deferred) == 1


def test_late_symbol_is_asked_on_every_run():
    """A symbol that lacked its newest bar when asked for this session is asked again, once in a run."""
    late = states_of(stored(1, last_checked_session=SESSION))
    plan = plan_fetch(late, premium(), CALENDAR)
    request = FetchRequest("S00", ADJUSTED, "compact")
    assert (plan.requests, plan.late) == ((request,), ("S00",))
    again = plan_fetch(late, premium(attempted=frozenset({request})), CALENDAR)
    assert (again.requests, again.late) == ((), ("S00",))


def test_dead_symbol_is_asked_once_per_session():
    """A symbol whose data ended is asked with compact once for each session, however long ago it ended."""
    dead = states_of(stored(300, last_checked_session=back(1)))
    assert plan_fetch(dead, premium(), CALENDAR).requests == (FetchRequest("S00", ADJUSTED, "compact"),)
    asked = states_of(stored(300, last_checked_session=SESSION))
    plan = plan_fetch(asked, premium(), CALENDAR)
    assert (plan.requests, plan.dormant) == ((), ("S00",))


def test_suspect_jump_asks_for_splits_first():
    """A jump near a split ratio asks for the list of splits at once, before prices, on any plan."""
    states = states_of(stored(1), stored(0, has_suspect_jump=True))
    for situation in (premium(), free(calls_left=1)):
        assert plan_fetch(states, situation, CALENDAR).requests[0] == FetchRequest("S01", SPLITS)
    asked = free(attempted=frozenset({FetchRequest("S01", SPLITS)}))
    assert FetchRequest("S01", SPLITS) not in plan_fetch(states, asked, CALENDAR).requests


def test_lists_are_due_after_thirty_days():
    """Without events in the bars both lists are asked when never read or 30 days old, the oldest first."""
    states = states_of(
        stored(0, splits_checked_on=SESSION - dt.timedelta(days=30)),
        stored(0, splits_checked_on=SESSION - dt.timedelta(days=29)),
        stored(0, dividends_checked_on=None),
        stored(0, asset_class="index", splits_checked_on=None),
    )
    plan = plan_fetch(states, free(), CALENDAR)
    assert plan.requests == (FetchRequest("S02", DIVIDENDS), FetchRequest("S00", SPLITS))
    assert plan.naive_calls == 3 * 3 + 1
    assert plan_fetch(states, premium(), CALENDAR).requests == ()


def test_lists_of_the_dead_and_the_unknown_are_not_asked():
    """A dead symbol's lists do not change, and a symbol without bars has nothing to adjust."""
    dead = stored(300, last_checked_session=SESSION, splits_checked_on=back(100), dividends_checked_on=None)
    plan = plan_fetch(states_of(dead, {}), free(attempted=frozenset({FetchRequest("S01", DAILY, "compact")})), CALENDAR)
    assert plan.requests == (FetchRequest("S00", DIVIDENDS),)


def test_prices_leave_one_call_in_eight_to_due_lists():
    """In a universe larger than the budget lists still have their turn."""
    states = states_of(*(stored(1, splits_checked_on=None) for _ in range(30)))
    plan = plan_fetch(states, free(calls_left=23), CALENDAR)
    functions = [request.function for request in plan.requests]
    assert (functions.count(DAILY), functions.count(SPLITS)) == (21, 2)


def test_unproven_premium_function_is_tried_once():
    """Under a daily limit one symbol tries the function; the others follow once it answered, or take the next."""
    states = states_of(*({} for _ in range(5)))
    unknown = FetchSituation(SESSION, everything, 23)
    trial = plan_fetch(states, unknown, CALENDAR)
    assert trial.requests == (FetchRequest("S00", ADJUSTED, "full"),)
    assert trial.deferred == ()
    proven = FetchSituation(SESSION, everything, 22, frozenset({(ADJUSTED, "full")}), frozenset(trial.requests))
    assert len(plan_fetch(states, proven, CALENDAR).requests) == 4
    assert len(plan_fetch(states, premium(), CALENDAR).requests) == 5


def test_wish_narrows_the_symbols():
    """Only the wished symbols are fetched; one outside the universe is refused by name."""
    states = states_of(stored(1), stored(1))
    plan = plan_fetch(states, premium(), CALENDAR, FetchWish(symbols=("S01",)))
    assert [request.symbol for request in plan.requests] == ["S01"]
    with pytest.raises(UsageError, match="'NOPE' is not in the universe"):
        plan_fetch(states, premium(), CALENDAR, FetchWish(symbols=("NOPE",)))


def test_backfill_asks_whatever_is_stored():
    """A wished output size or span is asked for current symbols too, with the smallest reply that reaches the start."""
    states = states_of(stored(0))

    def size(**wish) -> str:
        return plan_fetch(states, premium(), CALENDAR, FetchWish(**wish)).requests[0].outputsize

    assert size(outputsize="full") == "full"
    assert size(outputsize="compact") == "compact"
    assert size(start=back(99)) == "compact"
    assert size(start=back(100)) == "full"
    assert size(end=back(50)) == "full"
    assert size(outputsize="compact", start=back(500)) == "compact"


def test_backfill_keeps_the_span():
    """Rows outside the wished span are dropped, the ends are kept."""
    bars = pl.DataFrame({"date": [back(n) for n in (3, 2, 1, 0)]})
    assert FetchWish(start=back(2), end=back(1)).keeps(bars)["date"].to_list() == [back(2), back(1)]
    assert FetchWish(end=back(1)).keeps(bars).height == 3
    assert FetchWish().keeps(bars).height == 4


def test_impossible_wishes_are_refused():
    """An unknown output size and a span that ends before it starts are refused."""
    with pytest.raises(UsageError, match="choose full or compact"):
        FetchWish(outputsize="huge")
    with pytest.raises(UsageError, match="earlier date first"):
        FetchWish(start=SESSION, end=back(1))


STATES = st.fixed_dictionaries(
    {},
    optional={
        "asset_class": st.sampled_from(["equity", "etf", "index"]),
        "newest_date": st.integers(0, 300).map(back),
        "last_checked_session": st.integers(0, 30).map(back),
        "last_reply_newest": st.integers(0, 300).map(back),
        "splits_checked_on": st.integers(0, 60).map(back),
        "dividends_checked_on": st.integers(0, 60).map(back),
        "has_suspect_jump": st.booleans(),
        "hole_to": st.integers(90, 300).map(back),
    },
)


@given(rows=st.lists(STATES, max_size=12), calls=st.none() | st.integers(0, 30), is_free=st.booleans())
def test_plans_keep_their_promises(rows, calls, is_free):
    """No plan exceeds the budget, repeats a request, asks what was refused, or forgets a stale symbol."""
    states = states_of(*rows)
    plan = plan_fetch(states, FetchSituation(SESSION, free_key if is_free else everything, calls), CALENDAR)
    assert calls is None or len(plan.requests) <= calls
    assert len(set(plan.requests)) == len(plan.requests)
    assert not is_free or all((r.function, r.outputsize) not in PREMIUM_KINDS for r in plan.requests)
    requested = {r.symbol for r in plan.requests} | {d.request.symbol for d in plan.deferred}
    is_trial = any(r.function is ADJUSTED for r in plan.requests) and calls is not None
    stale = {s for s, newest in zip(states["symbol"], states["newest_date"], strict=True) if newest != SESSION}
    assert is_trial or stale - set(plan.dormant) <= requested
    done = FetchSituation(SESSION, free_key if is_free else everything, calls, attempted=frozenset(plan.requests))
    assert not set(plan_fetch(states, done, CALENDAR).requests) & set(plan.requests)


class FreeVendor:
    """A free key: 23 calls a session, compact only, refusals learned from replies and counted as calls."""

    def __init__(self, symbols: int) -> None:
        self.rows = {f"S{n:02d}": {"symbol": f"S{n:02d}", "asset_class": "equity"} for n in range(symbols)}
        self.refused: set[tuple[VendorFunction, str]] = set()

    def is_entitled(self, function: VendorFunction, outputsize: str) -> bool:
        """What the refusals so far leave."""
        return (function, outputsize) not in self.refused

    def answer(self, request: FetchRequest, session: dt.date) -> None:
        """Refuse, or note in the symbol's state what a reply brings."""
        row = self.rows[request.symbol]
        if request.function is ADJUSTED:
            self.refused.add((ADJUSTED, ""))
        elif request.outputsize == "full":
            self.refused.add((DAILY, "full"))
        elif request.function is DAILY:
            dates = pl.Series([back(n, session) for n in range(100)])
            state = read_states(pl.DataFrame([row], schema=STATE_SCHEMA))[0]
            hole = hole_after_reply(state.hole, request, dates, row.get("newest_date"), CALENDAR)
            row.update(dict.fromkeys(("newest_date", "last_checked_session", "last_reply_newest"), session))
            row.update(hole_from=hole and hole.start, hole_to=hole and hole.end)
        else:
            row["splits_checked_on" if request.function is SPLITS else "dividends_checked_on"] = session

    def night(self, session: dt.date, budget: int = 23) -> int:
        """Plan, answer and plan again until nothing is requested; the calls made."""
        attempted: set[FetchRequest] = set()
        while True:
            states = pl.DataFrame(list(self.rows.values()), schema=STATE_SCHEMA)
            situation = FetchSituation(
                session, self.is_entitled, budget - len(attempted), attempted=frozenset(attempted)
            )
            plan = plan_fetch(states, situation, CALENDAR)
            if not plan.requests:
                return len(attempted)
            for request in plan.requests:
                self.answer(request, session)
            attempted.update(plan.requests)


def test_a_free_quarter_covers_twenty_symbols():
    """On 23 calls a night 20 symbols are current every session, and no list grows older than 30 days and a few."""
    vendor, calls = FreeVendor(20), []
    for session in CALENDAR.sessions_between(dt.date(2013, 1, 2), dt.date(2013, 3, 28)):
        calls.append(vendor.night(session))
        rows = vendor.rows.values()
        assert all(row["newest_date"] == session for row in rows)
        assert all(row["hole_to"] == back(100, dt.date(2013, 1, 2)) for row in rows)
        # The first round of 40 lists takes what prices leave: 1 call in the first night, then 3 a night.
        if len(calls) > 14:
            ages = [
                (session - row[name]).days for row in rows for name in ("splits_checked_on", "dividends_checked_on")
            ]
            assert max(ages) <= 34
    assert vendor.refused == {(ADJUSTED, ""), (DAILY, "full")}
    assert max(calls) <= 23
    # Two trials, 20 prices, one list.
    assert calls[0] == 23
