"""Alert rows of this room, put into the operations store's outbox."""

from __future__ import annotations

import datetime as dt

from quant_assets.ops.store import OperationsStore

__all__ = ["raise_alert"]


def raise_alert(store: OperationsStore, *, alert_id: str, severity: str, subject: str, body: str) -> bool:
    """Raise an alert of the kind ``signals`` once; True where it is new.

    Parameters
    ----------
    alert_id : str
        The same for the same event, so that a night that runs twice raises it once.
    severity : str
        LOW, MEDIUM or HIGH.
    subject : str
        One line.
    body : str
        What happened and what to do.
    """
    with store.transaction() as connection:
        before = connection.total_changes
        connection.execute(
            "INSERT OR IGNORE INTO alerts (alert_id, kind, severity, subject, body, created_at) "
            "VALUES (?, 'signals', ?, ?, ?, ?)",
            (alert_id, severity, subject, body, dt.datetime.now(dt.UTC).isoformat()),
        )
        return connection.total_changes > before
