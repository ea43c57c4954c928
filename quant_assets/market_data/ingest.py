"""A night's fetching: plan, ask, store in batches, and plan again with what was learned, until nothing is asked."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.errors import VendorError
from quant_assets.foundation.table_store import TableStore
from quant_assets.market_data.fetch_plan import FetchPlan, plan_fetch
from quant_assets.market_data.fetch_situation import FetchSituation, FetchWish
from quant_assets.market_data.fetch_state import STATE_SCHEMA
from quant_assets.market_data.ports import FetchOutcome, FetchReply, FetchRequest, PriceSource, VendorFunction
from quant_assets.market_data.price_store import BatchCounts, PriceStore
from quant_assets.market_data.split_factors import suspect_split_symbols
from quant_assets.market_data.tables import CORPORATE_ACTIONS, DAILY_PRICES, FETCH_STATE

__all__ = ["IngestResult", "ingest", "read_fetch_states"]

_BATCH_REPLIES = 64
_BATCH_SECONDS = 10.0
"""A batch is stored after so many replies or seconds: a killed run loses at most these."""
_MAX_ROUNDS = 8
"""Prices, a refused function, a gap behind compact, a refused output size, lists: five rounds at most are known."""
_REFUSALS = (FetchOutcome.FUNCTION_NOT_ENTITLED, FetchOutcome.PARAMETER_NOT_ENTITLED)
_DOWN = ("server_fault", "transport", "circuit_open", "unrecognised")
_PRICES = (VendorFunction.DAILY, VendorFunction.DAILY_ADJUSTED)


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What a night's fetching did.

    ``failed`` maps a symbol to the reason why its prices did not come; ``plan`` is the last plan, whose deferred
    requests and holes wait for another day; ``calls_made`` counts attempts that left this machine;
    ``current_before`` are the symbols that needed nothing when the night began.
    """

    counts: BatchCounts
    failed: Mapping[str, str]
    plan: FetchPlan
    replies: int
    calls_made: int
    outcomes: Mapping[str, int]
    current_before: tuple[str, ...] = ()


@dataclass(slots=True)
class _Night:
    """What the rounds of one night have done so far."""

    counts: BatchCounts = field(default_factory=BatchCounts)
    failed: dict[str, str] = field(default_factory=dict)
    attempted: set[FetchRequest] = field(default_factory=set)
    proven: set[tuple[VendorFunction, str]] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    calls_made: int = 0

    def note(self, reply: FetchReply) -> None:
        """Remember how a request ended."""
        request = reply.request
        self.attempted.add(request)
        self.outcomes[reply.outcome.value] += 1
        self.calls_made += reply.attempts
        if reply.frame is not None:
            self.proven.add((request.function, request.outputsize))
        if request.function in _PRICES:
            if reply.frame is not None:
                self.failed.pop(request.symbol, None)
            elif reply.outcome not in _REFUSALS:
                self.failed[request.symbol] = f"{reply.outcome.value}: {reply.message}"


def ingest(
    source: PriceSource,
    store: TableStore,
    asset_classes: Mapping[str, str],
    calendar: TradingCalendar,
    *,
    wish: FetchWish | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> IngestResult:
    """Bring stored prices up to date.

    Parameters
    ----------
    source : PriceSource
    store : TableStore
    asset_classes : mapping of str to str
        Symbol -> asset class, for the whole universe.
    calendar : TradingCalendar
    wish : FetchWish, optional
        Symbols, depth or span that a person asked for.
    report : callable
        Told in one sentence about each round and batch.

    Raises
    ------
    VendorError
        Where the key was rejected, or where every symbol that was asked for failed and none is stored anew: then the
        source is down, and nothing after the fetch would be tonight's.
    """
    wish = wish or FetchWish()
    seen_at = source.now()
    prices = PriceStore(store, calendar, source.identity, seen_at, wish)
    session = calendar.last_finished_session(seen_at)
    night = _Night()
    current_before: tuple[str, ...] | None = None
    for _ in range(_MAX_ROUNDS):
        plan = plan_fetch(read_fetch_states(store, asset_classes), _situation(source, session, night), calendar, wish)
        current_before = plan.current if current_before is None else current_before
        if not plan.requests:
            break
        report(f"Asking for {len(plan.requests)} replies; {len(plan.current)} symbols are current.")
        for batch in _batches(source.fetch(plan.requests)):
            night.counts += prices.write(batch)
            for reply in batch:
                night.note(reply)
            report(f"Stored {sum(night.outcomes.values())} replies, {night.counts.bars_new:,} new bars.")
        if any(reply in night.outcomes for reply in (FetchOutcome.DAILY_QUOTA, FetchOutcome.KEY_REJECTED)):
            break
    _raise_if_down(night)
    return IngestResult(
        counts=night.counts,
        failed=dict(sorted(night.failed.items())),
        plan=plan,
        replies=sum(night.outcomes.values()),
        calls_made=night.calls_made,
        outcomes=dict(night.outcomes),
        current_before=current_before or (),
    )


def read_fetch_states(store: TableStore, asset_classes: Mapping[str, str]) -> pl.DataFrame:
    """What the planner needs to know of each symbol of the universe (``STATE_SCHEMA``)."""
    universe = pl.DataFrame(
        {"symbol": list(asset_classes), "asset_class": list(asset_classes.values())},
        schema={"symbol": pl.String(), "asset_class": pl.String()},
    )
    spans = store.query(
        "SELECT symbol, max(date) AS newest_date, min(date) AS oldest_date "
        f"FROM {DAILY_PRICES.qualified_name} GROUP BY symbol"
    )
    states = universe.join(spans, on="symbol", how="left").join(store.read(FETCH_STATE), on="symbol", how="left")
    suspects = _suspects(store, states)
    return (
        states.with_columns(has_suspect_jump=pl.col("symbol").is_in(suspects))
        .select(pl.col(name).cast(dtype) for name, dtype in STATE_SCHEMA.items())
        .sort("symbol")
    )


def _suspects(store: TableStore, states: pl.DataFrame) -> list[str]:
    """Symbols with a jump near a split ratio since their list of splits was last received.

    Only bars that were not looked at before are read, and the one before them. What was looked at without finding a
    jump is noted, so a night looks at that night's bars alone.
    """
    bars = store.query(_UNSCANNED_BARS)
    checked = {row[0]: row[1] for row in states.select("symbol", "splits_checked_on").iter_rows() if row[1] is not None}
    suspects = list(suspect_split_symbols(bars, store.read(CORPORATE_ACTIONS), checked)) if bars.height else []
    clear = bars.filter(~pl.col("symbol").is_in(suspects)).group_by("symbol").agg(pl.col("date").max())
    if clear.height:
        with store.transaction() as connection:
            connection.register("scanned", clear)
            connection.execute(_NOTE_SCANNED)
    return suspects


_UNSCANNED_BARS = f"""
WITH last_scanned AS (
    SELECT prices.symbol, max(prices.date) FILTER (WHERE prices.date <= state.jumps_scanned_to) AS since
    FROM {DAILY_PRICES.qualified_name} AS prices
    JOIN {FETCH_STATE.qualified_name} AS state USING (symbol)
    GROUP BY prices.symbol, state.jumps_scanned_to
    HAVING state.jumps_scanned_to IS NULL OR max(prices.date) > state.jumps_scanned_to
)
SELECT prices.*
FROM {DAILY_PRICES.qualified_name} AS prices
JOIN last_scanned USING (symbol)
WHERE last_scanned.since IS NULL OR prices.date >= last_scanned.since
"""

_NOTE_SCANNED = f"""
UPDATE {FETCH_STATE.qualified_name} AS state SET jumps_scanned_to = scanned.date
FROM scanned WHERE state.symbol = scanned.symbol
"""


def _situation(source: PriceSource, session: dt.date, night: _Night) -> FetchSituation:
    return FetchSituation(
        session=session,
        is_entitled=source.is_entitled,
        calls_left=source.calls_left_today(),
        proven=frozenset(night.proven),
        attempted=frozenset(night.attempted),
    )


def _batches(replies: Iterable[FetchReply]) -> Iterator[list[FetchReply]]:
    batch: list[FetchReply] = []
    since = time.monotonic()
    for reply in replies:
        batch.append(reply)
        if len(batch) >= _BATCH_REPLIES or time.monotonic() - since >= _BATCH_SECONDS:
            yield batch
            batch, since = [], time.monotonic()
    if batch:
        yield batch


def _raise_if_down(night: _Night) -> None:
    if night.outcomes[FetchOutcome.KEY_REJECTED]:
        reason = next(iter(night.failed.values()), "the key was rejected")
        raise VendorError(f"the vendor rejected the key ({reason}); set ALPHA_VANTAGE_API_KEY right and run again.")
    asked = {request.symbol for request in night.attempted if request.function in _PRICES}
    is_down = any(reason.startswith(_DOWN) for reason in night.failed.values())
    if asked and is_down and asked <= set(night.failed):
        symbol, reason = next(iter(night.failed.items()))
        raise VendorError(
            f"the price source answered for none of {len(asked)} symbols (first {symbol}: {reason}); "
            "see market_data.fetch_log, and run again when it is back."
        )
