"""The operations store: small durable state that something other than a run writes.

One SQLite file (WAL) in the home holds the quota ledger, learned entitlements, the circuit breaker, the alerts
outbox and acknowledgements. A change counts at once; the next run copies what readers need into ``ops.*``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from quant_assets.foundation.errors import CorruptDatabaseError, StorageError

__all__ = ["OperationsStore"]

_BUSY_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS quota_usage (
    key_hash TEXT NOT NULL, day TEXT NOT NULL, used INTEGER NOT NULL DEFAULT 0, exhausted INTEGER NOT NULL DEFAULT 0,
    last_call_at TEXT, PRIMARY KEY (key_hash, day));
CREATE TABLE IF NOT EXISTS entitlement_refusals (
    key_hash TEXT NOT NULL, function TEXT NOT NULL, outputsize TEXT NOT NULL, refused_at TEXT NOT NULL,
    PRIMARY KEY (key_hash, function, outputsize));
CREATE TABLE IF NOT EXISTS breaker_state (
    name TEXT PRIMARY KEY, state TEXT NOT NULL DEFAULT 'closed', failures INTEGER NOT NULL DEFAULT 0,
    successes INTEGER NOT NULL DEFAULT 0, opened_at TEXT, trial_at TEXT);
CREATE TABLE IF NOT EXISTS fetch_savings (
    recorded_at TEXT NOT NULL, run_id TEXT NOT NULL, symbols_current INTEGER NOT NULL, calls_made INTEGER NOT NULL,
    calls_saved INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS alerts (
    alert_id TEXT PRIMARY KEY, kind TEXT NOT NULL, severity TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL,
    created_at TEXT NOT NULL, delivered_at TEXT, attempts INTEGER NOT NULL DEFAULT 0, last_error TEXT);
"""


class OperationsStore:
    """Access to ``operations.sqlite``.

    Every call opens a short connection, so that the store can be shared by threads and processes. Instants are
    stored as ISO 8601 text in UTC.

    Raises
    ------
    StorageError
        Where the file cannot be opened or written.
    CorruptDatabaseError
        Where the file is no SQLite database; it is never replaced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._connection() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"{self.path} cannot be opened ({error}); check that the folder exists and may be written."
            ) from None
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        except sqlite3.OperationalError as error:
            raise StorageError(f"{self.path} cannot be used ({error}); check free space and permissions.") from error
        except sqlite3.DatabaseError as error:
            raise CorruptDatabaseError(
                f"{self.path} is damaged ({error}); restore it from a backup or move it away to start afresh."
            ) from error
        finally:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed at the end of the block, rolled back on any exception."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Rows of a SELECT."""
        with self._connection() as connection:
            return connection.execute(sql, tuple(parameters)).fetchall()

    def fact(self, name: str) -> str | None:
        """Value of a named fact, or None."""
        rows = self.query("SELECT value FROM facts WHERE name = ?", (name,))
        return str(rows[0]["value"]) if rows else None

    def remember(self, name: str, value: str) -> None:
        """Store a named fact."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
            )
