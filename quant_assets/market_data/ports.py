"""What this room asks of the outside world: a price source. Adapters live in ``resources/``.

Nothing here does I/O. A request names one call of the vendor's protocol; a reply is a value, whether it holds
data or a failure, so that one dead symbol degrades that symbol only.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import polars as pl

__all__ = [
    "ACTIONS_SCHEMA",
    "BARS_SCHEMA",
    "EntitlementMemory",
    "FetchOutcome",
    "FetchReply",
    "FetchRequest",
    "PriceSource",
    "QuotaLedger",
    "StateStore",
    "VendorFunction",
]

BARS_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "date": pl.Date(),
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Int64(),
    "adjusted_close": pl.Float64(),
    "dividend_amount": pl.Float64(),
    "split_coefficient": pl.Float64(),
}
"""Bars as the vendor sent them, as traded. The last three are null where the function does not carry them."""

ACTIONS_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "effective_date": pl.Date(),
    "kind": pl.String(),
    "value": pl.Float64(),
}
"""Corporate actions as listed; ``kind`` is ``split`` (a factor) or ``dividend`` (currency per share)."""


class VendorFunction(StrEnum):
    """Functions of the vendor's protocol that the pipeline calls."""

    DAILY = "TIME_SERIES_DAILY"
    DAILY_ADJUSTED = "TIME_SERIES_DAILY_ADJUSTED"
    SPLITS = "SPLITS"
    DIVIDENDS = "DIVIDENDS"


class FetchOutcome(StrEnum):
    """How one request ended. Everything but ``OK`` and ``NO_EVENTS`` is a failure with its reason."""

    OK = "ok"
    NO_EVENTS = "no_events"
    DAILY_QUOTA = "daily_quota"
    THROTTLED = "throttled"
    FUNCTION_NOT_ENTITLED = "function_not_entitled"
    PARAMETER_NOT_ENTITLED = "parameter_not_entitled"
    KEY_REJECTED = "key_rejected"
    BAD_SYMBOL = "bad_symbol"
    EMPTY = "empty"
    UNRECOGNISED = "unrecognised"
    SERVER_FAULT = "server_fault"
    TRANSPORT = "transport"
    CIRCUIT_OPEN = "circuit_open"


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One call: ``outputsize`` is ``compact`` or ``full`` for time series and empty for events."""

    symbol: str
    function: VendorFunction
    outputsize: str = ""


@dataclass(frozen=True, slots=True)
class FetchReply:
    """What came back for one request.

    ``frame`` has ``BARS_SCHEMA`` or ``ACTIONS_SCHEMA`` columns, sorted by date, and is ``None`` unless the outcome
    is ``OK`` or ``NO_EVENTS`` (then empty). A value the vendor left out (``None``, ``null``, ``-``, ``n/a``) is null.
    ``message`` is the vendor's text with the key removed, or our own; with ``OK`` it is empty or says what was left
    out of the reply, such as the unfinished bar of the running session. ``requested_at`` is the wall clock in UTC;
    ``latency_ms`` is time spent on the network over all attempts, pauses excluded; ``attempts`` counts calls that
    left this machine. ``body_sha256`` is of the body as received (hex, empty where there was none), and
    ``parser_version`` names the code that read it, so that a stored row can be traced to its reply.
    """

    request: FetchRequest
    outcome: FetchOutcome
    frame: pl.DataFrame | None
    message: str
    requested_at: dt.datetime
    latency_ms: float
    attempts: int
    body_sha256: str = ""
    parser_version: str = ""


class PriceSource(Protocol):
    """A price vendor, the replay server included."""

    @property
    def identity(self) -> str:
        """Names the source for good, such as ``alpha_vantage`` or ``replay-packaged``; a home is bound to it."""
        ...

    def now(self) -> dt.datetime:
        """The source's clock (aware, UTC): the wall clock for the vendor, the replay's for a replay."""
        ...

    def fetch(self, requests: Sequence[FetchRequest]) -> Iterator[FetchReply]:
        """Answer every request, in completion order, concurrently within the plan's limits.

        Never raises for a single request. When the day's quota is spent, the key is rejected or the breaker opens,
        the remaining requests are answered with that outcome without a call (``attempts`` 0).
        """
        ...

    def calls_left_today(self) -> int | None:
        """Calls the quota still allows today; ``None`` on a plan without a daily limit."""
        ...

    def is_entitled(self, function: VendorFunction, outputsize: str = "") -> bool:
        """False where an earlier reply refused the function or the parameter and that memory has not expired."""
        ...


class QuotaLedger(Protocol):
    """Durable count of calls, shared by processes. The key is known by its hash alone.

    ``day`` is the vendor's day. Whether a refused or throttled call costs one of the day's calls is documented
    nowhere, so every attempt is counted before it is made.
    """

    def reserve(self, key_hash: str, day: dt.date, limit: int) -> bool:
        """Count one attempt before it is made; False (and nothing counted) where the limit is reached."""
        ...

    def exhaust(self, key_hash: str, day: dt.date) -> None:
        """Record the vendor's own word that the day is spent."""
        ...

    def used(self, key_hash: str, day: dt.date) -> int:
        """Attempts counted on ``day``."""
        ...

    def is_exhausted(self, key_hash: str, day: dt.date) -> bool:
        """Whether the vendor said that ``day`` is spent."""
        ...

    def last_call_at(self, key_hash: str) -> dt.datetime | None:
        """Wall clock (UTC) of the newest attempt of any process, so that the next one keeps its distance."""
        ...


class EntitlementMemory(Protocol):
    """What the vendor's replies taught about the plan, with expiry.

    An empty ``outputsize`` stands for the function as a whole.
    """

    def refuse(self, key_hash: str, function: str, outputsize: str, now: dt.datetime) -> None:
        """Remember a refusal."""
        ...

    def allows(self, key_hash: str, function: str, outputsize: str, now: dt.datetime) -> bool:
        """False while a refusal is remembered."""
        ...


class StateStore(Protocol):
    """Small durable state in SQLite, shared by processes: what an adapter sees of the operations store."""

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """One write transaction: committed at the end of the block, rolled back on any exception."""
        ...

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Rows of a SELECT."""
        ...
