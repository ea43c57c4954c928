"""Faults to order: which call is answered wrongly, and how.

A rule matches calls by symbol and function, lets the first ``skip`` matching calls through and then strikes ``times``
times, or for good. The first rule that strikes decides; every rule that matches counts the call.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import StrEnum

from quant_assets.foundation.errors import UsageError
from quant_assets.replay.notices import Notice

__all__ = ["Fault", "FaultRule", "Faults", "Transport"]


class Transport(StrEnum):
    """Faults of the transport or of the data, beyond the notices of :class:`Notice`."""

    HTTP_STATUS = "http_status"
    """An HTML page with status ``status``."""
    SLOW = "slow"
    """The right answer after ``seconds``."""
    TRICKLE = "trickle"
    """The right answer, dribbled over ``seconds``: no read lasts long, the whole does."""
    DROPPED = "dropped"
    """The connection is reset before a byte is sent."""
    TRUNCATED = "truncated"
    """Half of the body, then the connection closes."""
    CUT_SHORT = "cut_short"
    """Half of the body as if it were the whole, with a fitting length."""
    GARBAGE = "garbage"
    """Bytes that are no text, under the content type of data."""
    HTML_PAGE = "html_page"
    """A web page with status 200."""
    WRONG_CONTENT_TYPE = "wrong_content_type"
    """The right body under the content type of a web page."""
    EMPTY_SERIES = "empty_series"
    """A well-formed time series without a row."""
    PARTIAL_BAR = "partial_bar"
    """The right answer with an unfinished bar of the clock's New York date on top."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong answer: a notice or a transport fault; ``seconds`` and ``status`` where the kind needs them."""

    kind: Notice | Transport
    seconds: float = 0.0
    status: int = 500


@dataclass(slots=True)
class FaultRule:
    """Which calls a fault strikes; ``times`` None strikes for good. ``struck`` counts what it did."""

    fault: Fault
    symbol: str | None = None
    function: str | None = None
    skip: int = 0
    times: int | None = 1
    struck: int = 0
    seen: int = field(default=0, repr=False)

    def strikes(self, symbol: str, function: str) -> bool:
        """Count a call and say whether this rule strikes it."""
        if (self.symbol or symbol) != symbol or (self.function or function) != function:
            return False
        self.seen += 1
        return self.seen > self.skip and (self.times is None or self.struck < self.times)


class Faults:
    """The rules of a server, oldest first; may be changed while it serves."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []
        self._lock = threading.Lock()

    def add(
        self,
        kind: Notice | Transport | str,
        *,
        symbol: str | None = None,
        function: str | None = None,
        skip: int = 0,
        times: int | None = 1,
        seconds: float = 0.0,
        status: int = 500,
    ) -> FaultRule:
        """Add a rule and return it.

        Parameters
        ----------
        kind : Notice, Transport or str
            What to answer; a name such as ``daily_quota`` or ``dropped`` will do.
        symbol, function : str, optional
            Strike these alone; any where left out.
        skip : int
            Matching calls let through first: 2 strikes the third.
        times : int or None
            How often to strike; None for good.
        seconds : float
            Delay of ``slow`` and ``trickle``.
        status : int
            Status of ``http_status``.

        Raises
        ------
        UsageError
            For a kind that does not exist.
        """
        rule = FaultRule(Fault(_known(kind), seconds, status), symbol, function, skip, times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def kill(self, symbol: str) -> FaultRule:
        """Answer every call for ``symbol`` as if it did not exist, for good."""
        return self.add(Notice.INVALID_CALL, symbol=symbol, times=None)

    def clear(self) -> None:
        """Forget every rule."""
        with self._lock:
            self._rules.clear()

    def strike(self, symbol: str, function: str) -> Fault | None:
        """The fault that answers this call, if any."""
        with self._lock:
            striking = [rule for rule in self._rules if rule.strikes(symbol, function)]
            if not striking:
                return None
            striking[0].struck += 1
            return striking[0].fault


def _known(kind: Notice | Transport | str) -> Notice | Transport:
    for kinds in (Notice, Transport):
        if kind in list(kinds):
            return kinds(kind)
    names = ", ".join([*Notice, *Transport])
    raise UsageError(f"there is no fault named {kind!r}; choose one of: {names}")
