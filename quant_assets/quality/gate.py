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
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from quant_assets.quality.gate_records import (
    ANY_PRICE_KIND,
    CONFIRMED,
    RELEASED,
    Confirmation,
    GateHistory,
    GatePath,
    Jump,
    Withheld,
)
from quant_assets.quality.jump_rules import FREEZING_KINDS, JumpVerdict, judge_jump
from quant_assets.quality.reference import LEAST_SLACK, NEAR, SymbolBars

__all__ = ["SymbolGate"]

_NONE = -1
"""Row of a reference that does not exist yet."""
_LEFT_OVER = 0.1
"""Part of a withheld jump that may be left after a bar for the price to be back: the news of those days."""
_TAKEN_BACK = 0.3
"""Part of a jump that may be left after the next bar for the jump to count as taken back."""
_HUGE = 10.0
"""Volatilities of a jump that had passed as news from which its being taken back makes its bars wrong. Smaller ones,
there and back, happen: of 82,508 real bars (packaged history, 11 funds, 4 more stocks) none did at this size."""
_LEVEL_BARS = 63
"""Bars within which a jump that had passed can be taken back: a quarter."""


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
        self._reference = _NONE
        self._before = _NONE
        self._jump: Jump | None = None
        self._levels: list[Jump] = []
        self._suspects = bars.suspects() | np.array([date in self._withheld for date in bars.dates], dtype=np.bool_)

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
        self._reference = accepted[0] if accepted else _NONE
        self._before = accepted[1] if len(accepted) > 1 else _NONE
        self._levels, self._jump = [], None
        last = self._withheld.get(dates[start - 1]) if start else None
        if self._reference != _NONE and last is not None:
            self._jump = Jump(last.kind, start - 1, self._reference)

    def _step(self, row: int) -> None:
        """Decide one bar; a stale one says nothing and is passed over."""
        if self._bars.is_stale[row]:
            return
        if self._reference == _NONE or self._bars.dates[row] in self._history.passed:
            self._jump, self._levels = None, []
            self._accept(row)
            return
        if self._jump is not None and self._settle(self._jump, row):
            return
        if self._closes_level(row) or self._ends_spike(row):
            return
        verdict = self._judge(row)
        if verdict is None or (verdict.kind in FREEZING_KINDS and self._ends_accepted_level(row)):
            self._accept(row)
            return
        date = self._bars.dates[row]
        self._path.verdicts[date] = verdict
        self._note_reference(row)
        self._withhold(row, Withheld(date, date, verdict.kind, verdict.details))
        self._jump = Jump(verdict.kind, row, self._reference)

    def _judge(self, row: int) -> JumpVerdict | None:
        bars, reference = self._bars, self._reference
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
        if self._levels:
            self._withhold_at_level(row)
        else:
            self._withheld.pop(self._bars.dates[row], None)
        self._before, self._reference = self._reference, row

    def _withhold_at_level(self, row: int) -> None:
        """Withhold a bar for nothing but the newest open level."""
        level = self._levels[-1]
        event_date = self._bars.dates[level.row]
        reason = f"still at the level of the {level.kind} of {event_date}"
        self._withhold(row, Withheld(self._bars.dates[row], event_date, level.kind, reason))

    def _withhold(self, row: int, entry: Withheld) -> None:
        self._path.withheld[self._bars.dates[row]] = entry
        self._withheld[self._bars.dates[row]] = entry

    def _note_reference(self, row: int) -> None:
        """Record that the bar was compared with another than the one before."""
        if self._reference not in {_NONE, row - 1}:
            self._path.reference[self._bars.dates[row]] = self._bars.dates[self._reference]

    def _settle(self, jump: Jump, row: int) -> bool:
        """What the bar says about the jump of the bar before; True where that also decides the bar."""
        self._jump = None
        if not self._bars.is_nearer(row, jump.row, jump.reference):
            jumped = self._bars.move(jump.row, jump.reference).log_return
            if not self._bars.is_near(row, jump.reference, _LEFT_OVER * abs(jumped)):
                return False
            self._confirm(jump, row)
            self._accept(row)
            return True
        if jump.kind in FREEZING_KINDS:
            self._levels.append(jump)
            self._before, self._reference = jump.reference, jump.row
            return False
        if not self._bars.is_near(row, jump.row):
            return False
        date, event_date = self._bars.dates[row], self._bars.dates[jump.row]
        words = f"the next bar, {date}, holds the level with {self._bars.close[row]:g}"
        self._path.confirmations.append(Confirmation(event_date, jump.kind, RELEASED, date, words))
        if self._levels:
            # Right after the bar before it, but at a level that is not: the bar shares the fate of its neighbours.
            self._withhold_at_level(jump.row)
        else:
            self._path.released[event_date] = (date, words)
            self._withheld.pop(event_date, None)
        self._before, self._reference = jump.reference, jump.row
        self._accept(row)
        return True

    def _closes_level(self, row: int) -> bool:
        """Whether the bar takes back the newest open levels; True where it did."""
        move = self._bars.move(row, self._reference)
        slack = NEAR * move.scale if np.isfinite(move.scale) else LEAST_SLACK
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

    def _confirm(self, jump: Jump, row: int) -> None:
        """The jump's bars were wrong: the price is back."""
        date = self._bars.dates[row]
        words = f"the next good bar, {date}, returns to {self._bars.close[row]:g}"
        self._path.confirmations.append(Confirmation(self._bars.dates[jump.row], jump.kind, CONFIRMED, date, words))

    def _ends_spike(self, row: int) -> bool:
        """Whether the bar only takes back a jump of the bar before, which had passed; True where it did."""
        reference, before = self._reference, self._before
        if before == _NONE:
            return False
        there, back, whole = (
            self._bars.move(end, start) for end, start in ((reference, before), (row, reference), (row, before))
        )
        is_large = min(there.score_size, back.score_size) > NEAR and there.log_return * back.log_return < 0
        if not is_large or whole.score_size > NEAR:
            return False
        if abs(whole.log_return) > _TAKEN_BACK * abs(there.log_return):
            return False
        self._take_back(reference, before, row)
        self._accept(row)
        return True

    def _ends_accepted_level(self, row: int) -> bool:
        """Whether a bar that looks wrong only takes back a huge jump that had passed as news within a quarter."""
        bars, back = self._bars, self._bars.move(row, self._reference).log_return
        for jump in range(row - 1, max(0, row - _LEVEL_BARS), -1):
            if not self._suspects[jump] or bars.dates[jump] in self._withheld:
                continue
            before = jump - 1
            while before >= 0 and (bars.dates[before] in self._withheld or bars.is_stale[before]):
                before -= 1
            if before < 0:
                return False
            there = bars.move(jump, before)
            if there.score_size > _HUGE and abs(there.log_return + back) <= _LEFT_OVER * abs(there.log_return):
                self._take_back(jump, before, row)
                return True
        return False

    def _take_back(self, jump: int, before: int, row: int) -> None:
        """Bar ``row`` takes back a jump that had passed: the bars from the jump on were wrong, as is known now."""
        dates = self._bars.dates
        words = f"the next good bar, {dates[row]}, takes it back with {self._bars.close[row]:g}"
        self._path.confirmations.append(Confirmation(dates[jump], ANY_PRICE_KIND, CONFIRMED, dates[row], words))
        self._reference = before
        if self._bars.move(jump, before).score_size > _HUGE:
            for wrong in range(jump, row):
                reason = f"the jump of {dates[jump]} was taken back by the bar of {dates[row]}"
                entry = Withheld(dates[wrong], dates[jump], ANY_PRICE_KIND, reason)
                self._path.hindsight[dates[wrong]] = entry
                self._withheld[dates[wrong]] = entry
