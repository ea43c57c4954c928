"""From what a scan found to rows of the room's tables: events, withheld bars, releases and confirmations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from quant_assets.quality.bar_vintage import bar_checksum
from quant_assets.quality.event_records import dismissed_events, event_records, quarantine_records
from quant_assets.quality.gate_records import ANY_PRICE_KIND, RESOLVED
from quant_assets.quality.scan_detectors import Detectors
from quant_assets.quality.scan_gate import PanelGate
from quant_assets.quality.scan_state import ScanInput, ScanResult, SentinelState
from quant_assets.quality.tables import BAR_SCORES, EVENT_CONFIRMATIONS, QUARANTINED_PRICES

__all__ = ["RESTATED", "WITHHELD_SCHEMA", "ScanFindings", "scan_outcome"]

RESTATED = "restated"
_KEYS = ["symbol", "date"]
_PRICE_KINDS = frozenset({"price_jump", "news_move", "price_spike_in_bar"})

WITHHELD_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "date": pl.Date(),
    "event_date": pl.Date(),
    "kind": pl.String(),
    "reason": pl.String(),
}
_VERDICT_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "date": pl.Date(),
    "kind": pl.String(),
    "verdict": pl.String(),
    "known_date": pl.Date(),
    "details": pl.String(),
}
_RELEASE_SCHEMA: dict[str, pl.DataType] = {"symbol": pl.String(), "date": pl.Date(), "release_reason": pl.String()}


@dataclass(frozen=True, slots=True)
class ScanFindings:
    """What a scan found.

    Parameters
    ----------
    scores : pl.DataFrame
        A row of ``quality.bar_scores`` per pending bar.
    raised : pl.DataFrame
        ``FINDINGS_SCHEMA``, without what is muted.
    withheld : pl.DataFrame
        ``WITHHELD_SCHEMA``: bars withheld on their night and the event that withholds them.
    """

    scores: pl.DataFrame
    raised: pl.DataFrame
    withheld: pl.DataFrame


def scan_outcome(
    scan: ScanInput, state: SentinelState, found: ScanFindings, detectors: Detectors, gate: PanelGate
) -> ScanResult:
    """Rows to merge into the room's tables."""
    scores = found.scores.select(BAR_SCORES.column_names).sort(_KEYS)
    events = event_records(found.raised, scan.bars, scores, detected_at=scan.now, run_id=scan.run_id)
    events = events.join(state.events, on="event_id", how="anti")
    identities = _event_identities(state, events)
    in_force = state.quarantined.filter(pl.col("released_at").is_null())
    # Bars that were withheld already, for the same event, and are not restated keep their row.
    kept = in_force.join(scores, on=_KEYS, how="anti")
    fresh = found.withheld.join(
        identities.rename({"date": "event_date"}), on=["symbol", "event_date", "kind"], how="left"
    ).join(kept, on=[*_KEYS, "event_id"], how="anti", nulls_equal=True)
    fresh = pl.concat([fresh, _hindsight(gate, identities, state)])
    quarantined = quarantine_records(fresh, scan.bars, quarantined_at=scan.now)
    cleared = in_force.join(scores, on=_KEYS, how="semi").join(fresh, on=_KEYS, how="anti")
    same = cleared.with_columns(bar_checksum().alias("bar_checksum")).join(
        scores, on=[*_KEYS, "bar_checksum"], how="semi"
    )
    restated = cleared.join(same, on=_KEYS, how="anti")
    releases = _releases(state, gate, restated, same)
    changed = _released(
        pl.concat([in_force.join(quarantined, on=_KEYS, how="anti"), quarantined]), releases, scan, new=quarantined
    )
    return ScanResult(
        scores=scores,
        events=events,
        confirmations=_confirmations(scan, gate, restated, identities, state),
        quarantined=_without_known(changed, state.quarantined),
        models=detectors.new_models(),
        predictions=detectors.new_predictions(),
        thresholds=detectors.new_thresholds(),
        trees=detectors.trees,
    )


def _event_identities(state: SentinelState, events: pl.DataFrame) -> pl.DataFrame:
    """symbol, date, kind -> event_id; of several vintages of one bar, the newest event."""
    columns = ("symbol", "date", "kind", "event_id", "detected_at")
    known = pl.concat([state.events.select(columns), events.select(columns)]).sort("detected_at", maintain_order=True)
    return known.unique(("symbol", "date", "kind"), keep="last", maintain_order=True).drop("detected_at")


def _hindsight(gate: PanelGate, identities: pl.DataFrame, state: SentinelState) -> pl.DataFrame:
    """Bars that had passed and are withheld now, under the event of their jump where one was raised.

    A jump that a person called right stays right.
    """
    rows = [
        (symbol, entry.date, entry.event_date, entry.kind, entry.reason)
        for symbol, path in gate.paths
        for entry in path.hindsight.values()
    ]
    prices = identities.filter(pl.col("kind").is_in(list(_PRICE_KINDS))).unique(["symbol", "date"], keep="first")
    events = prices.select("symbol", pl.col("date").alias("event_date"), "event_id")
    joined = pl.DataFrame(rows, schema=WITHHELD_SCHEMA, orient="row").join(
        events, on=["symbol", "event_date"], how="left"
    )
    dismissed = state.events.filter(pl.col("event_id").is_in(dismissed_events(state.events)))
    called_right = dismissed.select("symbol", pl.col("date").alias("event_date"))
    return joined.join(called_right, on=["symbol", "event_date"], how="anti")


def _without_known(changed: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Leave out what is stored already: a bar judged again keeps the instants of the night that withheld it."""
    facts = [name for name in QUARANTINED_PRICES.column_names if name not in {"quarantined_at", "released_at"}]
    state = pl.col("released_at").is_null().alias("is_in_force")
    known = stored.select(*facts, state)
    return (
        changed.with_columns(state)
        .join(known, on=[*facts, "is_in_force"], how="anti", nulls_equal=True)
        .drop("is_in_force")
    )


def _releases(state: SentinelState, gate: PanelGate, restated: pl.DataFrame, same: pl.DataFrame) -> pl.DataFrame:
    """Bars that are let through now, and why."""
    dismissed = state.events.filter(pl.col("event_id").is_in(dismissed_events(state.events)))
    by_person = state.quarantined.filter(pl.col("released_at").is_null()).join(
        dismissed.select("event_id", "status_by"), on="event_id", how="inner"
    )
    rows: Iterable[tuple[object, ...]] = (
        *((symbol, date, reason) for symbol, path in gate.paths for date, (_, reason) in path.released.items()),
        *((symbol, entry.date, "a corporate action recorded since explains it") for symbol, entry in gate.resolved),
        *((symbol, date, "restated by the vendor") for symbol, date in restated.select(_KEYS).iter_rows()),
        *((symbol, date, "found right when judged again") for symbol, date in same.select(_KEYS).iter_rows()),
        *(
            (symbol, date, f"dismissed by {who or 'unknown'}")
            for symbol, date, who in by_person.select(*_KEYS, "status_by").iter_rows()
        ),
    )
    return pl.DataFrame(list(rows), schema=_RELEASE_SCHEMA, orient="row").unique(
        _KEYS, keep="last", maintain_order=True
    )


def _released(rows: pl.DataFrame, releases: pl.DataFrame, scan: ScanInput, *, new: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``quality.quarantined_prices`` that changed: the new ones, and those that are released."""
    joined = rows.drop("release_reason", "released_at").join(releases, on=_KEYS, how="left")
    now = pl.lit(scan.now).cast(pl.Datetime("us", "UTC"))
    marked = joined.with_columns(pl.when(pl.col("release_reason").is_not_null()).then(now).alias("released_at"))
    is_new = marked.join(new.select(*_KEYS, pl.lit(value=True).alias("is_new")), on=_KEYS, how="left")
    changed = is_new.filter(pl.col("is_new").fill_null(value=False) | pl.col("released_at").is_not_null())
    return changed.select(QUARANTINED_PRICES.column_names).sort(_KEYS)


def _confirmations(
    scan: ScanInput, gate: PanelGate, restated: pl.DataFrame, identities: pl.DataFrame, state: SentinelState
) -> pl.DataFrame:
    explained = "a corporate action recorded since explains the jump"
    by_bars = [
        (symbol, c.event_date, c.kind, c.verdict, c.known_date, c.details)
        for symbol, path in gate.paths
        for c in path.confirmations
    ]
    by_actions = [
        (symbol, entry.event_date, entry.kind, RESOLVED, scan.as_of, explained)
        for symbol, entry in gate.resolved
        if entry.event_date == entry.date
    ]
    rows = pl.DataFrame([*by_bars, *by_actions], schema=_VERDICT_SCHEMA, orient="row")
    prices = identities.filter(pl.col("kind").is_in(list(_PRICE_KINDS)))
    verdicts = pl.concat(
        [
            rows.join(identities, on=["symbol", "date", "kind"], how="inner").select(*_VERDICT_SCHEMA, "event_id"),
            rows.filter(pl.col("kind") == ANY_PRICE_KIND)
            .drop("kind")
            .join(prices, on=_KEYS, how="inner")
            .select(*_VERDICT_SCHEMA, "event_id"),
        ]
    )
    by_vendor = (
        restated.select("event_id")
        .join(state.events.select("event_id", "symbol", "date", "kind"), on="event_id", how="inner")
        .with_columns(
            pl.lit(RESTATED).alias("verdict"),
            pl.lit(scan.as_of).alias("known_date"),
            pl.lit("the vendor restated the bar and nothing is wrong with it now").alias("details"),
        )
    )
    columns = [*_VERDICT_SCHEMA, "event_id"]
    return (
        pl.concat([verdicts.select(columns), by_vendor.select(columns)])
        .with_columns(pl.lit(scan.now).cast(pl.Datetime("us", "UTC")).alias("confirmed_at"))
        .unique(["event_id", "verdict"], keep="first", maintain_order=True)
        .select(EVENT_CONFIRMATIONS.column_names)
        .sort("event_id", "verdict")
    )
