"""What the gate is told and what it says: plain records of bars that are withheld, released or confirmed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from quant_assets.quality.jump_rules import JumpVerdict

__all__ = [
    "ANY_PRICE_KIND",
    "CONFIRMED",
    "RELEASED",
    "RESOLVED",
    "Confirmation",
    "GateHistory",
    "GatePath",
    "Jump",
    "Withheld",
]

CONFIRMED = "confirmed"
RELEASED = "released"
RESOLVED = "resolved"
ANY_PRICE_KIND = "any price kind"
"""Kind of a confirmation that concerns whatever was raised about the price of the bar."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """One bar that is withheld: ``event_date`` is the session of the jump that it belongs to."""

    date: dt.date
    event_date: dt.date
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Jump:
    """A withheld jump: its kind, its row, and the row that it was compared with."""

    kind: str
    row: int
    reference: int


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
    hindsight : dict of date to Withheld
        Bars that had passed and are withheld now, since a later bar took their jump back.
    """

    verdicts: dict[dt.date, JumpVerdict] = field(default_factory=dict)
    withheld: dict[dt.date, Withheld] = field(default_factory=dict)
    released: dict[dt.date, tuple[dt.date, str]] = field(default_factory=dict)
    confirmations: list[Confirmation] = field(default_factory=list)
    reference: dict[dt.date, dt.date] = field(default_factory=dict)
    muted: dict[dt.date, JumpVerdict] = field(default_factory=dict)
    hindsight: dict[dt.date, Withheld] = field(default_factory=dict)
