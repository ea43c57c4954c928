"""The cheapest calls that bring the universe up to date, in the order of their worth.

The planner is pure: it reads what is stored, what the vendor was last asked, and what the plan allows, and returns
requests. A run plans, fetches, stores, and plans again with what it learned, until nothing is requested: so a
refused function is replaced by the next best one, a gap found behind a compact reply asks for the full history, and a
jump near a split ratio asks for the list of splits, all in the same night.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.errors import UsageError
from quant_assets.market_data.fetch_situation import COMPACT, FULL, NEVER_REFUSED, FetchSituation, FetchWish
from quant_assets.market_data.fetch_state import COMPACT_BARS, Hole, Standing, SymbolState, read_states
from quant_assets.market_data.ports import FetchRequest, VendorFunction

__all__ = ["Deferred", "FetchPlan", "plan_fetch"]

_ROTATION_DAYS = 30
"""Days after which a symbol's lists of splits and dividends are asked again."""
_FOREVER = 10**6
"""Urgency of what was never asked."""
_EVENT_SHARE = 8
"""Of a limited budget at most one call in eight is kept from prices for lists that are due: 2 of 23, which is what 20
symbols need (two lists each, over the 21 sessions of a rotation)."""

_FOR_FULL = (
    (VendorFunction.DAILY_ADJUSTED, FULL),
    (VendorFunction.DAILY, FULL),
    (VendorFunction.DAILY_ADJUSTED, COMPACT),
    (VendorFunction.DAILY, COMPACT),
)
_FOR_COMPACT = _FOR_FULL[2:]


@dataclass(frozen=True, slots=True)
class Deferred:
    """A request that was not made, with the reason as one sentence."""

    request: FetchRequest
    reason: str


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """Calls of one round, in order, and what is not called.

    ``requests`` are for now; when it is empty the night is done. ``current`` symbols have their newest bar, ``dormant``
    ones ended and were asked for this session, ``late`` ones were asked and are behind still. ``deferred`` waits for
    calls of another day. ``holes`` cannot be filled with this key. ``naive_calls`` is what asking the whole history
    and lists of every symbol would take.
    """

    requests: tuple[FetchRequest, ...]
    current: tuple[str, ...]
    late: tuple[str, ...]
    dormant: tuple[str, ...]
    deferred: tuple[Deferred, ...]
    holes: tuple[Hole, ...]
    naive_calls: int

    def calls_saved(self, calls_made: int) -> int:
        """Calls saved by a night that made ``calls_made``, against asking everything; never below 0."""
        return max(0, self.naive_calls - calls_made)


@dataclass(frozen=True, slots=True)
class _Need:
    request: FetchRequest
    urgency: int
    hole: Hole | None = None


def plan_fetch(
    states: pl.DataFrame, situation: FetchSituation, calendar: TradingCalendar, wish: FetchWish | None = None
) -> FetchPlan:
    """Plan the next round of calls.

    Parameters
    ----------
    states : pl.DataFrame
        ``STATE_SCHEMA``, one row per symbol of the universe.
    situation : FetchSituation
        The source's clock, plan and budget, and what this run did.
    calendar : TradingCalendar
        Sessions.
    wish : FetchWish, optional
        Symbols, output size or span that a person asked for.

    Returns
    -------
    FetchPlan
        Order: lists of splits for suspect jumps, prices with the most stale symbol first, then lists that are due.
        Rules for prices: nothing for a current symbol; compact for a gap under 100 sessions, else full; full for a
        symbol never fetched or with a recorded hole. The adjusted function comes first, as one call carries prices,
        dividends and splits. Where full is refused compact is taken and the hole listed. A dead symbol is asked once
        per session, with compact; a late one on every run. Lists are asked every 30 days where bars carry no events;
        never for indices.

    Raises
    ------
    UsageError
        When a wished symbol is not in the universe.
    """
    wish = wish or FetchWish()
    chosen = _chosen(read_states(states), wish)
    standings = {state.symbol: state.standing(situation.session, calendar) for state in chosen}
    prices = [need for state in chosen if (need := _price_need(state, situation, calendar, wish))]
    suspects, due = _event_needs(chosen, situation, calendar)
    requests, deferred = _within_budget(suspects, sorted(prices, key=_by_urgency), due, situation)
    recorded = [state.hole for state in chosen if state.hole and not _full_function(situation)]
    holes = {hole.symbol: hole for hole in recorded} | {need.hole.symbol: need.hole for need in prices if need.hole}
    with_lists = 1 if situation.allows(VendorFunction.DAILY_ADJUSTED, FULL) else 3
    return FetchPlan(
        requests=requests,
        current=tuple(symbol for symbol, standing in standings.items() if standing is Standing.CURRENT),
        late=tuple(symbol for symbol, standing in standings.items() if standing is Standing.LATE),
        dormant=tuple(symbol for symbol, standing in standings.items() if standing is Standing.DORMANT),
        deferred=deferred,
        holes=tuple(holes[symbol] for symbol in sorted(holes)),
        naive_calls=sum(1 if state.asset_class == "index" else with_lists for state in chosen),
    )


def _chosen(states: list[SymbolState], wish: FetchWish) -> list[SymbolState]:
    if wish.symbols is None:
        return states
    known = {state.symbol for state in states}
    if unknown := [symbol for symbol in wish.symbols if symbol not in known]:
        raise UsageError(f"{unknown[0]!r} is not in the universe file; add it there or leave it out")
    return [state for state in states if state.symbol in wish.symbols]


def _full_function(situation: FetchSituation) -> VendorFunction | None:
    """The function that gives the full history, unless both are refused."""
    return next((function for function, size in _FOR_FULL[:2] if situation.allows(function, size)), None)


def _needs_full(
    state: SymbolState, situation: FetchSituation, calendar: TradingCalendar, wish: FetchWish
) -> bool | None:
    """Whether the full history is needed; ``None`` where no price is."""
    if wish.is_backfill:
        is_far = wish.start is None or calendar.count_between(wish.start, situation.session) >= COMPACT_BARS
        return wish.outputsize == FULL if wish.outputsize else is_far
    if state.hole and _full_function(situation):
        return True
    standing = state.standing(situation.session, calendar)
    if standing in {Standing.CURRENT, Standing.DORMANT}:
        return None
    is_far = state.sessions_behind(situation.session, calendar) >= COMPACT_BARS
    return standing is Standing.NEVER or (standing is Standing.BEHIND and is_far)


def _price_need(
    state: SymbolState, situation: FetchSituation, calendar: TradingCalendar, wish: FetchWish
) -> _Need | None:
    needs_full = _needs_full(state, situation, calendar, wish)
    if needs_full is None:
        return None
    choices = _FOR_FULL if needs_full else _FOR_COMPACT
    function, size = next((choice for choice in choices if situation.allows(*choice)), NEVER_REFUSED)
    request = FetchRequest(state.symbol, function, size)
    if request in situation.attempted:
        return None
    is_never = state.newest_date is None
    urgency = _FOREVER if is_never else state.sessions_behind(situation.session, calendar)
    hole = _expected_hole(state, situation.session, calendar) if needs_full and size == COMPACT else None
    return _Need(request, urgency, hole)


def _expected_hole(state: SymbolState, session: dt.date, calendar: TradingCalendar) -> Hole | None:
    """What a compact reply in place of a full one will leave open, if it has 100 bars up to the newest session."""
    before = calendar.shift(session, -COMPACT_BARS)
    if state.newest_date is None:
        return Hole(state.symbol, None, before)
    first = calendar.shift(state.newest_date, 1)
    return Hole(state.symbol, first, before) if first <= before else None


def _event_needs(
    states: Iterable[SymbolState], situation: FetchSituation, calendar: TradingCalendar
) -> tuple[list[_Need], list[_Need]]:
    """Lists of splits for suspect jumps, and lists that are due in rotation, the most overdue first."""
    bars_carry_events = situation.allows(VendorFunction.DAILY_ADJUSTED, FULL)
    suspects, due = [], []
    for state in states:
        # A symbol without bars has nothing to adjust, and may not exist.
        if state.asset_class == "index" or state.newest_date is None:
            continue
        is_dead = state.standing(situation.session, calendar) in {Standing.DEAD, Standing.DORMANT}
        for function, checked_on in (
            (VendorFunction.SPLITS, state.splits_checked_on),
            (VendorFunction.DIVIDENDS, state.dividends_checked_on),
        ):
            request = FetchRequest(state.symbol, function)
            if request in situation.attempted or not situation.allows(function, ""):
                continue
            age = _FOREVER if checked_on is None else (situation.session - checked_on).days
            if function is VendorFunction.SPLITS and state.has_suspect_jump:
                suspects.append(_Need(request, age))
            elif not bars_carry_events and age >= _ROTATION_DAYS and (not is_dead or checked_on is None):
                due.append(_Need(request, age))
    return sorted(suspects, key=_by_urgency), sorted(due, key=_by_urgency)


def _by_urgency(need: _Need) -> tuple[int, str]:
    return -need.urgency, need.request.symbol


def _within_budget(
    suspects: list[_Need], prices: list[_Need], due: list[_Need], situation: FetchSituation
) -> tuple[tuple[FetchRequest, ...], tuple[Deferred, ...]]:
    """Requests that the day's calls allow, with trials alone in their kind, and those that wait."""
    left = situation.calls_left
    if left is None:
        return tuple(need.request for need in (*suspects, *prices, *due)), ()
    first = suspects[:left]
    left -= len(first)
    then = prices[: left - min(len(due), left // _EVENT_SHARE)]
    left -= len(then)
    made = [*first, *then, *due[:left]]
    waiting = [*suspects[len(first) :], *prices[len(then) :], *due[left:]]
    reason = f"the day had {situation.calls_left} calls left for {len(made) + len(waiting)}; it is made on another day"
    requests = tuple(_after_trials([need.request for need in made], situation))
    return requests, tuple(Deferred(need.request, reason) for need in waiting)


def _after_trials(requests: Iterable[FetchRequest], situation: FetchSituation) -> Iterable[FetchRequest]:
    """Hold back requests whose kind is being tried; they return in the next round."""
    tried = set()
    for request in requests:
        if situation.needs_trial(request):
            if request.function in tried:
                continue
            tried.add(request.function)
        yield request
