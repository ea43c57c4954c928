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
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quant_assets.quality.jump_rules import FREEZING_KINDS, JumpVerdict, judge_jump
from quant_assets.quality.reference import SymbolBars

__all__ = [
    "ANY_PRICE_KIND",
    "CONFIRMED",
    "RELEASED",
    "RESOLVED",
    "Confirmation",
    "GateHistory",
    "GatePath",
    "Withheld",
]

CONFIRMED = "confirmed"
RELEASED = "released"
RESOLVED = "resolved"
ANY_PRICE_KIND = "any price kind"
"""Kind of a confirmation that concerns whatever was raised about the price of the bar."""

_NEAR = 4.0
"""Volatilities within which a price has returned to a level, or still holds one."""
_LEFT_OVER = 0.1
"""Part of a withheld jump that may be left after a bar for the price to be back: the news of those days."""
_TAKEN_BACK = 0.3
"""Part of a jump that may be left after the next bar for the jump to count as taken back."""
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


@dataclass(frozen=True, slots=True)
class _Jump:
    """A withheld jump: its kind, its row, and the row that it was compared with."""

    kind: str
    row: int
    reference: int


class SymbolGate:
    """The gate of one symbol.

    A bar is compared with the last bar that made sense. While a level is open (a freezing jump that the bar after it
    confirmed) bars are compared with each other at that level, so that further errors inside it still show, and all
    are withheld; the level closes where a bar takes the jump back.

    Parameters
    ----------
    bars : SymbolBars
        Sane bars, oldest first.
    history : GateHistory
        What earlier nights decided.
    splits_note : callable, optional
        What is known of the vendor's list of splits on a session, for the words.
    """

    def __init__(
        self, bars: SymbolBars, history: GateHistory, splits_note: Callable[[dt.date], str] | None = None
    ) -> None:
        self._bars = bars
        self._history = history
        self._splits_note = splits_note or (lambda _: "")
        self._withheld = dict(history.withheld)
        self._path = GatePath()
        self._high_score = float("inf")
        self._position = -1
        self._reference: int | None = None
        self._before: int | None = None
        self._jump: _Jump | None = None
        self._levels: list[_Jump] = []
        self._suspects = self._find_suspects()

    def walk(self, pending: npt.NDArray[np.bool_], high_score: float) -> GatePath:
        """Decide pending bars, and what they show about the withheld bars before them.

        Parameters
        ----------
        pending : array of shape (n_bars,)
            Rows to decide, none before those of an earlier call; the others were decided on earlier nights.
        high_score : float
            Threshold of HIGH for a move on ordinary volume.

        Returns
        -------
        GatePath
            A decision on row i uses rows up to i alone; what row i shows about earlier ones is in ``released`` and
            ``confirmations`` with its date.
        """
        self._path, self._high_score = GatePath(), high_score
        wanted = np.flatnonzero(pending & self._suspects)
        last = int(np.flatnonzero(pending)[-1]) if pending.any() else -1
        row = int(np.argmax(pending)) if pending.any() else 0
        self._enter(row)
        while row <= last:
            if not self._is_open:
                # Every bar that is no suspect is compared with the one before it and passes.
                following = wanted[np.searchsorted(wanted, row) :]
                if not len(following):
                    break
                row = int(following[0])
                self._enter(row)
            self._step(row)
            self._position = row
            row += 1
        return self._path

    @property
    def _is_open(self) -> bool:
        return self._jump is not None or bool(self._levels)

    def _find_suspects(self) -> npt.NDArray[np.bool_]:
        """Rows whose move since the bar before could be judged at all."""
        bars = self._bars
        moves = np.abs(np.diff(bars.log_close, prepend=bars.log_close[:1]))
        actions = np.abs(np.diff(bars.action_log, prepend=bars.action_log[:1]))
        # A symbol with a short history has no volatility; at two per cent every larger move is a suspect.
        scale = np.nan_to_num(bars.volatility_1d, nan=0.02)
        suspicious = (moves > _NEAR * scale) | (actions > 0.1)
        if self._withheld:
            suspicious |= np.array([date in self._withheld for date in bars.dates], dtype=np.bool_)
        return suspicious

    def _enter(self, start: int) -> None:
        """Set the reference of row ``start``, unless the walk arrives there with something open."""
        if self._is_open and self._position == start - 1:
            return
        dates = self._bars.dates
        accepted: list[int] = []
        row = start - 1
        while row >= 0 and len(accepted) < 2:
            if dates[row] not in self._withheld and not self._bars.is_stale[row]:
                accepted.append(row)
            row -= 1
        self._reference = accepted[0] if accepted else None
        self._before = accepted[1] if len(accepted) > 1 else None
        self._levels, self._jump = [], None
        last = self._withheld.get(dates[start - 1]) if start else None
        if self._reference is not None and last is not None:
            self._jump = _Jump(last.kind, start - 1, self._reference)

    def _step(self, row: int) -> None:
        """Decide one bar; a stale one says nothing and is passed over."""
        if self._bars.is_stale[row]:
            return
        if self._reference is None or self._bars.dates[row] in self._history.passed:
            self._jump, self._levels = None, []
            self._accept(row)
            return
        if self._jump is not None and self._settle(self._jump, row):
            return
        if self._closes_level(row) or self._ends_spike(row):
            return
        verdict = self._judge(row)
        if verdict is None:
            self._accept(row)
            return
        date = self._bars.dates[row]
        self._path.verdicts[date] = verdict
        self._note_reference(row)
        self._withhold(row, Withheld(date, date, verdict.kind, verdict.details))
        self._jump = _Jump(verdict.kind, row, self._last_good())

    def _last_good(self) -> int:
        if self._reference is None:  # pragma: no cover - _step() accepts the first bar unseen
            raise AssertionError("a bar was judged without a reference")
        return self._reference

    def _judge(self, row: int) -> JumpVerdict | None:
        bars, reference = self._bars, self._last_good()
        date = bars.dates[row]
        verdict = judge_jump(bars, row, reference, high_score=self._high_score, splits_note=self._splits_note(date))
        before = self._history.withheld.get(date)
        stands = before is not None and before.event_date == date and bars.move(row, reference).action_log == 0
        if verdict is None and before is not None and stands:
            # Nothing changed but the neighbours' measures: what a night decided stands.
            verdict = JumpVerdict(before.kind, before.kind, float("nan"), before.reason)
        if verdict is not None and self._history.is_muted(verdict.pattern, verdict.magnitude):
            self._path.muted[date] = verdict
            return None
        return verdict

    def _accept(self, row: int) -> None:
        """The bar makes sense after the reference: it passes, unless a level is open."""
        self._note_reference(row)
        date = self._bars.dates[row]
        if self._levels:
            level = self._levels[-1]
            event_date = self._bars.dates[level.row]
            self._withhold(
                row, Withheld(date, event_date, level.kind, f"still at the level of the {level.kind} of {event_date}")
            )
        else:
            self._withheld.pop(date, None)
        self._before, self._reference = self._reference, row

    def _withhold(self, row: int, entry: Withheld) -> None:
        self._path.withheld[self._bars.dates[row]] = entry
        self._withheld[self._bars.dates[row]] = entry

    def _note_reference(self, row: int) -> None:
        """Record that the bar was compared with another than the one before."""
        if self._reference is not None and self._reference != row - 1:
            self._path.reference[self._bars.dates[row]] = self._bars.dates[self._reference]

    def _settle(self, jump: _Jump, row: int) -> bool:
        """What the bar says about the jump of the bar before; True where that also decides the bar."""
        self._jump = None
        if not self._is_nearer(row, jump.row, jump.reference):
            jumped = self._bars.move(jump.row, jump.reference).log_return
            if not self._is_near(row, jump.reference, _LEFT_OVER * abs(jumped)):
                return False
            self._confirm(jump, row)
            self._accept(row)
            return True
        if jump.kind in FREEZING_KINDS:
            self._levels.append(jump)
            self._before, self._reference = jump.reference, jump.row
            return False
        if not self._is_near(row, jump.row):
            return False
        date, event_date = self._bars.dates[row], self._bars.dates[jump.row]
        words = f"the next bar, {date}, holds the level with {self._bars.close[row]:g}"
        self._path.confirmations.append(Confirmation(event_date, jump.kind, RELEASED, date, words))
        self._path.released[event_date] = (date, words)
        self._withheld.pop(event_date, None)
        self._before, self._reference = jump.reference, jump.row
        self._accept(row)
        return True

    def _closes_level(self, row: int) -> bool:
        """Whether the bar takes back the newest open levels; True where it did."""
        move = self._bars.move(row, self._last_good())
        slack = _NEAR * move.scale if np.isfinite(move.scale) else _LEAST_SLACK
        taken_back = 0.0
        for count, level in enumerate(reversed(self._levels), start=1):
            taken_back += self._bars.move(level.row, level.reference).log_return
            # The day's own returns of the jump and of the way back are in it, too.
            allowed = max(slack * math.sqrt(2.0), _LEFT_OVER * abs(taken_back))
            if abs(taken_back) > slack and abs(move.log_return + taken_back) <= allowed:
                closed, self._levels = self._levels[-count:], self._levels[:-count]
                for jump in reversed(closed):
                    self._confirm(jump, row)
                self._reference = closed[0].reference
                self._accept(row)
                return True
        return False

    def _confirm(self, jump: _Jump, row: int) -> None:
        """The jump's bars were wrong: the price is back."""
        date = self._bars.dates[row]
        words = f"the next good bar, {date}, returns to {self._bars.close[row]:g}"
        self._path.confirmations.append(Confirmation(self._bars.dates[jump.row], jump.kind, CONFIRMED, date, words))

    def _ends_spike(self, row: int) -> bool:
        """Whether the bar only takes back a jump of the bar before, which had passed; True where it did."""
        reference, before = self._last_good(), self._before
        if before is None:
            return False
        there, back, whole = (
            self._bars.move(end, start) for end, start in ((reference, before), (row, reference), (row, before))
        )
        is_large = min(there.score_size, back.score_size) > _NEAR and there.log_return * back.log_return < 0
        if not is_large or whole.score_size > _NEAR:
            return False
        if abs(whole.log_return) > _TAKEN_BACK * abs(there.log_return):
            return False
        date = self._bars.dates[row]
        words = f"the next bar, {date}, takes it back with {self._bars.close[row]:g}"
        self._path.confirmations.append(
            Confirmation(self._bars.dates[reference], ANY_PRICE_KIND, CONFIRMED, date, words)
        )
        self._reference = before
        self._accept(row)
        return True

    def _is_near(self, row: int, level_row: int, slack: float = 0.0) -> bool:
        move = self._bars.move(row, level_row)
        if not np.isfinite(move.scale):
            return abs(move.log_return) <= max(slack, _LEAST_SLACK)
        return move.score_size <= _NEAR or abs(move.log_return) <= slack

    def _is_nearer(self, row: int, level_row: int, other_row: int) -> bool:
        to_level = self._bars.move(row, level_row).log_return
        return abs(to_level) < abs(self._bars.move(row, other_row).log_return)
