"""What the outbox asks of the outside: channels that take a message to people."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["REPLAYED", "Alert", "AlertChannel", "AlertDetails", "AlertMessage", "Sending"]

REPLAYED = re.compile(r"^\[replay (\d{4}-\d{2}-\d{2})\] ")
"""How the subject of an alert begins that a replay of history raised."""


@dataclass(frozen=True, slots=True)
class AlertDetails:
    """Figures of an alert for channels that can lay them out.

    Parameters
    ----------
    symbol : str
        Empty where the alert is about no symbol.
    figures : mapping of str to str
        Named numbers, formatted.
    columns, rows : sequences
        A small table; empty for none.
    link : str
        Where to look further: in a row the path inside the UI, in a message the whole address; empty for nowhere.
    link_hint : str
        What to do first where the address does not open by itself; empty for nothing.
    """

    symbol: str = ""
    figures: Mapping[str, str] = field(default_factory=dict)
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    link: str = ""
    link_hint: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that happened and that people should know.

    Parameters
    ----------
    alert_id : str
        The same for the same event, so that it is raised and told once.
    kind : str
        What it is about, such as run_failure; messages are bundled by it.
    severity : str
        LOW, MEDIUM or HIGH.
    subject : str
        One line.
    body : str
        What happened, with figures, and what to do.
    created_at : datetime
        Wall clock (aware).
    """

    alert_id: str
    kind: str
    severity: str
    subject: str
    body: str
    created_at: dt.datetime
    details: AlertDetails = field(default_factory=AlertDetails, hash=False)


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """One message: an alert, or several of one kind together.

    Parameters
    ----------
    alerts : tuple of Alert
        At least one, the gravest first.
    """

    alerts: tuple[Alert, ...]

    @property
    def is_digest(self) -> bool:
        """Whether it tells of several alerts."""
        return len(self.alerts) > 1

    @property
    def severity(self) -> str:
        """The gravest severity in it."""
        return self.alerts[0].severity

    @property
    def subject(self) -> str:
        """One line for the whole message, marked where a replay raised it."""
        if not self.is_digest:
            return self.alerts[0].subject
        marks = sorted(found[1] for alert in self.alerts if (found := REPLAYED.match(alert.subject)))
        days = " to ".join(dict.fromkeys([marks[0], marks[-1]])) if marks else ""
        mark = f"[replay {days}] " if days else ""
        return f"{mark}{len(self.alerts)} alerts: {self.alerts[0].kind.replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Sending:
    """What came of sending a message.

    Parameters
    ----------
    reason : str
        Why it was not taken, without any secret; empty where it was.
    retry_after_seconds : float, optional
        How long the other side asked to be left alone.
    is_misconfigured : bool
        Whether trying again is pointless before a person changes a setting.
    """

    reason: str = ""
    retry_after_seconds: float | None = None
    is_misconfigured: bool = False

    @property
    def is_delivered(self) -> bool:
        """Whether the other side confirmed."""
        return not self.reason


class AlertChannel(Protocol):
    """A way to people. ``send`` reports every failure as a value; it raises nothing that the network can cause."""

    @property
    def name(self) -> str:
        """Short name, such as slack; deliveries are remembered by it."""
        ...

    def send(self, message: AlertMessage) -> Sending:
        """Send one message and wait for the confirmation, within a limited time."""
        ...
