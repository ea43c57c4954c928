"""One publication, opened read-only: what it holds, and reads from it.

The file behind the symlink is opened once and stays readable after the publisher has removed it. Every request reads
through a cursor of its own, so that requests run side by side; the file is closed when the last of them has ended.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from quant_assets.serving.api.contract import Promised
from quant_assets.serving.api.disclaimers import disclaimer
from quant_assets.serving.api.newest_rows import NewestRows, preload
from quant_assets.serving.api.problems import Problem

__all__ = ["Publication", "Reading", "Snapshot", "open_snapshot"]

_SETTINGS = (
    "SET TimeZone = 'UTC'",
    # One thread a query: requests run side by side instead of each splitting itself, which took three times the CPU.
    "SET threads TO 1",
    "SET memory_limit = '1GB'",
    "SET enable_external_access = false",
)


@dataclass(frozen=True, slots=True)
class Publication:
    """What ``ops.publications`` says of the newest run.

    Parameters
    ----------
    name : str
        File name without suffix; names the publication in ETags.
    tables : mapping
        ``schema.table`` -> its rows and whether the run updated it.
    """

    name: str
    published_at: dt.datetime
    as_of: dt.date | None
    source: str | None
    source_clock: dt.datetime | None
    outcome: str
    run_id: str
    tables: Mapping[str, Mapping[str, object]]

    @property
    def disclaimer(self) -> str:
        """What must be said beside its figures."""
        return disclaimer(self.source)

    def facts(self) -> dict[str, object]:
        """What every answer carries."""
        return {
            "as_of": self.as_of,
            "published_at": self.published_at,
            "source": self.source,
            "disclaimer": self.disclaimer,
        }


class Reading:
    """The reads of one request; :meth:`interrupt` may be called from another thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._is_stopped = False

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """Rows of a SELECT; values are always parameters.

        Raises
        ------
        Problem
            503 where the request was interrupted for taking too long.
        """
        if self._cursor is None:
            self._cursor = self._connection.cursor()
        if self._is_stopped:
            raise _too_long()
        try:
            return self._cursor.execute(sql, list(parameters)).pl()
        except duckdb.InterruptException:
            raise _too_long() from None

    def interrupt(self) -> None:
        """Stop the query that is running, and those to come."""
        self._is_stopped = True
        if self._cursor is not None:
            self._cursor.interrupt()

    def close(self) -> None:
        """Free the cursor."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None


def _too_long() -> Problem:
    return Problem(503, "took-too-long", "The query took too long; ask for fewer rows or a shorter range of dates.")


class Snapshot:
    """A publication and everything about it that requests share.

    Parameters
    ----------
    path : Path
        The publication's own file (not the symlink).
    symbols : mapping
        Symbol -> name of every instrument.
    columns : mapping
        ``schema.table`` -> its columns in storage order.
    filled : frozenset
        Tables and views that hold at least one row.
    newest : mapping
        ``schema.table`` -> its preloaded newest rows, for the series that fit.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        path: Path,
        publication: Publication,
        symbols: Mapping[str, str],
        columns: Mapping[str, tuple[str, ...]],
        filled: frozenset[str],
        newest: Mapping[str, NewestRows],
    ) -> None:
        self._connection = connection
        self.path = path
        self.publication = publication
        self.symbols = symbols
        self.columns = columns
        self.filled = filled
        self.newest = newest
        self._known: dict[str, pl.DataFrame] = {}
        self._users = 0
        self._is_retired = False
        self.is_closed = False

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """The reads of one request; the file stays open until the block ends. Called from one thread only."""
        self._users += 1
        reading = Reading(self._connection)
        try:
            yield reading
        finally:
            reading.close()
            self._users -= 1
            self._close_if_unused()

    def known(self, reading: Reading, sql: str) -> pl.DataFrame:
        """Rows of a small SELECT without parameters, read once per publication."""
        found = self._known.get(sql)
        if found is None:
            found = self._known[sql] = reading.frame(sql)
        return found

    def retire(self) -> None:
        """Close the file as soon as no request reads from it."""
        self._is_retired = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._is_retired and not self._users and not self.is_closed:
            self.is_closed = True
            self._connection.close()

    def has(self, table: Promised) -> bool:
        """Whether the publication has the table with its promised columns and at least one row."""
        return table.name in self.filled and set(table.columns) <= set(self.columns[table.name])

    def absence(self, table: Promised) -> str | None:
        """Why there is nothing to serve from a table, in words; None where there is something.

        Raises
        ------
        Problem
            503 where it was published without a promised column.
        """
        if table.name not in self.filled:
            state = "empty" if table.name in self.columns else "missing"
            return f"No {table.noun} have been published yet: {table.name} is {state}."
        missing = [name for name in table.columns if name not in self.columns[table.name]]
        if missing:
            raise Problem(
                503,
                "other-version",
                f"{table.name} was published without the column {missing[0]}; run this version of the pipeline.",
            )
        return None

    def require(self, table: Promised) -> None:
        """Answer 404 in plain words where there is nothing to serve from a table."""
        if absence := self.absence(table):
            raise Problem(404, "not-published", absence)


def _without_rest(_: float) -> None:
    """Load as fast as can be."""


def open_snapshot(path: Path, rest: Callable[[float], None] = _without_rest) -> Snapshot:
    """Open a publication's file, look at what it holds, and load its newest rows.

    Parameters
    ----------
    path : Path
    rest : callable
        Told after each part of the loading how many seconds it took; may sleep.

    Raises
    ------
    duckdb.Error
        Where the file cannot be read or is no publication.
    """
    connection = duckdb.connect(str(path), read_only=True)
    try:
        for statement in _SETTINGS:
            connection.execute(statement)
        columns = _columns(connection)
        symbols = _symbols(connection, columns)
        filled = frozenset(name for name in columns if connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone())
        return Snapshot(
            connection,
            path=path,
            publication=_publication(connection, path),
            symbols=symbols,
            columns=columns,
            filled=filled,
            newest=preload(connection, columns, filled, tuple(symbols), rest),
        )
    except BaseException:
        connection.close()
        raise


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        "SELECT schema_name || '.' || table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
        "WHERE NOT internal GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return {name: tuple(names) for name, names in rows}


def _publication(connection: duckdb.DuckDBPyConnection, path: Path) -> Publication:
    row = connection.execute(
        "SELECT published_at, as_of, source, source_clock, outcome, run_id, tables FROM ops.publications "
        "ORDER BY published_at DESC LIMIT 1"
    ).fetchone()
    if row is None:
        raise duckdb.InvalidInputException(f"{path} holds no row in ops.publications")
    published_at, as_of, source, source_clock, outcome, run_id, tables = row
    return Publication(
        name=path.stem,
        published_at=published_at.astimezone(dt.UTC),
        as_of=as_of,
        source=source,
        source_clock=source_clock.astimezone(dt.UTC) if source_clock else None,
        outcome=outcome,
        run_id=run_id,
        tables=json.loads(tables),
    )


def _symbols(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, object]) -> dict[str, str]:
    """Instruments of the universe, and symbols that still have prices although they left it."""
    names: dict[str, str] = {}
    if "market_data.daily_prices" in tables:
        names |= dict.fromkeys(
            (s for (s,) in connection.execute("SELECT DISTINCT symbol FROM market_data.daily_prices").fetchall()), ""
        )
    if "ops.instruments" in tables:
        names |= dict(connection.execute("SELECT symbol, name FROM ops.instruments").fetchall())
    return dict(sorted(names.items()))
