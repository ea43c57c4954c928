"""Which bars are let through, one after the other: each is compared with the last accepted bar before it.

The gate walks a symbol's bars in order and keeps what a nightly run would have known. A bar that is surely wrong is
withheld. The bars after it decide what it was: where they return to the old level, it was wrong and stays withheld;
where they hold the new one, an unexplained jump was right after all and is released. A jump that a missed split, a
shifted decimal or another instrument's prices would make is *not* cleared by holding, for that is what those errors
do: the symbol stays withheld from there until the vendor restates, the missing corporate action arrives, or a person
dismisses the event.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quant_assets.quality.jump_rules import FREEZING_KINDS, JumpVerdict, judge_jump
from quant_assets.quality.reference import SymbolBars

__all__ = ["CONFIRMED", "RELEASED", "RESOLVED", "Confirmation", "GateHistory", "GatePath", "Withheld", "walk_gate"]

CONFIRMED = "confirmed"
RELEASED = "released"
RESOLVED = "resolved"

_NEAR = 4.0
"""Volatilities within which a price has returned to a level, or still holds one."""
_LEAST_SLACK = 0.05
"""Log slack of the same where a symbol has too little history for a volatility."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """One bar that is withheld: ``event_date`` is the session of the jump that it belongs to."""

    date: dt.date
    event_date: dt.date
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What bars up to ``known_date`` showed about the event of ``event_date``."""

    event_date: dt.date
    kind: str
    verdict: str
    known_date: dt.date
    details: str


def _nothing_is_muted(_pattern: str, _magnitude: float) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class GateHistory:
    """What is known of a symbol from earlier nights.

    Parameters
    ----------
    withheld : mapping of date to Withheld
        Bars that earlier nights withheld and that are still withheld.
    passed : frozenset of date
        Bars that a person or a later bar cleared: accepted whatever they look like.
    is_muted : callable
        Whether a person dismissed this pattern (of this magnitude) for the symbol.
    """

    withheld: Mapping[dt.date, Withheld] = field(default_factory=dict)
    passed: frozenset[dt.date] = frozenset()
    is_muted: Callable[[str, float], bool] = _nothing_is_muted


@dataclass(slots=True)
class GatePath:
    """What the walk decided.

    Parameters
    ----------
    verdicts : dict of date to JumpVerdict
        New events.
    withheld : dict of date to Withheld
        Bars withheld on their night.
    released : dict of date to (date, str)
        Bars let through later: by which session, and why.
    confirmations : list of Confirmation
    reference : dict of date to date
        For bars that were compared with another bar than the one before: which one.
    muted : dict of date to JumpVerdict
        Verdicts that a dismissal kept quiet; their bars pass.
    """

    verdicts: dict[dt.date, JumpVerdict] = field(default_factory=dict)
    withheld: dict[dt.date, Withheld] = field(default_factory=dict)
    released: dict[dt.date, tuple[dt.date, str]] = field(default_factory=dict)
    confirmations: list[Confirmation] = field(default_factory=list)
    reference: dict[dt.date, dt.date] = field(default_factory=dict)
    muted: dict[dt.date, JumpVerdict] = field(default_factory=dict)


@dataclass(slots=True)
class _OpenEvent:
    """An event whose bars are withheld while the bars after it are awaited."""

    kind: str
    row: int
    last_row: int
    reference: int


def walk_gate(
    bars: SymbolBars,
    *,
    pending: npt.NDArray[np.bool_],
    high_score: float,
    splits_note: Callable[[dt.date], str] | None = None,
    history: GateHistory | None = None,
) -> GatePath:
    """Decide the pending bars, and what they show about the withheld bars before them.

    Parameters
    ----------
    bars : SymbolBars
        Sane bars of one symbol, oldest first.
    pending : array of shape (n_bars,)
        Rows to decide; the others were decided on earlier nights.
    high_score : float
        Threshold of HIGH for a move on ordinary volume.
    splits_note : callable, optional
        What is known of the vendor's list of splits on a session, for the words.
    history : GateHistory, optional
        What earlier nights decided; nothing, where omitted.

    Returns
    -------
    GatePath
        A decision on row i uses rows up to i alone; what row i shows about earlier ones is in ``released`` and
        ``confirmations`` with its date.
    """
    walker = _Walker(bars, high_score, splits_note or (lambda _: ""), history or GateHistory())
    suspects = np.flatnonzero(pending & walker.suspects())
    row = int(np.argmax(pending)) if pending.any() else len(pending)
    walker.resume(row)
    while row < len(pending):
        if walker.event is None:
            # Every other bar is compared with the one before it and passes.
            following = suspects[np.searchsorted(suspects, row) :]
            if not len(following):
                break
            if following[0] > row:
                row = int(following[0])
                walker.resume(row)
        if walker.event is None and not pending[row]:
            row += 1
            continue
        walker.step(row)
        row += 1
    return walker.path


class _Walker:
    """State of one walk."""

    def __init__(
        self, bars: SymbolBars, high_score: float, splits_note: Callable[[dt.date], str], history: GateHistory
    ) -> None:
        self.bars = bars
        self.high_score = high_score
        self.splits_note = splits_note
        self.history = history
        self.path = GatePath()
        self.event: _OpenEvent | None = None
        self.reference: int | None = None

    def suspects(self) -> npt.NDArray[np.bool_]:
        """Rows whose move since the bar before could be judged at all."""
        bars = self.bars
        moves = np.abs(np.diff(bars.log_close, prepend=bars.log_close[:1]))
        actions = np.abs(np.diff(bars.action_log, prepend=bars.action_log[:1]))
        # A symbol with a short history has no volatility; half a per cent makes every larger move a suspect.
        scale = np.nan_to_num(bars.volatility_1d, nan=0.02)
        suspicious = (moves > _NEAR * scale) | (actions > 0.1)
        if self.history.withheld:
            suspicious |= np.array([date in self.history.withheld for date in bars.dates], dtype=np.bool_)
        return suspicious

    def resume(self, start: int) -> None:
        """Set the reference of row ``start``; take up an event whose bars reach up to it."""
        self.event, self.reference = None, start - 1 if start else None
        dates, withheld = self.bars.dates, self.history.withheld
        row = start - 1
        if row < 0 or dates[row] not in withheld:
            return
        first = row
        while first > 0 and dates[first - 1] in withheld:
            first -= 1
        self.reference = first - 1 if first else None
        if self.reference is None:
            return
        last = withheld[dates[row]]
        event_row = next((i for i in range(first, row + 1) if dates[i] == last.event_date), first)
        self.event = _OpenEvent(kind=last.kind, row=event_row, last_row=row, reference=self.reference)

    def step(self, row: int) -> None:
        """Decide one bar."""
        if self.reference is None or self.bars.dates[row] in self.history.passed:
            self._accept(row)
            return
        if self.event is not None and self._settle(self.event, row):
            return
        verdict = self._judge(row)
        if verdict is None:
            self._accept(row)
            return
        date = self.bars.dates[row]
        self.path.verdicts[date] = verdict
        self._note_reference(row)
        self.path.withheld[date] = Withheld(date, date, verdict.kind, verdict.details)
        self.event = _OpenEvent(kind=verdict.kind, row=row, last_row=row, reference=self._last_accepted())

    def _judge(self, row: int) -> JumpVerdict | None:
        bars, reference = self.bars, self._last_accepted()
        date = bars.dates[row]
        verdict = judge_jump(bars, row, reference, high_score=self.high_score, splits_note=self.splits_note(date))
        before = self.history.withheld.get(date)
        if verdict is None and before is not None and self._stands(before, row):
            # Nothing changed but the neighbours' measures: what a night decided stands.
            verdict = JumpVerdict(before.kind, before.kind, float("nan"), before.reason)
        if verdict is not None and self.history.is_muted(verdict.pattern, verdict.magnitude):
            self.path.muted[date] = verdict
            return None
        return verdict

    def _stands(self, before: Withheld, row: int) -> bool:
        """Whether an earlier night's verdict on the bar is still in force: no corporate action explains it now."""
        if before.event_date != before.date:
            return before.event_date in self.path.withheld
        return self.bars.move(row, self._last_accepted()).action_log == 0

    def _last_accepted(self) -> int:
        if self.reference is None:  # pragma: no cover - step() accepts the first bar unseen
            raise AssertionError("a bar was judged without a reference")
        return self.reference

    def _accept(self, row: int) -> None:
        self._note_reference(row)
        self.reference = row
        self.event = None

    def _note_reference(self, row: int) -> None:
        """Record that the bar was compared with another than the one before."""
        if self.reference is not None and self.reference != row - 1:
            self.path.reference[self.bars.dates[row]] = self.bars.dates[self.reference]

    def _settle(self, event: _OpenEvent, row: int) -> bool:
        """What the bar says about the open event; True where that also decides the bar."""
        bars = self.bars
        date, event_date = bars.dates[row], bars.dates[event.row]
        returned = self._is_near(row, event.reference)
        held = self._is_near(row, event.last_row)
        if returned and not (held and self._is_closer_to_event(event, row)):
            words = f"the next bar, {date}, returns to {bars.close[row]:g}"
            self.path.confirmations.append(Confirmation(event_date, event.kind, CONFIRMED, date, words))
            self._accept(row)
            return True
        if not held:
            return False
        if event.kind in FREEZING_KINDS:
            reason = f"still at the level of the {event.kind} of {event_date}"
            self.path.withheld[date] = Withheld(date, event_date, event.kind, reason)
            event.last_row = row
            return True
        words = f"the next bar, {date}, holds the level with {bars.close[row]:g}"
        self.path.confirmations.append(Confirmation(event_date, event.kind, RELEASED, date, words))
        self.path.released[event_date] = (date, words)
        self.reference = event.last_row
        self._accept(row)
        return True

    def _is_near(self, row: int, level_row: int) -> bool:
        move = self.bars.move(row, level_row)
        if not np.isfinite(move.scale):
            return abs(move.log_return) <= _LEAST_SLACK
        return move.score_size <= _NEAR

    def _is_closer_to_event(self, event: _OpenEvent, row: int) -> bool:
        to_event = self.bars.move(row, event.last_row).log_return
        to_reference = self.bars.move(row, event.reference).log_return
        return abs(to_event) < abs(to_reference)
