"""What a home knows of being a replay's: the session that it lives through, and whether it tells people.

Alerts that are raised in such a home are marked with the session, so that nobody takes a night of 2008 for tonight.
"""

from __future__ import annotations

import datetime as dt

from quant_assets.ops.ports import REPLAYED
from quant_assets.ops.store import OperationsStore

__all__ = ["begin_replayed_session", "is_telling", "keep_to_itself", "replayed_session", "without_mark"]

_SESSION, _SILENT = "replayed_session", "alerts_kept_as_rows"
_MARK = """
CREATE TRIGGER IF NOT EXISTS mark_replayed_alert AFTER INSERT ON alerts WHEN NEW.subject NOT LIKE '[replay %'
BEGIN
    UPDATE alerts
    SET subject = '[replay ' || (SELECT value FROM facts WHERE name = 'replayed_session') || '] ' || subject
    WHERE alert_id = NEW.alert_id;
END
"""
"""In the database and not in ``raise_alerts``: rooms put rows of their own into the outbox."""


def begin_replayed_session(store: OperationsStore, session: dt.date) -> None:
    """Note the session that the home lives through: subjects of alerts raised from now on begin with it."""
    store.remember(_SESSION, session.isoformat())
    with store.transaction() as connection:
        connection.execute(_MARK)


def replayed_session(store: OperationsStore) -> dt.date | None:
    """Session that the home lives through; None in a home that is no replay's."""
    session = store.fact(_SESSION)
    return dt.date.fromisoformat(session) if session else None


def without_mark(subject: str) -> str:
    """A subject without the mark of its replay."""
    return REPLAYED.sub("", subject, count=1)


def keep_to_itself(store: OperationsStore, *, is_silent: bool) -> None:
    """Note whether the home's alerts stay rows that no channel is told."""
    store.remember(_SILENT, "yes" if is_silent else "no")


def is_telling(store: OperationsStore) -> bool:
    """Whether channels are told of the home's alerts."""
    return store.fact(_SILENT) != "yes"
