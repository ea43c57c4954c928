"""Alert rows for HIGH events, in the operations store, from where they are delivered."""

from __future__ import annotations

import datetime as dt

import polars as pl

from quant_assets.ops.store import OperationsStore
from quant_assets.quality.reports import alerts_of

__all__ = ["raise_alerts"]


def raise_alerts(store: OperationsStore, events: pl.DataFrame, *, now: dt.datetime) -> int:
    """Put alerts for the HIGH events into the outbox; an event that is raised again keeps its first alert.

    Parameters
    ----------
    store : OperationsStore
    events : pl.DataFrame
        New rows of ``quality.anomaly_events``.
    now : datetime
        Wall clock (aware).

    Returns
    -------
    int
        New alerts.
    """
    alerts = alerts_of(events)
    if alerts.is_empty():
        return 0
    created_at = now.astimezone(dt.UTC).isoformat()
    with store.transaction() as connection:
        before = connection.total_changes
        connection.executemany(
            "INSERT OR IGNORE INTO alerts (alert_id, kind, severity, subject, body, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [(*row, created_at) for row in alerts.iter_rows()],
        )
        return connection.total_changes - before
