"""One table of corporate actions out of several sources that tell of the same events.

Bars of the adjusted function are believed before the vendor's lists, lists before imports, and all of them before
what was inferred. The same event counts once: on the same date, on a date that is no session (moved to the next
one), or at most two sessions apart with the same value. What sources disagree on is listed, never decided in
silence. An action stays in the table when the bar of its day is missing or withheld.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.market_data.action_inference import infer_actions
from quant_assets.market_data.action_remainder import SAME_VALUE, as_conflicts, inferred_rest, inferred_totals
from quant_assets.market_data.corporate_actions import (
    FACTOR_KINDS,
    FOUND_SCHEMA,
    INFERRED,
    VENDOR_BARS,
    VENDOR_DIVIDENDS,
    VENDOR_SPLITS,
    ActionEvidence,
    named_by_size,
)

__all__ = ["ActionSetting", "ReconciledActions", "reconcile_actions", "update_actions"]

_BELIEF = {VENDOR_BARS: 0, VENDOR_SPLITS: 1, VENDOR_DIVIDENDS: 1, INFERRED: 3}
"""Rank of a source, lower is believed first; an import's own name ranks 2."""
_SAME_EVENT_SESSIONS = 2
"""Two sources that give one event dates this close mean the same one: no share splits twice by the same factor, or
pays the same dividend twice, within two sessions (weekly payers are five apart)."""

_KEY = ["symbol", "effective_date", "kind"]
_NO_MOVES = pl.DataFrame(schema={"symbol": pl.String, "date": pl.Date, "ratio": pl.Float64})


@dataclass(frozen=True, slots=True)
class ActionSetting:
    """What reconciling needs to know beside the evidence.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, close as traded, the withheld bars included; only to call large dividends special.
    calendar : TradingCalendar
        Sessions, to move dates that are none.
    seen_at : datetime
        The source's clock; ``first_seen_at`` of new actions.
    """

    bars: pl.DataFrame
    calendar: TradingCalendar
    seen_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ReconciledActions:
    """The whole table after this night, and what moved.

    ``actions`` has ``FOUND_SCHEMA`` and ``first_seen_at``, sorted by key, one row per key. ``new`` and ``changed``
    (another value, kind or source) are rows of it, ``withdrawn`` of the stored table.
    ``conflicts`` has ``FOUND_SCHEMA`` and other_date, other_value, other_source: the row that was kept and the one
    that was not.
    ``unexplained`` as in :class:`ActionEvidence`.
    """

    actions: pl.DataFrame
    new: pl.DataFrame
    changed: pl.DataFrame
    withdrawn: pl.DataFrame
    conflicts: pl.DataFrame
    unexplained: pl.DataFrame


def update_actions(
    evidence: Sequence[ActionEvidence], stored: pl.DataFrame, setting: ActionSetting, reply_bars: pl.DataFrame
) -> ReconciledActions:
    """Reconcile, infer from the adjusted closes what is still missing, and reconcile again.

    Parameters
    ----------
    evidence : sequence of ActionEvidence
        From bars and lists.
    stored : pl.DataFrame
        market_data.corporate_actions as it is.
    setting : ActionSetting
        Closes, calendar and clock.
    reply_bars : pl.DataFrame
        symbol, date, close, adjusted_close of this night's replies alone, one reply per symbol; may be empty. A reply
        without adjusted closes infers nothing.
    """
    recorded = reconcile_actions(evidence, stored, setting)
    inferred = infer_actions(reply_bars, recorded.actions)
    return reconcile_actions([*evidence, inferred], stored, setting)


def reconcile_actions(
    evidence: Sequence[ActionEvidence], stored: pl.DataFrame, setting: ActionSetting
) -> ReconciledActions:
    """Merge what sources say with what is stored.

    A stored action is withdrawn when its own source looked at its day (or, for a list, its symbol) again and no
    longer has it. Without evidence the stored table comes back as it is.

    Parameters
    ----------
    evidence : sequence of ActionEvidence
        What was read this time. Inferred cash is the whole amount of a date; what exceeds the recorded one stays.
    stored : pl.DataFrame
        symbol, effective_date, kind, value, source, first_seen_at.
    setting : ActionSetting
        Closes, calendar and clock.
    """
    stored = stored.with_columns(is_factor=pl.col("kind").is_in(FACTOR_KINDS))
    found = pl.concat([pl.DataFrame(schema=FOUND_SCHEMA), *(one.actions for one in evidence)])
    found = _on_sessions(found, setting.calendar).with_columns(is_factor=pl.col("kind").is_in(FACTOR_KINDS))
    kept, withdrawn = _without_withdrawn(stored, evidence, found)
    candidates = pl.concat(
        [
            found.with_columns(is_stored=pl.lit(value=False)),
            kept.select(found.columns).with_columns(is_stored=pl.lit(value=True)),
        ]
    ).with_columns(rank=pl.col("source").replace_strict(_BELIEF, default=2, return_dtype=pl.Int64))
    candidates, shifted = _without_shifted_repeats(candidates, setting.calendar)
    is_inferred_cash = (pl.col("source") == INFERRED) & ~pl.col("is_factor")
    best, beaten = _most_believed(candidates.filter(~is_inferred_cash))
    recorded = named_by_size(best, setting.bars)
    rest, disagreeing = inferred_rest(inferred_totals(candidates.filter(is_inferred_cash), stored), recorded)
    # Two dividends of one kind on one date are one row.
    merged = pl.concat([recorded, rest]).group_by(_KEY).agg(pl.col("value").sum(), pl.col("source").first())
    actions = merged.select(FOUND_SCHEMA.keys()).sort(_KEY)
    still_there = actions.with_columns(is_factor=pl.col("kind").is_in(FACTOR_KINDS))
    return ReconciledActions(
        **_against_stored(actions, stored, setting.seen_at),
        withdrawn=withdrawn.join(still_there, on=["symbol", "effective_date", "is_factor"], how="anti")
        .select(*FOUND_SCHEMA, "first_seen_at")
        .sort(_KEY),
        conflicts=pl.concat([shifted, beaten, disagreeing]).sort("symbol", "effective_date", "other_source"),
        unexplained=pl.concat([_NO_MOVES, *(one.unexplained for one in evidence)]),
    )


def _positions(dates: pl.Series, calendar: TradingCalendar) -> pl.Series:
    """Index of the session on or after each date; one past the end beyond the calendar."""
    return pl.Series(np.searchsorted(calendar.sessions, dates.to_numpy(), side="left"), dtype=pl.Int64)


def _on_sessions(actions: pl.DataFrame, calendar: TradingCalendar) -> pl.DataFrame:
    """Move dates that are no session to the next one; dates beyond the calendar stay."""
    positions = _positions(actions["effective_date"], calendar).to_numpy()
    moved = calendar.sessions[np.minimum(positions, len(calendar.sessions) - 1)]
    return actions.with_columns(
        effective_date=pl.when(pl.Series(positions < len(calendar.sessions)))
        .then(pl.Series(moved).cast(pl.Date))
        .otherwise("effective_date")
    )


def _without_withdrawn(
    stored: pl.DataFrame, evidence: Sequence[ActionEvidence], found: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Stored rows that stand, and those that their own source no longer has."""
    withdrawn = [
        stored.filter(pl.col("source") == one.source)
        .join(
            one.looked_at,
            left_on=["symbol", "effective_date"][: one.looked_at.width],
            right_on=one.looked_at.columns,
            how="semi",
        )
        .join(found.filter(pl.col("source") == one.source), on=["symbol", "effective_date", "is_factor"], how="anti")
        for one in evidence
    ]
    gone = pl.concat([stored.clear(), *withdrawn])
    return stored.join(gone, on=_KEY, how="anti"), gone


def _without_shifted_repeats(candidates: pl.DataFrame, calendar: TradingCalendar) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Drop the less believed of two equal events that lie one or two sessions apart."""
    placed = candidates.with_row_index("row").with_columns(position=_positions(candidates["effective_date"], calendar))
    shifts = [k for k in range(-_SAME_EVENT_SESSIONS, _SAME_EVENT_SESSIONS + 1) if k]
    believed = pl.concat([placed.with_columns(pl.col("position") + k) for k in shifts])
    pairs = placed.join(believed, on=["symbol", "is_factor", "position"], suffix="_believed").filter(
        (pl.col("rank_believed") < pl.col("rank"))
        & ((pl.col("value") / pl.col("value_believed") - 1).abs() <= SAME_VALUE)
    )
    conflicts = pairs.filter(~pl.col("is_stored")).select(
        "symbol",
        effective_date="effective_date_believed",
        kind="kind_believed",
        value="value_believed",
        source="source_believed",
        other_date="effective_date",
        other_value="value",
        other_source="source",
    )
    return placed.join(pairs, on="row", how="anti").drop("row", "position"), as_conflicts(conflicts)


def _most_believed(candidates: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of each date's splits, and of its dividends, the rows of one source; fresh rows before stored ones."""
    event = ["symbol", "is_factor", "effective_date"]
    ordered = candidates.sort(*event, "rank", "is_stored", "source").with_columns(
        best_source=pl.col("source").first().over(event), best_is_stored=pl.col("is_stored").first().over(event)
    )
    is_best = (pl.col("source") == pl.col("best_source")) & (pl.col("is_stored") == pl.col("best_is_stored"))
    best = ordered.filter(is_best)
    totals = best.group_by(event).agg(
        pl.col("kind", "source").first(),
        value=pl.when(pl.col("is_factor").first()).then(pl.col("value").product()).otherwise(pl.col("value").sum()),
    )
    others = (
        ordered.filter(pl.col("source") != pl.col("best_source"), ~pl.col("is_stored"))
        .group_by(*event, other_source="source")
        .agg(
            other_value=pl.when(pl.col("is_factor").first())
            .then(pl.col("value").product())
            .otherwise(pl.col("value").sum())
        )
        .join(totals, on=event)
        .filter((pl.col("other_value") / pl.col("value") - 1).abs() > SAME_VALUE)
        .with_columns(other_date="effective_date")
    )
    return best.select(FOUND_SCHEMA.keys()), as_conflicts(others)


def _against_stored(actions: pl.DataFrame, stored: pl.DataFrame, seen_at: dt.datetime) -> dict[str, pl.DataFrame]:
    """Keep the instant at which each event was first seen, and tell new and changed rows."""
    event = ["symbol", "effective_date", "is_factor"]
    instant = pl.Datetime("us", "UTC")
    seen = stored.group_by(event).agg(pl.col("first_seen_at").min().cast(instant))
    dated = (
        actions.with_columns(is_factor=pl.col("kind").is_in(FACTOR_KINDS))
        .join(seen, on=event, how="left", maintain_order="left")
        .with_columns(is_new=pl.col("first_seen_at").is_null())
        .with_columns(pl.col("first_seen_at").fill_null(pl.lit(seen_at).cast(instant)))
    )
    columns = [*FOUND_SCHEMA, "first_seen_at"]
    changed = dated.filter(~pl.col("is_new")).join(stored, on=[*_KEY, "value", "source"], how="anti")
    return {
        "actions": dated.select(columns),
        "new": dated.filter("is_new").select(columns),
        "changed": changed.select(columns).sort(_KEY),
    }
