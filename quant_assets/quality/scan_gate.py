"""The gate over all symbols during a scan, with what earlier nights and people decided."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.quality.event_records import dismissed_events
from quant_assets.quality.gate import SymbolGate
from quant_assets.quality.gate_records import GateHistory, GatePath, Withheld
from quant_assets.quality.jump_rules import FREEZING_KINDS, PRICE_JUMP
from quant_assets.quality.muting import MutedPatterns
from quant_assets.quality.reference import SymbolBars
from quant_assets.quality.scan_state import SentinelState

__all__ = ["GATE_KINDS", "PanelGate"]

GATE_KINDS = FREEZING_KINDS | {PRICE_JUMP}
"""Kinds that the gate decides."""


_Rows = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class _Lane:
    """One symbol's gate, its sessions, which of them are to be decided, and what was withheld before the scan."""

    gate: SymbolGate
    dates: _Rows
    pending: npt.NDArray[np.bool_]
    withheld: Mapping[dt.date, Withheld]


@dataclass(slots=True)
class PanelGate:
    """Walks every symbol's pending bars, remembering what is withheld from one stretch of sessions to the next.

    ``paths`` collects the decisions as (symbol, path); ``resolved`` the bars whose jump a corporate action explains
    now, as (symbol, date).
    """

    lanes: dict[str, _Lane]
    muted: MutedPatterns
    splits_asked: Mapping[str, dt.date]
    paths: list[tuple[str, GatePath]] = field(default_factory=list)
    resolved: list[tuple[str, Withheld]] = field(default_factory=list)

    @classmethod
    def from_state(
        cls, measures: pl.DataFrame, state: SentinelState, muted: MutedPatterns, splits_asked: Mapping[str, dt.date]
    ) -> PanelGate:
        """Set up the gate.

        Parameters
        ----------
        measures : pl.DataFrame
            Measures of the loaded bars with ``is_pending`` and ``expected_step``, sorted by symbol and date.
        state : SentinelState
            What earlier nights withheld and released.
        muted : MutedPatterns
        splits_asked : mapping of str to date
            When the vendor's list of splits was last received.
        """
        withheld = _withheld_earlier(state)
        passed: dict[str, set[dt.date]] = {}
        released = pl.col("released_at").is_not_null() | pl.col("event_id").is_in(dismissed_events(state.events))
        for symbol, date in state.quarantined.filter(released).select("symbol", "date").iter_rows():
            passed.setdefault(symbol, set()).add(date)
        panel = cls({}, muted, splits_asked)
        for (symbol,), group in measures.group_by("symbol", maintain_order=True):
            dates, new_dates = group["date"].to_numpy(), set(group.filter("is_pending")["date"].to_list())
            # A restated bar is judged afresh, whatever was decided about what it replaces.
            held = {date: entry for date, entry in withheld.get(symbol, {}).items() if date not in new_dates}
            again = np.array([d for d, entry in held.items() if entry.kind in FREEZING_KINDS], dtype="datetime64[D]")
            history = GateHistory(
                withheld=held,
                passed=frozenset(passed.get(symbol, set()) - new_dates),
                is_muted=partial(panel._is_muted, symbol),
            )
            panel.lanes[symbol] = _Lane(
                gate=SymbolGate(SymbolBars.from_frame(symbol, group), history, partial(panel._splits_note, symbol)),
                dates=dates,
                pending=group["is_pending"].to_numpy() | np.isin(dates, again),
                withheld=held,
            )
        return panel

    def pending_dates(self) -> list[dt.date]:
        """Sessions on which some bar is to be decided, sorted."""
        found = [lane.dates[lane.pending] for lane in self.lanes.values()]
        return np.unique(np.concatenate(found)).tolist() if found else []

    def walk(self, first: dt.date, last: dt.date, high_score: float) -> list[tuple[str, GatePath]]:
        """Decide the pending bars of the sessions from ``first`` to ``last``."""
        walked = []
        for symbol, lane in self.lanes.items():
            within = lane.pending & (lane.dates >= np.datetime64(first)) & (lane.dates <= np.datetime64(last))
            if within.any():
                path = lane.gate.walk(within, high_score)
                walked.append((symbol, path))
                self.resolved.extend(
                    (symbol, lane.withheld[date])
                    for date in lane.dates[within].tolist()
                    if date in lane.withheld and date not in path.withheld
                )
        self.paths.extend(walked)
        return walked

    def _is_muted(self, symbol: str, pattern: str, magnitude: float) -> bool:
        return self.muted.muted_by(symbol, pattern, magnitude) is not None

    def _splits_note(self, symbol: str, date: dt.date) -> str:
        asked = self.splits_asked.get(symbol)
        if asked is None:
            return "the vendor's list of splits has not been asked, so this is provisional"
        if asked < date:
            return f"the vendor's list of splits was last asked on {asked}, so this is provisional"
        return f"the vendor's list of splits, asked on {asked}, has none"


def _withheld_earlier(state: SentinelState) -> dict[str, dict[dt.date, Withheld]]:
    """Bars that the gate withheld on earlier nights and that still are, per symbol."""
    events = state.events.filter(pl.col("kind").is_in(list(GATE_KINDS)))
    rows = (
        state.quarantined.filter(
            pl.col("released_at").is_null() & ~pl.col("event_id").is_in(dismissed_events(state.events))
        )
        .join(events.select("event_id", "kind", pl.col("date").alias("event_date")), on="event_id", how="inner")
        .select("symbol", "date", "event_date", "kind", "reason")
    )
    found: dict[str, dict[dt.date, Withheld]] = {}
    for symbol, date, event_date, kind, reason in rows.iter_rows():
        found.setdefault(symbol, {})[date] = Withheld(date, event_date, kind, reason)
    return found
