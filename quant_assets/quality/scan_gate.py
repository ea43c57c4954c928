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
from quant_assets.quality.gate import GateHistory, GatePath, Withheld, walk_gate
from quant_assets.quality.jump_rules import FREEZING_KINDS, PRICE_JUMP
from quant_assets.quality.muting import MutedPatterns
from quant_assets.quality.reference import SymbolBars
from quant_assets.quality.scan_state import SentinelState

__all__ = ["GATE_KINDS", "PanelGate"]

GATE_KINDS = FREEZING_KINDS | {PRICE_JUMP}
"""Kinds that the gate decides."""


_Rows = npt.NDArray[np.datetime64]


@dataclass(slots=True)
class _SymbolGate:
    """One symbol's bars, which of them are to be decided, and what is withheld so far."""

    bars: SymbolBars
    dates: _Rows
    pending: npt.NDArray[np.bool_]
    withheld: dict[dt.date, Withheld]
    passed: set[dt.date]


@dataclass(slots=True)
class PanelGate:
    """Walks every symbol's pending bars, remembering what is withheld from one stretch of sessions to the next.

    ``paths`` collects the decisions as (symbol, path); ``resolved`` the bars whose jump a corporate action explains
    now, as (symbol, date).
    """

    gates: dict[str, _SymbolGate]
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
        gates = {}
        for (symbol,), group in measures.group_by("symbol", maintain_order=True):
            dates, new_dates = group["date"].to_numpy(), set(group.filter("is_pending")["date"].to_list())
            # A restated bar is judged afresh, whatever was decided about what it replaces.
            held = {date: entry for date, entry in withheld.get(symbol, {}).items() if date not in new_dates}
            again = np.array([d for d, entry in held.items() if entry.kind in FREEZING_KINDS], dtype="datetime64[D]")
            gates[symbol] = _SymbolGate(
                bars=SymbolBars.from_frame(symbol, group),
                dates=dates,
                pending=group["is_pending"].to_numpy() | np.isin(dates, again),
                withheld=held,
                passed=passed.get(symbol, set()) - new_dates,
            )
        return cls(gates, muted, splits_asked)

    def pending_dates(self) -> list[dt.date]:
        """Sessions on which some bar is to be decided, sorted."""
        found = [gate.dates[gate.pending] for gate in self.gates.values()]
        return np.unique(np.concatenate(found)).tolist() if found else []

    def walk(self, first: dt.date, last: dt.date, high_score: float) -> list[tuple[str, GatePath]]:
        """Decide the pending bars of the sessions from ``first`` to ``last``."""
        walked = []
        for symbol, gate in self.gates.items():
            within = gate.pending & (gate.dates >= np.datetime64(first)) & (gate.dates <= np.datetime64(last))
            if within.any():
                path = walk_gate(
                    gate.bars,
                    pending=within,
                    high_score=high_score,
                    splits_note=partial(self._splits_note, symbol),
                    history=GateHistory(dict(gate.withheld), frozenset(gate.passed), partial(self._is_muted, symbol)),
                )
                self._remember(symbol, path, gate.dates[within].tolist())
                walked.append((symbol, path))
        self.paths.extend(walked)
        return walked

    def _remember(self, symbol: str, path: GatePath, decided: list[dt.date]) -> None:
        gate = self.gates[symbol]
        explained = [date for date in decided if date in gate.withheld and date not in path.withheld]
        self.resolved.extend((symbol, gate.withheld[date]) for date in explained)
        gate.withheld.update(path.withheld)
        for date in (*explained, *path.released):
            gate.withheld.pop(date, None)
            gate.passed.add(date)

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
