"""The alerts outbox: rows first, so that nothing is lost; told once per event.

An alert is a row of the operations store before anybody is told. What was told to whom is kept per channel in
``alert_deliveries``; ``alerts`` itself holds the sum that readers see. Delivery lies in ``alert_delivery``.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from quant_assets.ops.ports import Alert, AlertDetails
from quant_assets.ops.store import OperationsStore

__all__ = [
    "ALERT_CHANNEL",
    "OUTBOX_SCHEMA",
    "SEVERITIES",
    "alert_from_row",
    "newest_alerts",
    "raise_alerts",
    "untold_alerts",
]

ALERT_CHANNEL = "alert_channel"
"""Kind of the alert that a channel itself cannot be used; it goes out by the others."""

SEVERITIES = ("HIGH", "MEDIUM", "LOW")
"""The gravest first."""

OUTBOX_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS alert_details (alert_id TEXT PRIMARY KEY, details TEXT NOT NULL)",
    """
    CREATE TABLE IF NOT EXISTS alert_deliveries (
        alert_id TEXT NOT NULL, channel TEXT NOT NULL, delivered_at TEXT NOT NULL, PRIMARY KEY (alert_id, channel))
    """,
    """
    CREATE TABLE IF NOT EXISTS alert_failures (
        alert_id TEXT NOT NULL, channel TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (alert_id, channel))
    """,
    """
    CREATE TABLE IF NOT EXISTS alert_channels (
        name TEXT PRIMARY KEY, failures INTEGER NOT NULL DEFAULT 0, not_before TEXT, last_error TEXT)
    """,
)
"""Tables of the outbox beside ``alerts``."""


_LISTED = """
WITH listed AS (
    SELECT alerts.*, alert_details.details AS details, (
        SELECT group_concat(value, ', ') FROM json_each(?) AS channels
        WHERE alerts.alert_id NOT IN (SELECT alert_id FROM alert_deliveries WHERE channel = value)
        AND NOT (kind = ? AND alerts.alert_id LIKE kind || ':' || value || ':%')
    ) AS pending
    FROM alerts LEFT JOIN alert_details USING (alert_id))
SELECT * FROM listed WHERE ? OR pending IS NOT NULL OR (? AND delivered_at IS NULL)
ORDER BY created_at DESC, alert_id LIMIT ?
"""
_ALL = -1
"""No limit, in SQLite's words."""


def raise_alerts(store: OperationsStore, alerts: Sequence[Alert]) -> int:
    """Put alerts into the outbox; one that is there already stays as it was first raised.

    Details are added where a row has none yet, so that a room may raise the row and a sensor add the figures.

    Returns
    -------
    int
        Alerts that are new.
    """
    if not alerts:
        return 0
    new = 0
    with store.transaction() as connection:
        for statement in OUTBOX_SCHEMA:
            connection.execute(statement)
        for alert in alerts:
            inserted = connection.execute(
                "INSERT OR IGNORE INTO alerts (alert_id, kind, severity, subject, body, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    alert.alert_id,
                    alert.kind,
                    alert.severity,
                    alert.subject,
                    alert.body,
                    alert.created_at.astimezone(dt.UTC).isoformat(),
                ),
            )
            new += inserted.rowcount
            if alert.details != AlertDetails():
                connection.execute(
                    "INSERT OR IGNORE INTO alert_details VALUES (?, ?)",
                    (alert.alert_id, json.dumps(asdict(alert.details))),
                )
    return new


def newest_alerts(
    store: OperationsStore, limit: int, channels: Sequence[str] = (), *, is_pending_only: bool = False
) -> list[sqlite3.Row]:
    """The newest rows of ``alerts``, newest first, each with its ``details`` and ``pending``: who was not told yet.

    Parameters
    ----------
    store : OperationsStore
    limit : int
        At most so many.
    channels : sequence of str
        Names of the channels that are set.
    is_pending_only : bool
        Only alerts that one of the channels has not been told; where none is set, those that nobody was told.

    Returns
    -------
    list of Row
        ``pending`` holds names separated by commas; null where every channel was told.
    """
    with store.transaction() as connection:
        for statement in OUTBOX_SCHEMA:
            connection.execute(statement)
    asked = (json.dumps(list(channels)), ALERT_CHANNEL, not is_pending_only, not channels, limit)
    return store.query(_LISTED, asked)


def untold_alerts(store: OperationsStore, channel: str) -> list[sqlite3.Row]:
    """Rows of ``alerts``, with their ``details``, that a channel has not been told."""
    return newest_alerts(store, _ALL, [channel], is_pending_only=True)


def alert_from_row(row: sqlite3.Row) -> Alert:
    """An alert from a row of ``alerts`` joined with its ``details`` (JSON or null)."""
    details = json.loads(row["details"]) if row["details"] else {}
    return Alert(
        alert_id=row["alert_id"],
        kind=row["kind"],
        severity=row["severity"],
        subject=row["subject"],
        body=row["body"],
        created_at=dt.datetime.fromisoformat(row["created_at"]),
        details=AlertDetails(**details),
    )
