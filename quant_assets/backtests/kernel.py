"""The compiled account: one session of trading as one function, and a loop that calls it for a whole history.

``advance`` is the only place where money moves. The vectorised run calls it for every session, an environment calls
it for one, so both give bit-identical accounts. Order of a session t, all of it in ``advance``:

1. borrow fees and interest since the session before; 2. splits, then dividends, of shares held overnight;
3. orders decided at the close of t-1 or before are filled (open or close of t); 4. dividends are reinvested at the
close; 5. positions are marked at the close; a symbol without bars for too long is closed out; 6. targets decided at
this close become orders.

Symbols used here: t session, s symbol, w weight. Everything compiled lives in this one file on purpose: numba's
cache on disk notices a changed file, not a changed callee in another file. No fast-math, so results do not depend
on vectorisation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["BOOK_FIELDS", "EVENT_FIELDS", "LEDGER_FIELDS", "TRIP_FIELDS", "advance", "charge", "record_open"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.uint8]
Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    """Compile on first use and keep the machine code on disk.

    Nothing is allocated in here, so reference counting is off: its atomic operations made a session five to eight
    times slower (330 ns against 40 to 60 for one symbol that trades daily). Division by zero gives infinity, as in
    NumPy. The global interpreter lock is released, so that threads can run variants side by side.
    """
    options: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
    built: Function = numba.njit(**options)(function)
    return built


# Rows of the book, one column per symbol.
SHARES, TARGET, WORKING, DELTA, FEE = range(5)
OPENED_AT, OPEN_QUANTITY, OPEN_VALUE, CLOSE_QUANTITY, CLOSE_VALUE, RECEIVED, SPENT, SPLIT = range(5, 13)
REST = 13  # shares of the order of this session that the participation cap leaves for later
ENTITLED = 14  # shares whose dividend of this session is to be reinvested
BOOK_FIELDS = 15

# The ledger: what belongs to the account as a whole. TRADED to PAID are of the current session.
CASH, EQUITY, GROSS, NET, TRADED, COSTS, FINANCING, PAID, ORDERS, RUINED, TRIPS, EVENTS, SESSIONS = range(13)
LEDGER_FIELDS = 13

# Layers of the market, shape (7, n_sessions, n_symbols), and of the clock, shape (2, n_sessions).
PRICE, MARK, VOLUME, IMPACT, SPLIT_RATIO, DIVIDEND, CLOSING = range(7)
ELAPSED, EVENTFUL = range(2)

# The terms of trade: costs first, so that a cost vector alone will do for ``charge``, then rules.
PER_SHARE, PROPORTIONAL, MINIMUM, ROOT, AT_DECISION, WHOLE, PARTICIPATION, LEVERAGE = range(8)
BORROW, MARGIN, INTEREST, REINVEST, HAIRCUT = range(8, 13)
# AT_DECISION: 0 a target is a weight, sized at the fill; 1 a weight, sized at the decision; 2 a number of shares.
TERM_FIELDS = 13

# Columns of a round trip.
(
    TRIP_SYMBOL,
    TRIP_ENTRY,
    TRIP_EXIT,
    TRIP_QUANTITY,
    TRIP_ENTRY_PRICE,
    TRIP_EXIT_PRICE,
    TRIP_SPLIT,
    TRIP_RECEIVED,
    TRIP_COSTS,
    TRIP_PNL,
    TRIP_RETURN,
    TRIP_OPEN,
) = range(12)
TRIP_FIELDS = 12

# Rows of an account's path.
# A path of the first four rows will do for the measures.
PATH_EQUITY, PATH_GROSS, PATH_NET, PATH_TRADED, PATH_COSTS, PATH_FINANCING, PATH_DIVIDENDS = range(7)
PATH_FIELDS, PATH_FIELDS_MEASURED = 7, 4

# Columns of an event: session, symbol (-1: the account), kind, value.
EVENT_FIELDS = 4
NO_FILL, CAPPED, SCALED, CLOSED_OUT, CASH_IN_LIEU, NOT_REINVESTED, RUIN = range(7)

_SIZING_TOLERANCE = 1e-8
"""Planned cost and charged cost may differ by this share of equity when weights are turned into shares. It moves a
target by a hundred-millionth; what is charged is exact all the same."""
_PASSES = 12
_ROUNDING = 1e-12
"""Differences below this share of equity are floating point, not money."""
_WHOLE_SLACK = 1e-9
"""So that 99.9999999999 shares, a rounding of 100, count as 100."""


@_compiled
def charge(shares: float, price: float, impact: float, terms: Floats) -> float:  # pragma: no cover
    """Cost in money of trading ``shares`` (signed) at ``price``; see :class:`quant_assets.backtests.costs.Costs`."""
    if shares == 0.0:
        return 0.0
    size = abs(shares)
    value = size * price
    fee: float = max(terms[MINIMUM], size * terms[PER_SHARE] + value * terms[PROPORTIONAL])
    if terms[ROOT] > 0.0:
        fee += terms[ROOT] * impact * math.sqrt(value) * value
    return fee


@_compiled
def _log(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int, s: int, kind: int, value: float, ledger: Floats, events: Floats
) -> None:
    """Note an event while there is room for it, count it always."""
    i = int(ledger[EVENTS])
    if i < len(events):
        events[i, 0], events[i, 1], events[i, 2], events[i, 3] = t, s, kind, value
    ledger[EVENTS] += 1.0


@_compiled
def _record(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int, s: int, mark: float, book: Floats, ledger: Floats, trips: Floats
) -> None:
    """Write the round trip of symbol ``s`` that ends at session ``t``, or is still open and worth ``mark`` a share.

    ``mark`` is NaN for a trip that has ended.
    """
    i = int(ledger[TRIPS])
    ledger[TRIPS] += 1.0
    if i >= len(trips):
        return
    side = 1.0 if book[OPEN_QUANTITY, s] > 0.0 else -1.0
    quantity, value = abs(book[OPEN_QUANTITY, s]), book[OPEN_VALUE, s]
    closed, proceeds = book[CLOSE_QUANTITY, s], book[CLOSE_VALUE, s]
    is_open = mark >= 0.0
    if is_open:  # what is left counts as sold at the mark, without cost
        left = abs(book[SHARES, s])
        closed += left / book[SPLIT, s]
        proceeds += left * mark
    pnl = side * (proceeds - value) + book[RECEIVED, s] - book[SPENT, s]
    trip = trips[i]
    trip[TRIP_SYMBOL], trip[TRIP_ENTRY], trip[TRIP_EXIT] = s, book[OPENED_AT, s], t
    trip[TRIP_QUANTITY], trip[TRIP_ENTRY_PRICE] = side * quantity, value / quantity
    trip[TRIP_EXIT_PRICE] = proceeds / (closed * book[SPLIT, s]) if closed > 0.0 else np.nan
    trip[TRIP_SPLIT], trip[TRIP_RECEIVED], trip[TRIP_COSTS] = book[SPLIT, s], book[RECEIVED, s], book[SPENT, s]
    trip[TRIP_PNL], trip[TRIP_RETURN], trip[TRIP_OPEN] = pnl, pnl / value, 1.0 if is_open else 0.0


@_compiled
def _trade(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int, s: int, shares: float, price: float, fee: float, book: Floats, ledger: Floats, trips: Floats
) -> None:
    """Book a fill: cash, shares and the round trip it opens, adds to, reduces, closes or turns around."""
    held = book[SHARES, s]
    after = held + shares
    value = shares * price
    ledger[CASH] -= value + fee
    ledger[TRADED] += abs(value)
    ledger[COSTS] += fee
    book[SHARES, s] = after
    if held * after > 0.0:  # the same side as before: adds to the trip or takes from it, without a branch between
        side = 1.0 if held > 0.0 else -1.0
        adding, cutting = max(side * shares, 0.0), max(-side * shares, 0.0)
        split = book[SPLIT, s]
        book[OPEN_QUANTITY, s] += side * adding / split
        book[OPEN_VALUE, s] += adding * price
        book[CLOSE_QUANTITY, s] += cutting / split
        book[CLOSE_VALUE, s] += cutting * price
        book[SPENT, s] += fee
        return
    closing = abs(held)
    part = closing / abs(shares)
    if held != 0.0:
        book[CLOSE_QUANTITY, s] += closing / book[SPLIT, s]
        book[CLOSE_VALUE, s] += closing * price
        book[SPENT, s] += fee * part
        _record(t, s, np.nan, book, ledger, trips)
    if after != 0.0:
        book[OPENED_AT, s], book[SPLIT, s] = t, 1.0
        book[OPEN_QUANTITY, s], book[OPEN_VALUE, s] = after, abs(after) * price
        book[CLOSE_QUANTITY, s] = book[CLOSE_VALUE, s] = book[RECEIVED, s] = 0.0
        book[SPENT, s] = fee * (1.0 - part)


@_compiled
def _finance(t: int, market: Floats, elapsed: float, terms: Floats, book: Floats, ledger: Floats) -> None:  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    """Borrow fees on short positions at the marks of the session before, interest on cash; ``elapsed`` in years."""
    short = 0.0
    if ledger[GROSS] != ledger[NET] and t > 0:
        for s in range(book.shape[1]):
            if book[SHARES, s] < 0.0:
                value = -book[SHARES, s] * market[MARK, t - 1, s]
                book[SPENT, s] += value * terms[BORROW] * elapsed
                short += value
    # Proceeds of a short sale stay with the lender as collateral: they earn nothing and pay for no long position.
    free = ledger[CASH] - short
    interest = free * terms[MARGIN] if free < 0.0 else free * terms[INTEREST]
    due = (short * terms[BORROW] - interest) * elapsed
    ledger[CASH] -= due
    ledger[FINANCING] = due


@_compiled
def _overnight(t: int, s: int, market: Floats) -> float:  # pragma: no cover
    """Mark of the session before, in today's shares; 0 in the first session."""
    return float(market[MARK, t - 1, s] / market[SPLIT_RATIO, t, s]) if t > 0 else 0.0


@_compiled
def _pay_fraction(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int, s: int, market: Floats, book: Floats, ledger: Floats, trips: Floats, events: Floats
) -> float:
    """Sell the fraction of a share that a split has left at the last price; returns the whole shares held."""
    held = book[SHARES, s]
    whole = math.copysign(math.floor(abs(held) + _WHOLE_SLACK), held)
    if whole == held:
        return float(held)
    paid = (held - whole) * _overnight(t, s, market)
    ledger[CASH] += paid
    book[CLOSE_QUANTITY, s] += abs(held - whole) / book[SPLIT, s]
    book[CLOSE_VALUE, s] += abs(paid)
    book[SHARES, s] = whole
    _log(t, s, CASH_IN_LIEU, paid, ledger, events)
    if whole == 0.0:  # a reverse split has paid out all there was
        book[SHARES, s] = 0.0  # not minus zero
        _record(t, s, np.nan, book, ledger, trips)
    return whole


@_compiled
def _act(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int, s: int, market: Floats, terms: Floats, book: Floats, ledger: Floats, trips: Floats, events: Floats
) -> None:
    """Split, then dividend, of symbol ``s`` at session ``t``, for the shares held overnight."""
    split, dividend = market[SPLIT_RATIO, t, s], market[DIVIDEND, t, s]
    if split != 1.0:
        book[SHARES, s] *= split
        book[SPLIT, s] *= split
        if terms[AT_DECISION] != 0.0:
            book[TARGET, s] *= split
    held = book[SHARES, s]
    if held == 0.0:
        return
    if split != 1.0 and terms[WHOLE] != 0.0:
        held = _pay_fraction(t, s, market, book, ledger, trips, events)
    if dividend != 0.0:
        paid = held * dividend
        ledger[CASH] += paid
        ledger[PAID] += paid
        book[RECEIVED, s] += paid
        if terms[REINVEST] != 0.0 and held > 0.0:
            book[ENTITLED, s] = held


@_compiled
def _reinvest(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int, s: int, floor: float, market: Floats, terms: Floats, book: Floats, ledger: Floats, events: Floats
) -> None:
    """Buy at the close for the dividends of what is still held of ``s``, with what the orders left of them.

    ``floor`` is the cash below which this would make debt that was not there before the dividends.
    """
    kept = min(book[ENTITLED, s], book[SHARES, s])
    book[ENTITLED, s] = 0.0
    if not kept > 0.0:
        return
    paid = kept * market[DIVIDEND, t, s]
    if not market[PRICE, t, s] > 0.0:
        _log(t, s, NOT_REINVESTED, paid, ledger, events)
        return
    added = min(paid, max(ledger[CASH] - floor, 0.0)) / market[MARK, t, s]
    if terms[WHOLE] != 0.0:
        added = math.floor(added + _WHOLE_SLACK)
    ledger[CASH] -= added * market[MARK, t, s]
    book[SHARES, s] += added
    book[OPEN_QUANTITY, s] += added / book[SPLIT, s]
    book[OPEN_VALUE, s] += added * market[MARK, t, s]


@_compiled
def _reinvest_all(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int, floor: float, market: Floats, clock: Floats, terms: Floats, book: Floats, ledger: Floats, events: Floats
) -> None:
    """Reinvest the dividends of the session, symbol by symbol."""
    if clock[EVENTFUL, t] == 0.0 or terms[REINVEST] == 0.0:
        return
    for s in range(book.shape[1]):
        if book[ENTITLED, s] > 0.0:
            _reinvest(t, s, floor, market, terms, book, ledger, events)


@_compiled
def _most(t: int, s: int, market: Floats, terms: Floats) -> float:  # pragma: no cover
    """Most shares that may trade in the session; unlimited where the volume is not known."""
    if not market[VOLUME, t, s] >= 0.0:
        return np.inf
    most: float = terms[PARTICIPATION] * market[VOLUME, t, s]
    return math.floor(most + _WHOLE_SLACK) if terms[WHOLE] != 0.0 else most


@_compiled
def _plan(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int,
    money: float,
    equity: float,
    market: Floats,
    terms: Floats,
    book: Floats,
) -> float:
    """Turn targets into share changes; ``money`` is what a target of 1 is worth. Returns what they would cost."""
    planned = 0.0
    by_weight, whole, capped = terms[AT_DECISION] == 0.0, terms[WHOLE] != 0.0, terms[PARTICIPATION] > 0.0
    dust = _SIZING_TOLERANCE * equity  # below it no order is placed: a minimum fee would be charged for rounding
    for s in range(book.shape[1]):
        paid = market[PRICE, t, s]
        if book[WORKING, s] == 0.0 or not paid > 0.0:
            continue
        wanted = book[TARGET, s] * money
        if by_weight:
            wanted /= paid
        if whole:
            wanted = math.copysign(math.floor(abs(wanted) + _WHOLE_SLACK), wanted)
        delta = wanted - book[SHARES, s]
        rest = 0.0
        if capped:
            most = _most(t, s, market, terms)
            rest = max(abs(delta) - most, 0.0)
            delta = min(max(delta, -most), most)
        book[REST, s] = rest if rest * paid > dust else 0.0
        if abs(delta) * paid <= dust:
            delta = 0.0
        fee = charge(delta, paid, market[IMPACT, t, s], terms)
        book[DELTA, s] = delta
        book[FEE, s] = fee
        planned += fee
    return planned


@_compiled
def _size(  # pragma: no cover - numba knows no keyword-only arguments
    t: int,
    market: Floats,
    terms: Floats,
    book: Floats,
    ledger: Floats,
) -> float:
    """Size every order on the equity that is left after the costs of all of them; returns the scale applied.

    The scale is below 1 where the leverage limit leaves no room for all targets beside what is held already. It is
    negative where there is no equity to trade with.
    """
    by_weight = terms[AT_DECISION] == 0.0
    equity, fixed, wanted = ledger[CASH], 0.0, 0.0
    for s in range(book.shape[1]):
        paid = market[PRICE, t, s]
        trades = paid > 0.0
        value = book[SHARES, s] * (paid if trades else _overnight(t, s, market))
        equity += value
        if trades and book[WORKING, s] != 0.0:
            wanted += abs(book[TARGET, s]) * (1.0 if by_weight else paid)
        else:
            fixed += abs(value)
    if equity <= 0.0:
        return -1.0
    spent, scale = 0.0, 1.0
    for _ in range(_PASSES):  # sizes depend on costs and costs on sizes: a contraction by about the cost rate
        money = equity - spent
        free = max(terms[LEVERAGE] * money - fixed, 0.0)
        asked = wanted * money if by_weight else wanted
        scale = 1.0 if asked <= free * (1.0 + _ROUNDING) else free / asked
        cost = _plan(t, money * scale if by_weight else scale, equity, market, terms, book)
        if cost <= spent and spent - cost <= _SIZING_TOLERANCE * equity:
            break
        if abs(cost - spent) <= _ROUNDING * equity:
            break
        spent = cost
    return scale


@_compiled
def _fill(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int,
    market: Floats,
    terms: Floats,
    book: Floats,
    ledger: Floats,
    trips: Floats,
    events: Floats,
) -> None:
    """Fill what is on order at ``price`` (NaN: the symbol does not trade) within leverage and participation."""
    scale = _size(t, market, terms, book, ledger)
    if scale < 0.0:
        return
    if scale < 1.0:
        _log(t, -1, SCALED, scale, ledger, events)
    orders = 0
    for s in range(book.shape[1]):
        if book[WORKING, s] == 0.0:
            continue
        if not market[PRICE, t, s] > 0.0:
            _log(t, s, NO_FILL, book[TARGET, s], ledger, events)
            orders += 1
            continue
        delta = book[DELTA, s]
        capped = book[REST, s] > 0.0
        book[WORKING, s] = 1.0 if capped else 0.0
        if capped:
            _log(t, s, CAPPED, delta, ledger, events)
            orders += 1
        if delta != 0.0:
            _trade(t, s, delta, market[PRICE, t, s], book[FEE, s], book, ledger, trips)
    ledger[ORDERS] = orders


@_compiled
def _mark(t: int, market: Floats, book: Floats, ledger: Floats) -> None:  # pragma: no cover
    """Equity, gross and net position value at the marks of the session."""
    gross = net = 0.0
    for s in range(book.shape[1]):
        value = book[SHARES, s] * market[MARK, t, s]
        net += value
        gross += abs(value)
    ledger[NET], ledger[GROSS] = net, gross
    ledger[EQUITY] = ledger[CASH] + net


@_compiled
def _close_out(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int, s: int, price: float, book: Floats, ledger: Floats, trips: Floats, events: Floats
) -> None:
    """End the position and the order of symbol ``s`` at ``price``, without trading costs."""
    if book[WORKING, s] != 0.0:
        book[WORKING, s] = 0.0
        ledger[ORDERS] -= 1.0
    if book[SHARES, s] != 0.0:
        _log(t, s, CLOSED_OUT, price, ledger, events)
        _trade(t, s, -book[SHARES, s], price, 0.0, book, ledger, trips)


@_compiled
def _decide(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int, i: int, target: Floats, decided: Flags, market: Floats, terms: Floats, book: Floats, ledger: Floats
) -> None:
    """Put the targets decided at this close on order, replacing older orders of the same symbol."""
    for s in range(book.shape[1]):
        if decided[i, s] == 0:
            continue
        wanted = target[i, s]
        if terms[AT_DECISION] == 1.0:
            wanted = wanted * ledger[EQUITY] / market[MARK, t, s] if market[MARK, t, s] > 0.0 else 0.0
        # Wanting nothing of what is not held is no order: it would wait for a symbol that has yet to list.
        working = 0.0 if wanted == 0.0 and book[SHARES, s] == 0.0 else 1.0
        ledger[ORDERS] += working - book[WORKING, s]
        book[WORKING, s] = working
        book[TARGET, s] = wanted


@_compiled
def _ruin(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int, market: Floats, book: Floats, ledger: Floats, trips: Floats, events: Floats
) -> None:
    """Equity is gone: everything is closed at the mark, what is owed beyond is forgiven and logged."""
    _log(t, -1, RUIN, ledger[EQUITY], ledger, events)
    for s in range(book.shape[1]):
        if book[SHARES, s] != 0.0:
            _trade(t, s, -book[SHARES, s], market[MARK, t, s], 0.0, book, ledger, trips)
        book[WORKING, s] = 0.0
    ledger[CASH] = ledger[EQUITY] = ledger[GROSS] = ledger[NET] = ledger[ORDERS] = 0.0
    ledger[RUINED] = 1.0


@_compiled
def _trade_session(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    t: int,
    i: int,
    market: Floats,
    clock: Floats,
    target: Floats,
    decided: Flags,
    terms: Floats,
    book: Floats,
    ledger: Floats,
    trips: Floats,
    events: Floats,
) -> None:
    """One session in the order the module describes; ``i`` is its row of ``target`` and ``decided``."""
    symbols = book.shape[1]
    if ledger[SESSIONS] > 0.0 and not _is_idle(terms, ledger):
        _finance(t, market, clock[ELAPSED, t], terms, book, ledger)
    ledger[SESSIONS] += 1.0
    floor = min(ledger[CASH], 0.0)
    if clock[EVENTFUL, t] != 0.0:
        for s in range(symbols):
            if market[SPLIT_RATIO, t, s] != 1.0 or market[DIVIDEND, t, s] != 0.0:
                _act(t, s, market, terms, book, ledger, trips, events)
    if ledger[ORDERS] > 0.0:
        _fill(t, market, terms, book, ledger, trips, events)
    _reinvest_all(t, floor, market, clock, terms, book, ledger, events)
    _mark(t, market, book, ledger)
    if clock[EVENTFUL, t] != 0.0:
        for s in range(symbols):
            if market[CLOSING, t, s] != 0.0:
                worth = 1.0 - terms[HAIRCUT] if book[SHARES, s] > 0.0 else 1.0 + terms[HAIRCUT]
                _close_out(t, s, market[MARK, t, s] * worth, book, ledger, trips, events)
        _mark(t, market, book, ledger)
    if ledger[EQUITY] <= 0.0:
        _ruin(t, market, book, ledger, trips, events)
    else:
        _decide(t, i, target, decided, market, terms, book, ledger)


@_compiled
def _is_idle(terms: Floats, ledger: Floats) -> bool:  # pragma: no cover
    """Whether a night costs and earns nothing: no short position, no debt, no interest on cash.

    Without a short position all cash is free, so that the cash alone tells of debt.
    """
    indebted = ledger[CASH] < -_ROUNDING * ledger[EQUITY]
    return not (indebted or ledger[GROSS] != ledger[NET] or terms[INTEREST] != 0.0)


@_compiled
def _end_of_quiet(start: int, first: int, last: int, clock: Floats, decided: Flags) -> int:  # pragma: no cover
    """First session from ``start`` with a decision or a corporate action; ``last + 1`` where there is none."""
    symbols = decided.shape[1]
    end = start
    while end <= last and clock[EVENTFUL, end] == 0.0:
        for s in range(symbols):
            if decided[end - first, s] != 0:
                return end
        end += 1
    return end


@_compiled
def _mark_alone(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    start: int, end: int, low: int, cash: float, market: Floats, book: Floats, path: Floats
) -> None:
    """Mark a position in the only symbol from ``start`` to before ``end``, in loops that fit vector registers."""
    held, marks, count = book[SHARES, 0], market[MARK, start:end, 0], end - start
    equities, gross, net = path[0, low : low + count], path[1, low : low + count], path[2, low : low + count]
    for j in range(count):
        net[j] = held * marks[j]
    for j in range(count):
        equities[j] = cash + net[j]
    for j in range(count):
        net[j] = net[j] / equities[j]
    for j in range(count):
        gross[j] = net[j]


@_compiled
def _coast(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    start: int,
    first: int,
    last: int,
    market: Floats,
    clock: Floats,
    decided: Flags,
    terms: Floats,
    book: Floats,
    ledger: Floats,
    path: Floats,
) -> int:
    """Mark the sessions from ``start`` in which nothing can happen; returns the first one in which something may.

    The same sums as ``_mark`` in the same order, so the same bits.
    """
    if ledger[ORDERS] > 0.0 or not _is_idle(terms, ledger) or ledger[RUINED] != 0.0:
        return start
    end = _end_of_quiet(start, first, last, clock, decided)
    if end == start:
        return start
    symbols = book.shape[1]
    cash, low, count = ledger[CASH], start - first, end - start
    for k in range(3, len(path)):
        for j in range(low, low + count):
            path[k, j] = 0.0
    if symbols == 1:
        _mark_alone(start, end, low, cash, market, book, path)
    else:
        for j in range(count):
            net = 0.0
            for s in range(symbols):
                net += book[SHARES, s] * market[MARK, start + j, s]
            equity = cash + net
            path[0, low + j] = equity
            path[1, low + j] = path[2, low + j] = net / equity
    _mark(end - 1, market, book, ledger)
    ledger[SESSIONS] += count
    ledger[TRADED] = ledger[COSTS] = ledger[FINANCING] = ledger[PAID] = 0.0
    return end


@_compiled
def advance(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    first: int,
    last: int,
    market: Floats,
    clock: Floats,
    target: Floats,
    decided: Flags,
    terms: Floats,
    book: Floats,
    ledger: Floats,
    trips: Floats,
    events: Floats,
    path: Floats,
) -> None:
    """Carry the account (``book``, ``ledger``) from session ``first`` to ``last`` inclusive, in place.

    ``market`` has shape (7, n_sessions, n_symbols) and ``clock`` (2, n_sessions); session t reads their row t, and
    the marks of t-1 for what was held overnight. ``target`` and ``decided`` have shape (last - first + 1, n_symbols):
    what was decided at each close. ``path`` has shape (7, last - first + 1): equity, gross and net exposure
    (fractions of equity), traded value, costs, financing, dividends; or only the first four of them.
    """
    t = first
    while t <= last:
        ledger[TRADED] = ledger[COSTS] = ledger[FINANCING] = ledger[PAID] = 0.0
        if ledger[RUINED] == 0.0:
            _trade_session(t, t - first, market, clock, target, decided, terms, book, ledger, trips, events)
        equity = ledger[EQUITY]
        i = t - first
        path[0, i] = equity
        path[1, i] = ledger[GROSS] / equity if equity > 0.0 else 0.0
        path[2, i] = ledger[NET] / equity if equity > 0.0 else 0.0
        path[3, i] = ledger[TRADED]
        if len(path) > PATH_FIELDS_MEASURED:
            path[4, i], path[5, i], path[6, i] = ledger[COSTS], ledger[FINANCING], ledger[PAID]
        t = _coast(t + 1, first, last, market, clock, decided, terms, book, ledger, path)


@_compiled
def record_open(t: int, market: Floats, book: Floats, ledger: Floats, trips: Floats) -> None:  # pragma: no cover
    """Append the round trips still open at session ``t``, valued at its marks."""
    for s in range(book.shape[1]):
        if book[SHARES, s] != 0.0:
            _record(t, s, market[MARK, t, s], book, ledger, trips)
