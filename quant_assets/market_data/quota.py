"""The quota ledger and the entitlement memory on the operations store: durable, shared by threads and processes.

Both know a key by its hash alone (the adapter salts it; see its ``fingerprint``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from quant_assets.ops.store import OperationsStore

__all__ = ["REFUSAL_LIFETIME", "SqliteEntitlementMemory", "SqliteQuotaLedger"]

REFUSAL_LIFETIME = dt.timedelta(days=7)
"""How long a refusal is believed. The vendor has moved functions in and out of the free plan from month to month, so
a week wastes at most one call a week per function and notices a change within one."""


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class SqliteQuotaLedger:
    """Counts attempts per key and day.

    A count is committed before the call is made, so a process killed between the two has counted a call that was
    not made, never the reverse.

    Parameters
    ----------
    store
        The operations store of the home.
    clock
        Wall clock (aware, UTC), for the time of the newest attempt.
    """

    def __init__(self, store: OperationsStore, clock: Callable[[], dt.datetime] = _utc_now) -> None:
        self._store = store
        self._clock = clock

    def reserve(self, key_hash: str, day: dt.date, limit: int) -> bool:
        """Count one attempt; False, with nothing counted, where ``limit`` is reached or the vendor said so."""
        with self._store.transaction() as connection:
            counted = connection.execute(
                "INSERT INTO quota_usage (key_hash, day, used, last_call_at) SELECT ?, ?, 1, ? WHERE ? > 0 "
                "ON CONFLICT (key_hash, day) DO UPDATE SET used = used + 1, last_call_at = excluded.last_call_at "
                "WHERE used < ? AND NOT exhausted",
                (key_hash, day.isoformat(), self._clock().astimezone(dt.UTC).isoformat(), limit, limit),
            ).rowcount
        return counted == 1

    def exhaust(self, key_hash: str, day: dt.date) -> None:
        """Record the vendor's own word that ``day`` is spent, whatever we counted."""
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT INTO quota_usage (key_hash, day, exhausted) VALUES (?, ?, 1) "
                "ON CONFLICT (key_hash, day) DO UPDATE SET exhausted = 1",
                (key_hash, day.isoformat()),
            )

    def used(self, key_hash: str, day: dt.date) -> int:
        """Attempts counted on ``day``."""
        rows = self._store.query(
            "SELECT used FROM quota_usage WHERE key_hash = ? AND day = ?", (key_hash, day.isoformat())
        )
        return int(rows[0]["used"]) if rows else 0

    def is_exhausted(self, key_hash: str, day: dt.date) -> bool:
        """Whether the vendor said that ``day`` is spent."""
        rows = self._store.query(
            "SELECT exhausted FROM quota_usage WHERE key_hash = ? AND day = ?", (key_hash, day.isoformat())
        )
        return bool(rows and rows[0]["exhausted"])

    def last_call_at(self, key_hash: str) -> dt.datetime | None:
        """Wall clock (UTC) of the newest attempt of any process; ``None`` before the first."""
        rows = self._store.query("SELECT max(last_call_at) AS newest FROM quota_usage WHERE key_hash = ?", (key_hash,))
        newest = rows[0]["newest"]
        return None if newest is None else dt.datetime.fromisoformat(newest)


class SqliteEntitlementMemory:
    """Remembers which function or parameter a key was refused, for ``lifetime``."""

    def __init__(self, store: OperationsStore, lifetime: dt.timedelta = REFUSAL_LIFETIME) -> None:
        self._store = store
        self._lifetime = lifetime

    def refuse(self, key_hash: str, function: str, outputsize: str, now: dt.datetime) -> None:
        """Remember a refusal; an empty ``outputsize`` stands for the whole function."""
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT INTO entitlement_refusals VALUES (?, ?, ?, ?) "
                "ON CONFLICT (key_hash, function, outputsize) DO UPDATE SET refused_at = excluded.refused_at",
                (key_hash, function, outputsize, now.astimezone(dt.UTC).isoformat()),
            )

    def allows(self, key_hash: str, function: str, outputsize: str, now: dt.datetime) -> bool:
        """False while a refusal of exactly this function and ``outputsize`` is remembered.

        A refusal dated after ``now`` (a clock that was put back) is not believed.
        """
        rows = self._store.query(
            "SELECT refused_at FROM entitlement_refusals WHERE key_hash = ? AND function = ? AND outputsize = ?",
            (key_hash, function, outputsize),
        )
        if not rows:
            return True
        age = now - dt.datetime.fromisoformat(rows[0]["refused_at"])
        return not dt.timedelta(0) <= age < self._lifetime
