"""What people decide about events: kept in the operations store at once, applied by the next run.

Every decision is kept with who, when and why; the newest one about an event counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from quant_assets.foundation.errors import UsageError
from quant_assets.ops.store import OperationsStore
from quant_assets.quality.event_records import ACKNOWLEDGED, DISMISSED

__all__ = ["decide_events", "newest_decisions", "with_decisions"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event_decisions (
    decision INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, status TEXT NOT NULL,
    status_by TEXT NOT NULL, status_at TEXT NOT NULL, note TEXT)
"""
_DECISIONS: dict[str, pl.DataType] = {
    "event_id": pl.String(),
    "status": pl.String(),
    "status_by": pl.String(),
    "status_at": pl.Datetime("us", "UTC"),
    "note": pl.String(),
}
_SHORTEST = 6
"""Characters of an event id that may stand for it, where they name one event alone."""


def decide_events(
    store: OperationsStore,
    known: Sequence[str],
    named: Sequence[str],
    *,
    status: str,
    by: str,
    at: dt.datetime,
    note: str | None = None,
) -> list[str]:
    """Record one decision about some events; it counts at once and is applied by the next run.

    Parameters
    ----------
    store : OperationsStore
    known : sequence of str
        Every event id there is.
    named : sequence of str
        Ids as a person gave them, or their beginnings.
    status : str
        ``acknowledged`` (it is wrong, and seen to) or ``dismissed`` (it is right: its bar is released, and the same
        pattern on the same symbol is not raised again).
    by : str
        Who decides.
    at : datetime
        When (aware).
    note : str, optional

    Returns
    -------
    list of str
        The full ids.

    Raises
    ------
    UsageError
        For another status, no name, an unknown id or one that several events share; nothing is recorded then.
    """
    if status not in {ACKNOWLEDGED, DISMISSED}:
        raise UsageError(f"an event can be {ACKNOWLEDGED} or {DISMISSED}, not {status!r}.")
    if not by.strip():
        raise UsageError("say who decides: give --by a name.")
    ids = [_the_one(name, known) for name in named]
    with store.transaction() as connection:
        connection.execute(_SCHEMA)
        connection.executemany(
            "INSERT INTO event_decisions (event_id, status, status_by, status_at, note) VALUES (?, ?, ?, ?, ?)",
            [(event_id, status, by, at.astimezone(dt.UTC).isoformat(), note) for event_id in ids],
        )
    return ids


def _the_one(name: str, known: Sequence[str]) -> str:
    if name in known:
        return name
    matches = [event_id for event_id in known if event_id.startswith(name)] if len(name) >= _SHORTEST else []
    if not matches:
        raise UsageError(f"there is no event {name!r}; `quant events list` shows the ids.")
    if len(matches) > 1:
        raise UsageError(f"{name!r} begins {len(matches)} events, {matches[0]} among them; give more of the id.")
    return matches[0]


def newest_decisions(store: OperationsStore) -> pl.DataFrame:
    """The decision in force about each event: event_id, status, status_by, status_at (UTC), note."""
    with store.transaction() as connection:
        connection.execute(_SCHEMA)
    rows = store.query(
        "SELECT event_id, status, status_by, status_at, note FROM event_decisions "
        "WHERE decision IN (SELECT max(decision) FROM event_decisions GROUP BY event_id) ORDER BY event_id"
    )
    text = {**_DECISIONS, "status_at": pl.String()}
    frame = pl.DataFrame([tuple(row) for row in rows], schema=text, orient="row")
    return frame.with_columns(pl.col("status_at").str.to_datetime(time_unit="us", time_zone="UTC"))


def with_decisions(events: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Events with the status that people gave them.

    Parameters
    ----------
    events : pl.DataFrame
        Rows of ``quality.anomaly_events``.
    decisions : pl.DataFrame
        From :func:`newest_decisions`; decisions about events that are not there are left out.
    """
    columns = ("status", "status_by", "status_at", "note")
    joined = events.drop(columns).join(decisions, on="event_id", how="inner", maintain_order="left")
    decided = joined.select(events.columns)
    return pl.concat([events.join(decided, on="event_id", how="anti"), decided]).sort("event_id")
