"""Storing what replies brought: bars, revisions, corporate actions and the log, one transaction per batch.

A batch is complete in itself: a run that is killed between two batches has lost no reply that it stored, and the next
run asks only for the rest.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.table_store import TableStore
from quant_assets.market_data.action_reconciliation import ActionSetting, update_actions
from quant_assets.market_data.bar_writing import write_bars
from quant_assets.market_data.corporate_actions import (
    ActionEvidence,
    actions_from_bars,
    actions_from_dividend_list,
    actions_from_split_list,
)
from quant_assets.market_data.fetch_situation import FetchWish
from quant_assets.market_data.fetch_state import Hole, hole_after_reply
from quant_assets.market_data.ports import ACTIONS_SCHEMA, BARS_SCHEMA, FetchReply, VendorFunction
from quant_assets.market_data.tables import (
    CORPORATE_ACTIONS,
    DAILY_PRICES,
    FETCH_LOG,
    FETCH_STATE,
)

__all__ = ["BatchCounts", "PriceStore"]

_PRICE_FUNCTIONS = (VendorFunction.DAILY, VendorFunction.DAILY_ADJUSTED)


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """What a batch changed: new bars, bars with a restated value, revisions, corporate actions."""

    bars_new: int = 0
    bars_changed: int = 0
    revisions: int = 0
    actions_changed: int = 0

    def __add__(self, other: BatchCounts) -> BatchCounts:
        return BatchCounts(
            self.bars_new + other.bars_new,
            self.bars_changed + other.bars_changed,
            self.revisions + other.revisions,
            self.actions_changed + other.actions_changed,
        )


@dataclass(frozen=True, slots=True)
class PriceStore:
    """Writes batches of replies.

    Parameters
    ----------
    store : TableStore
        The warehouse of the run.
    calendar : TradingCalendar
    source : str
        Identity of the price source, stored with each new bar.
    seen_at : datetime
        The source's clock; ``first_seen_at``, ``updated_at`` and ``seen_at`` of what is stored.
    wish : FetchWish
        Its span says which bars to keep.
    """

    store: TableStore
    calendar: TradingCalendar
    source: str
    seen_at: dt.datetime
    wish: FetchWish = field(default_factory=FetchWish)

    def write(self, replies: Sequence[FetchReply]) -> BatchCounts:
        """Store a batch of replies, failures included, in one transaction."""
        bars = self.wish.keeps(_frames(replies, _PRICE_FUNCTIONS, BARS_SCHEMA))
        counts, per_symbol = BatchCounts(), dict[str, tuple[int, int]]()
        with self.store.transaction() as connection:
            newest_before = _newest_stored(connection, bars["symbol"].unique().to_list())
            if bars.height:
                merge = write_bars(self.store, connection, bars, source=self.source, seen_at=self.seen_at)
                counts = BatchCounts(
                    bars_new=merge.new.height,
                    bars_changed=int(merge.per_symbol["restated"].sum()),
                    revisions=merge.revisions.height,
                )
                per_symbol = {row[0]: row[1:] for row in merge.per_symbol.select("symbol", "new", "restated").rows()}
            actions_changed = self._write_actions(connection, replies, bars)
            self.store.append_within(connection, FETCH_LOG, self._log_rows(replies, per_symbol))
            self._write_state(connection, replies, newest_before)
        return counts + BatchCounts(actions_changed=actions_changed)

    def _write_actions(
        self, connection: duckdb.DuckDBPyConnection, replies: Sequence[FetchReply], bars: pl.DataFrame
    ) -> int:
        """Reconcile what the replies say about corporate actions with what is stored for their symbols."""
        answered = [reply for reply in replies if reply.frame is not None]
        symbols = sorted({reply.request.symbol for reply in answered})
        if not symbols:
            return 0
        stored = self._stored_actions(connection, symbols)
        closes = connection.execute(
            f"SELECT symbol, date, close FROM {DAILY_PRICES.qualified_name} WHERE list_contains(?, symbol)", [symbols]
        ).pl()
        setting = ActionSetting(bars=closes, calendar=self.calendar, seen_at=self.seen_at)
        reply_bars = bars.select("symbol", "date", "close", "adjusted_close")
        updated = update_actions(_evidence(answered, bars), stored, setting, reply_bars)
        changed = updated.new.height + updated.changed.height + updated.withdrawn.height
        if changed:
            connection.execute(
                f"DELETE FROM {CORPORATE_ACTIONS.qualified_name} WHERE list_contains(?, symbol)", [symbols]
            )
            self.store.append_within(connection, CORPORATE_ACTIONS, updated.actions)
        return changed

    def _stored_actions(self, connection: duckdb.DuckDBPyConnection, symbols: list[str]) -> pl.DataFrame:
        names = ", ".join(CORPORATE_ACTIONS.column_names)
        return connection.execute(
            f"SELECT {names} FROM {CORPORATE_ACTIONS.qualified_name} WHERE list_contains(?, symbol)", [symbols]
        ).pl()

    def _log_rows(self, replies: Sequence[FetchReply], per_symbol: dict[str, tuple[int, int]]) -> pl.DataFrame:
        rows = []
        for reply in replies:
            request = reply.request
            stored = per_symbol.get(request.symbol, (0, 0)) if request.function in _PRICE_FUNCTIONS else (0, 0)
            received = 0 if reply.frame is None else reply.frame.height
            function = f"{request.function}{f' {request.outputsize}' if request.outputsize else ''}"
            rows.append(
                (
                    str(uuid.uuid4()),
                    self.store.run_id,
                    request.symbol,
                    function,
                    reply.requested_at,
                    reply.outcome.value,
                    received,
                    *stored,
                    reply.latency_ms,
                    reply.attempts,
                    reply.message,
                )
            )
        return pl.DataFrame(rows, schema=FETCH_LOG.polars_schema, orient="row")

    def _write_state(
        self, connection: duckdb.DuckDBPyConnection, replies: Sequence[FetchReply], newest_before: dict[str, dt.date]
    ) -> None:
        """Note for the planner when each symbol was last answered, how far the answer reached, and what is missing."""
        session = self.calendar.last_finished_session(self.seen_at)
        holes = _stored_holes(connection)
        for reply in replies:
            symbol, function = reply.request.symbol, reply.request.function
            if reply.frame is None:
                continue
            values: dict[str, object]
            if function is VendorFunction.SPLITS:
                values = {"splits_checked_on": session}
            elif function is VendorFunction.DIVIDENDS:
                values = {"dividends_checked_on": session}
            else:
                dates = reply.frame["date"]
                known = holes.get(symbol)
                # A span keeps a part of the reply, so it settles nothing about the rest.
                hole = known
                if not (self.wish.start or self.wish.end) and len(dates):
                    hole = hole_after_reply(known, reply.request, dates, newest_before.get(symbol), self.calendar)
                values = {
                    "last_checked_session": session,
                    "last_reply_newest": dates.max(),
                    "hole_from": hole.start if hole else None,
                    "hole_to": hole.end if hole else None,
                }
                if reply.request.outputsize == "full":
                    values["jumps_scanned_to"] = None
            _upsert_state(connection, symbol, values)
        self.store.note_change(connection, FETCH_STATE.qualified_name)


def _newest_stored(connection: duckdb.DuckDBPyConnection, symbols: list[str]) -> dict[str, dt.date]:
    rows = connection.execute(
        f"SELECT symbol, max(date) FROM {DAILY_PRICES.qualified_name} WHERE list_contains(?, symbol) GROUP BY symbol",
        [symbols],
    ).fetchall()
    return dict(rows)


def _stored_holes(connection: duckdb.DuckDBPyConnection) -> dict[str, Hole]:
    rows = connection.execute(
        f"SELECT symbol, hole_from, hole_to FROM {FETCH_STATE.qualified_name} WHERE hole_to IS NOT NULL"
    ).fetchall()
    return {symbol: Hole(symbol, start, end) for symbol, start, end in rows}


def _upsert_state(connection: duckdb.DuckDBPyConnection, symbol: str, values: Mapping[str, object]) -> None:
    assignments = ", ".join(f"{name} = ?" for name in values)
    known = connection.execute(
        f"UPDATE {FETCH_STATE.qualified_name} SET {assignments} WHERE symbol = ? RETURNING 1",
        [*values.values(), symbol],
    ).fetchone()
    if known is None:
        names = ", ".join(values)
        marks = ", ".join("?" for _ in values)
        connection.execute(
            f"INSERT INTO {FETCH_STATE.qualified_name} (symbol, {names}) VALUES (?, {marks})",
            [symbol, *values.values()],
        )


def _frames(
    replies: Sequence[FetchReply], functions: Sequence[VendorFunction], schema: dict[str, pl.DataType]
) -> pl.DataFrame:
    frames = [r.frame for r in replies if r.request.function in functions and r.frame is not None]
    return pl.concat([pl.DataFrame(schema=schema), *frames])


def _evidence(answered: Sequence[FetchReply], bars: pl.DataFrame) -> list[ActionEvidence]:
    evidence = [actions_from_bars(bars)]
    for function, read in (
        (VendorFunction.SPLITS, actions_from_split_list),
        (VendorFunction.DIVIDENDS, actions_from_dividend_list),
    ):
        if symbols := [r.request.symbol for r in answered if r.request.function is function]:
            evidence.append(read(_frames(answered, [function], ACTIONS_SCHEMA), symbols))
    return evidence
