"""What a scan needs of the warehouse, and what it leaves there."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import duckdb
import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.table_store import TableStore
from quant_assets.foundation.tables import Table
from quant_assets.market_data.tables import CORPORATE_ACTIONS, DAILY_PRICES, FETCH_STATE
from quant_assets.ops.tables import RUN_STATE
from quant_assets.quality.bar_vintage import CHECKSUM_SQL
from quant_assets.quality.decisions import with_decisions
from quant_assets.quality.jump_rules import FREEZING_KINDS
from quant_assets.quality.reports import daily_summary, sentinel_measures
from quant_assets.quality.scan_state import ScanInput, ScanResult, SentinelState
from quant_assets.quality.tables import (
    ANOMALY_EVENTS,
    BAR_SCORES,
    DAILY_SUMMARY,
    EVENT_CONFIRMATIONS,
    ISOLATION_TREES,
    MODELS,
    PROPHET_PREDICTIONS,
    QUARANTINED_PRICES,
    SENTINEL_MEASURES,
    THRESHOLDS,
)

__all__ = ["HISTORY_SESSIONS", "LoadedScan", "load_scan", "store_scan"]

HISTORY_SESSIONS = 900
"""Sessions loaded before the first bar to score: three years of scores to calibrate on (756), and the longest window
of a detector (504 bars) with the bars that the measures in it look back on (127) and room for holes."""

_IN_SIGHT = "date >= ? AND (date <= ? OR date > ?)"
"""Bars up to the run's as-of date, and those from the future, which are withheld at once."""
_FIRST_DUE = """
SELECT min(date) FROM (
    SELECT prices.date
    FROM market_data.daily_prices AS prices
    LEFT JOIN quality.bar_scores AS scores ON prices.symbol = scores.symbol AND prices.date = scores.date
    WHERE (prices.date <= ? OR prices.date > ?)
        AND (scores.bar_updated_at IS DISTINCT FROM prices.updated_at
            OR scores.bar_checksum IS DISTINCT FROM @checksum)
    UNION ALL
    SELECT withheld.date
    FROM quality.quarantined_prices AS withheld
    JOIN quality.anomaly_events AS events ON withheld.event_id = events.event_id
    WHERE withheld.released_at IS NULL AND list_contains(?, events.kind))
""".replace("@checksum", CHECKSUM_SQL)
"""Oldest bar that was never scored in its present vintage, or that belongs to a level which may have been explained."""


_REBUILT = (BAR_SCORES, MODELS, PROPHET_PREDICTIONS, THRESHOLDS, ISOLATION_TREES, DAILY_SUMMARY)
"""Tables that a full refresh makes again."""


@dataclass(frozen=True, slots=True)
class LoadedScan:
    """Input and state of a scan.

    ``is_due`` is false where no bar is new, restated or waiting for the next one; with ``is_full_refresh`` the state
    holds what people see and decide alone, and what the scan finds replaces the rest.
    """

    scan: ScanInput
    state: SentinelState
    is_due: bool
    is_full_refresh: bool = False


def load_scan(
    store: TableStore, decisions: pl.DataFrame, calendar: TradingCalendar, *, is_full_refresh: bool = False
) -> LoadedScan:
    """Read what the next scan needs: the bars that are due and what came before them.

    Parameters
    ----------
    store : TableStore
        The warehouse, with the tables of market_data, ops and this room.
    decisions : pl.DataFrame
        What people decided (``newest_decisions``).
    calendar : TradingCalendar
    is_full_refresh : bool
        Every bar is due, and scores, fits and thresholds are forgotten; events, decisions and withheld bars are not.
    """
    # One connection for all reads: opening the file costs more than any of them on a night with one session.
    with store.connect() as connection:

        def rows(table: Table, where: str = "true", *parameters: object) -> pl.DataFrame:
            names = ", ".join(f'"{name}"' for name in table.column_names)
            sql = f"SELECT {names} FROM {table.qualified_name} WHERE {where}"  # noqa: S608 - declared names
            return connection.execute(sql, list(parameters)).pl().cast(pl.Schema(table.polars_schema))

        run = rows(RUN_STATE).row(0, named=True)
        as_of, now = run["as_of"], run["source_clock"]
        today = max(as_of, now.date())
        due = connection.execute(_FIRST_DUE, [as_of, today, sorted(FREEZING_KINDS)]).fetchone()
        first = due[0] if due else None
        if is_full_refresh:
            oldest = connection.execute("SELECT min(date) FROM market_data.daily_prices").fetchone()
            first = oldest[0] if oldest else None
        since = _shifted_back(calendar, first or as_of)
        bars = rows(DAILY_PRICES, _IN_SIGHT, since, as_of, today) if first else DAILY_PRICES.empty()
        asked = rows(FETCH_STATE, "splits_checked_on IS NOT NULL").select("symbol", "splits_checked_on")
        scan = ScanInput(
            bars=bars,
            actions=rows(CORPORATE_ACTIONS),
            calendar=calendar,
            as_of=as_of,
            now=now,
            run_id=store.run_id,
            today=today,
            splits_asked=dict(asked.iter_rows()),
        )
        people = SentinelState(
            events=with_decisions(rows(ANOMALY_EVENTS), decisions), quarantined=rows(QUARANTINED_PRICES)
        )
        if is_full_refresh:
            return LoadedScan(scan, people, is_due=first is not None, is_full_refresh=True)
        state = replace(
            people,
            scores=rows(BAR_SCORES, "date >= ?", since),
            models=rows(MODELS, "serves_to >= ?", since),
            predictions=rows(PROPHET_PREDICTIONS, "date >= ?", first or as_of),
            trees=rows(ISOLATION_TREES),
            thresholds=rows(THRESHOLDS),
        )
    return LoadedScan(scan, state, is_due=first is not None)


def _shifted_back(calendar: TradingCalendar, first: dt.date) -> dt.date:
    oldest = calendar.sessions[0].item()
    if calendar.count_between(oldest, first) <= HISTORY_SESSIONS:
        return dt.date(1900, 1, 1)
    return calendar.shift(first, -HISTORY_SESSIONS)


def store_scan(store: TableStore, loaded: LoadedScan, result: ScanResult) -> None:
    """Write a scan in one transaction: merged rows, statuses that people decided, summaries and measures.

    Parameters
    ----------
    store : TableStore
    loaded : LoadedScan
        What the scan was given; its events carry the statuses of today.
    result : ScanResult
    """
    events = pl.concat([loaded.state.events, result.events])
    merged: list[tuple[Table, pl.DataFrame]] = [
        (BAR_SCORES, result.scores),
        (EVENT_CONFIRMATIONS, result.confirmations),
        (QUARANTINED_PRICES, result.quarantined),
        (MODELS, result.models),
        (PROPHET_PREDICTIONS, result.predictions),
        (THRESHOLDS, result.thresholds),
        (ANOMALY_EVENTS, events),
        (SENTINEL_MEASURES, sentinel_measures(events, loaded.scan.as_of)),
    ]
    with store.transaction() as connection:
        for table in _REBUILT if loaded.is_full_refresh else ():
            connection.execute(f"DELETE FROM {table.qualified_name}")  # noqa: S608 - declared names
            store.note_change(connection, table.qualified_name)
        for table, frame in merged:
            if len(frame):
                store.merge_within(connection, table, table.validate(frame))
        if result.trees is not None:
            connection.execute("DELETE FROM quality.isolation_trees")
            store.append_within(connection, ISOLATION_TREES, result.trees)
        summary = _summary(connection, result, events)
        if len(summary):
            store.merge_within(connection, DAILY_SUMMARY, DAILY_SUMMARY.validate(summary))


def _summary(connection: duckdb.DuckDBPyConnection, result: ScanResult, events: pl.DataFrame) -> pl.DataFrame:
    """The summary of every session that the scan or a decision touched."""
    dates = pl.concat([result.scores["date"], result.quarantined["date"], result.events["date"]]).unique().to_list()

    def rows(sql: str) -> pl.DataFrame:
        return connection.execute(f"{sql} WHERE list_contains(?, date)", [dates]).pl()

    return daily_summary(
        rows("SELECT date, isolation_score, prophet_score, volume_zscore FROM quality.bar_scores"),
        events.filter(pl.col("date").is_in(dates)),
        rows("SELECT date, released_at FROM quality.quarantined_prices"),
        rows("SELECT date, volume FROM market_data.daily_prices"),
    )
