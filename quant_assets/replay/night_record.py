"""The record of a replay: each night, and every prediction with the proof that it came before its outcome.

A DuckDB file of its own (``record.duckdb``) beside the replay's readers' database. It is put in place anew after each
night, so that readers may hold it open and never stop the replay; the replay writes ``.record.duckdb``. Two clocks are
kept for each prediction: the replay's, which the pipeline lived by, and the wall's, which nobody can set back. A
night's start is noted before its prices are asked for, and a prediction before the next night may start.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from quant_assets.foundation.databases import open_database
from quant_assets.foundation.tables import Column, Table
from quant_assets.replay.nights import Night, diary_line

__all__ = ["NIGHTS", "PREDICTIONS", "NightRecord", "Proof"]

_SESSION = Column("session", "DATE", "Session of the night.")

NIGHTS = Table(
    schema="replay",
    name="nights",
    key=("session",),
    description="One row per night of the replay; ended_at is null where it has not been completed.",
    columns=(
        _SESSION,
        Column("clock", "TIMESTAMPTZ", "Where the replay's clock stood."),
        Column("started_at", "TIMESTAMPTZ", "Wall clock before the night's prices were first asked for."),
        Column("ended_at", "TIMESTAMPTZ", "Wall clock when everything of the night was done.", nullable=True),
        Column("run_id", "VARCHAR", "Dagster run of the nightly job.", nullable=True),
        Column("outcome", "VARCHAR", "success, or failed where the nightly run did.", nullable=True),
        Column("diary", "VARCHAR", "The night in one line.", nullable=True),
    ),
)

PREDICTIONS = Table(
    schema="replay",
    name="predictions",
    key=("kind", "model", "symbol", "as_of", "horizon_days"),
    description="One row per signal and forecast of the replay, as published on its night, with what came of it.",
    columns=(
        Column("kind", "VARCHAR", "signal or forecast."),
        Column("model", "VARCHAR", "Model that predicted."),
        Column("symbol", "VARCHAR", "Symbol, or (portfolio)."),
        Column("as_of", "DATE", "Session on whose close it was made."),
        Column("horizon_days", "INTEGER", "Sessions ahead.", "sessions"),
        Column("target_date", "DATE", "Session that decides it."),
        Column("model_version", "VARCHAR", "Version; empty for forecasts."),
        Column("predicted", "DOUBLE", "Probability of a signal, median of a forecast.", nullable=True),
        Column("low", "DOUBLE", "5 % quantile of a forecast.", nullable=True),
        Column("high", "DOUBLE", "95 % quantile of a forecast.", nullable=True),
        Column("newest_bar", "DATE", "Newest bar of any symbol in the publication that held the prediction."),
        Column("decided_at", "TIMESTAMPTZ", "The replay's clock when it was made."),
        Column("written_at", "TIMESTAMPTZ", "Wall clock when it was written here."),
        Column(
            "outcome", "DOUBLE", "1 or 0 for a signal's event, the portfolio's value for a forecast.", nullable=True
        ),
        Column("outcome_clock", "TIMESTAMPTZ", "The replay's clock when the target's bars first came.", nullable=True),
        Column("outcome_after", "TIMESTAMPTZ", "Wall clock before they were first asked for.", nullable=True),
    ),
)

_CURSORS = """
CREATE TABLE IF NOT EXISTS replay.sensor_cursors (sensor VARCHAR NOT NULL, cursor VARCHAR)
"""
_PROOF = """
CREATE OR REPLACE VIEW replay.proof AS
SELECT
    kind,
    model,
    count(*) AS predictions,
    count(outcome_clock) AS decided,
    count(*) FILTER (
        WHERE newest_bar > as_of OR target_date <= as_of OR decided_at >= outcome_clock OR written_at >= outcome_after
    ) AS too_late
FROM replay.predictions
GROUP BY ALL
ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """How many predictions there are, how many have an outcome, and how many did not come before it."""

    predictions: int
    decided: int
    too_late: int


class NightRecord:
    """Reads and writes of the record.

    Parameters
    ----------
    path : Path
        The DuckDB file for readers; the file that is written lies beside it and is created where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = path.with_name(f".{path.name}")
        with open_database(self._written) as connection:
            for statement in (*NIGHTS.ddl(), *PREDICTIONS.ddl(), _CURSORS, _PROOF):
                connection.execute(statement)

    def done(self) -> dict[dt.date, str]:
        """Diary line of every completed night, in order.

        The newest night does not count where it failed: it is to be lived again. An earlier one that failed stays
        failed, since a home never goes back behind what a later night has fetched.
        """
        sql = """
        SELECT session, diary FROM replay.nights
        WHERE ended_at IS NOT NULL
            AND NOT (outcome = 'failed' AND session = (SELECT max(session) FROM replay.nights))
        ORDER BY session
        """
        with open_database(self._written) as connection:
            return dict(connection.execute(sql).fetchall())

    def failed(self) -> int:
        """Completed nights whose nightly run failed."""
        with open_database(self._written) as connection:
            found = connection.execute("SELECT count(*) FROM replay.nights WHERE outcome = 'failed'").fetchall()
        return int(found[0][0])

    def start(self, session: dt.date, clock: dt.datetime, now: dt.datetime) -> dt.datetime:
        """Note that a night starts; returns when it first did (a repeated night keeps its first start)."""
        with open_database(self._written) as connection:
            connection.execute(
                "INSERT INTO replay.nights (session, clock, started_at) SELECT ?, ?, ? "
                "WHERE NOT EXISTS (FROM replay.nights WHERE session = ?)",
                [session, clock, now, session],
            )
            found = connection.execute("SELECT started_at FROM replay.nights WHERE session = ?", [session]).fetchall()
        started: dt.datetime = found[0][0]
        return started

    def note_predictions(self, predictions: pl.DataFrame) -> int:
        """Write predictions; one that is there already stays as it was first written. Returns how many are new."""
        rows = PREDICTIONS.validate(predictions)
        with open_database(self._written) as connection:
            connection.register("offered", rows)
            return int(
                connection.execute(
                    "INSERT INTO replay.predictions FROM offered "
                    "ANTI JOIN replay.predictions USING (kind, model, symbol, as_of, horizon_days)"
                ).fetchall()[0][0]
            )

    def note_outcomes(self, outcomes: pl.DataFrame) -> None:
        """Fill in what came of predictions.

        Parameters
        ----------
        outcomes : DataFrame
            The key of the predictions, ``outcome`` (null where only the bars are there) and ``outcome_clock``.
        """
        with open_database(self._written) as connection:
            connection.register("offered", outcomes)
            connection.execute(
                """
                UPDATE replay.predictions AS known
                SET outcome = offered.outcome, outcome_clock = offered.outcome_clock, outcome_after = nights.started_at
                FROM offered, replay.nights AS nights
                WHERE known.kind = offered.kind AND known.model = offered.model AND known.symbol = offered.symbol
                    AND known.as_of = offered.as_of AND known.horizon_days = offered.horizon_days
                    AND nights.session = known.target_date AND known.outcome IS NULL
                """
            )

    def waiting(self, session: dt.date) -> pl.DataFrame:
        """Predictions whose target has been reached and whose outcome is not known yet."""
        sql = "FROM replay.predictions WHERE outcome IS NULL AND target_date <= ?"
        with open_database(self._written) as connection:
            return connection.execute(sql, [session]).pl()

    def end(self, night: Night, *, run_id: str, now: dt.datetime, cursors: Mapping[str, str | None]) -> None:
        """Complete a night together with the sensors' cursors, in one transaction."""
        with open_database(self._written) as connection:
            connection.begin()
            connection.execute(
                "UPDATE replay.nights SET ended_at = ?, run_id = ?, outcome = ?, diary = ? WHERE session = ?",
                [now, run_id, "failed" if night.error else "success", diary_line(night), night.session],
            )
            connection.execute("DELETE FROM replay.sensor_cursors")
            for sensor, cursor in cursors.items():
                connection.execute("INSERT INTO replay.sensor_cursors VALUES (?, ?)", [sensor, cursor])
            connection.commit()
        self._put_in_place()

    def _put_in_place(self) -> None:
        copied = self.path.with_name(f".{self.path.name}.next")
        shutil.copyfile(self._written, copied)
        copied.replace(self.path)

    def cursors(self) -> dict[str, str | None]:
        """Cursor of every sensor after the newest completed night."""
        with open_database(self._written) as connection:
            return dict(connection.execute("FROM replay.sensor_cursors").fetchall())

    def proof(self) -> Proof:
        """Whether every prediction came before its outcome, counted."""
        sql = "SELECT sum(predictions), sum(decided), sum(too_late) FROM replay.proof"
        with open_database(self._written) as connection:
            found = connection.execute(sql).fetchall()[0]
        return Proof(*(int(value or 0) for value in found))
