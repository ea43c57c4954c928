"""Who is champion and challenger, since when, by whom and why: small state in the operations store.

It is changed by runs and by people, at once and in one transaction per change; the next run copies it into
``signals.models`` and ``signals.model_events``, and MLflow's aliases follow it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from quant_assets.foundation.errors import UsageError
from quant_assets.ops.store import OperationsStore
from quant_assets.signals.tables import MODEL_EVENTS

__all__ = ["CHALLENGER", "CHAMPION", "Holder", "ModelLedger", "roll_back"]

CHAMPION, CHALLENGER = "champion", "challenger"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS model_aliases (
    model TEXT NOT NULL, alias TEXT NOT NULL, model_version TEXT NOT NULL, PRIMARY KEY (model, alias));
CREATE TABLE IF NOT EXISTS model_events (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT, happened_at TEXT NOT NULL, model TEXT NOT NULL, model_version TEXT,
    event TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """A version that holds an alias of a model."""

    model: str
    alias: str
    model_version: str


class ModelLedger:
    """Aliases and events of models.

    Parameters
    ----------
    store : OperationsStore
    """

    def __init__(self, store: OperationsStore) -> None:
        self._store = store
        with store.transaction() as connection:
            for statement in _SCHEMA.split(";"):
                if statement.strip():
                    connection.execute(statement)

    def holders(self) -> tuple[Holder, ...]:
        """Every alias that is held, by model and alias."""
        rows = self._store.query("SELECT model, alias, model_version FROM model_aliases ORDER BY model, alias")
        return tuple(Holder(*row) for row in rows)

    def holder(self, model: str, alias: str) -> str | None:
        """Version that holds an alias of a model."""
        return next((h.model_version for h in self.holders() if (h.model, h.alias) == (model, alias)), None)

    def note(
        self, model: str, model_version: str | None, event: str, *, actor: str, reason: str, alias: str | None = None
    ) -> None:
        """Record an event and, with ``alias``, give that alias to the version, in one transaction.

        A version holds one alias at most: taking one gives up the other.
        """
        now = dt.datetime.now(dt.UTC).isoformat()
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT INTO model_events (happened_at, model, model_version, event, actor, reason) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (now, model, model_version, event, actor, reason),
            )
            if alias is not None and model_version is not None:
                connection.execute("DELETE FROM model_aliases WHERE model_version = ?", (model_version,))
                connection.execute(
                    "INSERT INTO model_aliases VALUES (?, ?, ?) "
                    "ON CONFLICT (model, alias) DO UPDATE SET model_version = excluded.model_version",
                    (model, alias, model_version),
                )

    def release(self, model_version: str) -> None:
        """Take every alias from a version."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM model_aliases WHERE model_version = ?", (model_version,))

    def former_champions(self, model: str) -> tuple[str, ...]:
        """Versions that were champion before the present one, the newest first.

        Whoever was rolled back from is not among them: a roll-back takes a promotion away, and a second one goes
        further back.
        """
        rows = self._store.query(
            "SELECT model_version, event FROM model_events WHERE model = ? AND event IN ('promoted', 'rolled_back') "
            "ORDER BY event_id",
            (model,),
        )
        reigns: list[str] = []
        for version, event in rows:
            if event == "rolled_back" and version in reigns:
                del reigns[reigns.index(version) + 1 :]
            else:
                reigns = [*(former for former in reigns if former != version), str(version)]
        present = self.holder(model, CHAMPION)
        return tuple(version for version in reversed(reigns) if version != present)

    def deleted(self) -> tuple[str, ...]:
        """Versions that somebody deleted."""
        rows = self._store.query("SELECT DISTINCT model_version FROM model_events WHERE event = 'deleted'")
        return tuple(str(row[0]) for row in rows)

    def registered(self) -> dict[str, str]:
        """Versions that an event names and nobody deleted, with the reason of their first event: their verdict."""
        rows = self._store.query(
            "SELECT model_version, reason FROM model_events WHERE model_version IS NOT NULL AND model_version NOT IN "
            "(SELECT model_version FROM model_events WHERE event = 'deleted' AND model_version IS NOT NULL) "
            "ORDER BY event_id DESC"
        )
        return {str(version): str(reason) for version, reason in rows}

    def last_event(self, model: str) -> tuple[str, str] | None:
        """Newest event of a model and its reason."""
        rows = self._store.query(
            "SELECT event, reason FROM model_events WHERE model = ? ORDER BY event_id DESC LIMIT 1", (model,)
        )
        return (str(rows[0][0]), str(rows[0][1])) if rows else None

    def highest_number(self, model: str) -> int:
        """Highest version number that any event mentions; 0 without one."""
        rows = self._store.query(
            "SELECT DISTINCT model_version FROM model_events WHERE model = ? AND model_version IS NOT NULL", (model,)
        )
        return max((int(str(row[0]).rpartition("-")[2]) for row in rows), default=0)

    def events(self) -> pl.DataFrame:
        """Every event as rows of ``signals.model_events``."""
        names = MODEL_EVENTS.column_names
        rows = [
            tuple(row)
            for row in self._store.query(
                "SELECT event_id, happened_at, model, model_version, event, actor, reason FROM model_events"
            )
        ]
        text = {**MODEL_EVENTS.polars_schema, "happened_at": pl.String()}
        frame = pl.DataFrame(rows, schema={name: text[name] for name in names}, orient="row")
        return frame.with_columns(pl.col("happened_at").str.to_datetime(time_unit="us", time_zone="UTC"))


def roll_back(ledger: ModelLedger, model: str, available: tuple[str, ...], *, actor: str, reason: str) -> str:
    """Make the champion before the present one champion again; returns its version.

    Raises
    ------
    UsageError
        Where there is none whose files are still there.
    """
    former = [version for version in ledger.former_champions(model) if version in available]
    if not former:
        raise UsageError(f"{model} has no former champion to roll back to; see 'quant models list'.")
    ledger.note(model, former[0], "rolled_back", actor=actor, reason=reason, alias=CHAMPION)
    return former[0]
