"""The circuit breaker: after repeated faults of the server no more calls are made for a while.

The state machine is pybreaker's; its storage is the operations store, so that the state survives processes and
``quant status`` can show it. pybreaker holds its lock while the guarded call runs, which would make calls in
parallel queue up, so a call is admitted first and its result is told afterwards.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pybreaker

from quant_assets.market_data.ports import StateStore

__all__ = ["FAILURES_TO_OPEN", "SECONDS_TO_HALF_OPEN", "BreakerStatus", "VendorBreaker", "breaker_statuses"]

FAILURES_TO_OPEN = 5
"""Server faults or failed connections in a row. One request makes at most four attempts, so a single bad symbol
cannot open the circuit, and a server that is down costs the free plan five of its calls."""
SECONDS_TO_HALF_OPEN = 120.0
"""Time until one trial call is let through: long enough for a restart of a server, shorter than a retry by hand."""
_SECONDS_CACHED = 1.0
"""How long the stored state is believed before it is read again; another process's news may be this old."""


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """State of one breaker: ``closed``, ``open`` or ``half-open``; instants in UTC."""

    name: str
    state: str
    failures: int
    opened_at: dt.datetime | None


class _Fault(Exception):  # noqa: N818 - a mark for pybreaker, never seen by a caller
    pass


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class _MemoryStorage(pybreaker.CircuitMemoryStorage):
    """State of one process."""

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        super().__init__(pybreaker.STATE_CLOSED)
        self._clock = clock
        self._trial_at: dt.datetime | None = None
        self._trial_lock = threading.Lock()

    @property
    def opened_at(self) -> dt.datetime | None:
        return self._opened_at

    @opened_at.setter
    def opened_at(self, _: dt.datetime) -> None:
        self._opened_at = self._clock()

    def claim_trial(self, now: dt.datetime, wait: dt.timedelta) -> bool:
        with self._trial_lock:
            since = self._opened_at if self.state == pybreaker.STATE_OPEN else self._trial_at
            if since is not None and now < since + wait:
                return False
            self.state, self._trial_at = pybreaker.STATE_HALF_OPEN, now
            return True


class _DurableStorage(pybreaker.CircuitBreakerStorage):
    """State in the operations store, one row per name; read at most once a second, written through."""

    def __init__(self, store: StateStore, name: str, clock: Callable[[], dt.datetime]) -> None:
        super().__init__(name)
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at = -float("inf")
        self._row = BreakerStatus(name, pybreaker.STATE_CLOSED, 0, None)
        self._successes = 0
        with store.transaction() as connection:
            connection.execute("INSERT INTO breaker_state (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))

    def _current(self) -> BreakerStatus:
        with self._lock:
            if time.monotonic() - self._read_at > _SECONDS_CACHED:
                row = self._store.query("SELECT * FROM breaker_state WHERE name = ?", (self.name,))[0]
                self._row, self._successes = _status(row), int(row["successes"])
                self._read_at = time.monotonic()
            return self._row

    def _write(self, assignments: str, *values: object) -> None:
        with self._store.transaction() as connection:
            connection.execute(f"UPDATE breaker_state SET {assignments} WHERE name = ?", (*values, self.name))  # noqa: S608 - literals of this class
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._read_at = -float("inf")

    @property
    def state(self) -> str:
        return self._current().state

    @state.setter
    def state(self, state: str) -> None:
        self._write("state = ?", state)

    @property
    def counter(self) -> int:
        return self._current().failures

    def increment_counter(self) -> None:
        self._write("failures = failures + 1")

    def reset_counter(self) -> None:
        if self._current().failures:  # each success comes here; a write each time would cost more than the call
            self._write("failures = 0")

    @property
    def success_counter(self) -> int:
        self._current()
        return self._successes

    def increment_success_counter(self) -> None:
        self._write("successes = successes + 1")

    def reset_success_counter(self) -> None:
        self._write("successes = 0")

    @property
    def opened_at(self) -> dt.datetime | None:
        return self._current().opened_at

    @opened_at.setter
    def opened_at(self, _: dt.datetime) -> None:
        self._write("opened_at = ?", self._clock().isoformat())

    def claim_trial(self, now: dt.datetime, wait: dt.timedelta) -> bool:
        """Let exactly one caller of all processes try; a trial that never came back is replaced after ``wait``."""
        latest = (now - wait).isoformat()
        with self._store.transaction() as connection:
            claimed = connection.execute(
                "UPDATE breaker_state SET state = ?, trial_at = ? WHERE name = ? AND ("
                "(state = ? AND opened_at <= ?) OR (state = ? AND trial_at <= ?))",
                (
                    pybreaker.STATE_HALF_OPEN,
                    now.isoformat(),
                    self.name,
                    pybreaker.STATE_OPEN,
                    latest,
                    pybreaker.STATE_HALF_OPEN,
                    latest,
                ),
            ).rowcount
        self._forget()
        return claimed == 1


class VendorBreaker:
    """Counts faults of one server and says whether a call may be made.

    Parameters
    ----------
    name
        The server; state is kept per name.
    store
        The operations store; ``None`` keeps the state in this process, as the embedded source needs it (its server
        is new in every run).
    failures_to_open, seconds_to_half_open
        See the constants of this module.
    clock
        Aware, UTC.
    """

    def __init__(
        self,
        name: str,
        store: StateStore | None = None,
        *,
        failures_to_open: int = FAILURES_TO_OPEN,
        seconds_to_half_open: float = SECONDS_TO_HALF_OPEN,
        clock: Callable[[], dt.datetime] = _utc_now,
    ) -> None:
        self.name = name
        self._clock = clock
        self._wait = dt.timedelta(seconds=seconds_to_half_open)
        self._storage = _MemoryStorage(clock) if store is None else _DurableStorage(store, name, clock)
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=failures_to_open, reset_timeout=seconds_to_half_open, state_storage=self._storage, name=name
        )

    @property
    def status(self) -> BreakerStatus:
        """State as stored."""
        return BreakerStatus(self.name, self._storage.state, self._storage.counter, self._storage.opened_at)

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open and its time has not come yet."""
        opened_at = self._storage.opened_at
        is_open: bool = self._storage.state == pybreaker.STATE_OPEN
        return is_open and opened_at is not None and self._clock() < opened_at + self._wait

    def admits(self) -> bool:
        """Whether a call may be made now; on an open circuit whose time has come, True for one caller only."""
        if self._storage.state == pybreaker.STATE_CLOSED:
            return True
        return not self.is_open and self._storage.claim_trial(self._clock(), self._wait)

    def succeeded(self) -> None:
        """A call came back without a fault of the server."""
        if self._storage.state != pybreaker.STATE_OPEN:  # a straggler says nothing about the server now
            self._breaker.call(lambda: None)

    def failed(self) -> None:
        """A call met a fault of the server or no server."""
        if self._storage.state != pybreaker.STATE_OPEN:
            with contextlib.suppress(_Fault, pybreaker.CircuitBreakerError):
                self._breaker.call(_fault)


def breaker_statuses(store: StateStore) -> list[BreakerStatus]:
    """State of every breaker that the store knows, by name."""
    return [_status(row) for row in store.query("SELECT * FROM breaker_state ORDER BY name")]


def _fault() -> None:
    raise _Fault


def _status(row: sqlite3.Row) -> BreakerStatus:
    opened_at = row["opened_at"]
    return BreakerStatus(
        str(row["name"]),
        str(row["state"]),
        int(row["failures"]),
        None if opened_at is None else dt.datetime.fromisoformat(opened_at),
    )
