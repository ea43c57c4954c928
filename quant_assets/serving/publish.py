"""Publishing the readers' database: a compact copy, made durable, then one atomic swap of a symlink.

Readers open ``quant.duckdb`` (the symlink) and keep what they opened; the writer never waits for them. A plain
rename over one path is not enough: a process that still holds the old file gets the old database again when it
opens the same path anew, so every publication is a file of its own.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from quant_assets.foundation.databases import open_database
from quant_assets.foundation.errors import StorageError
from quant_assets.foundation.home import Home
from quant_assets.foundation.table_store import TableStore
from quant_assets.foundation.tables import Table
from quant_assets.ops.tables import PUBLICATIONS, RUN_STATE
from quant_assets.serving.publication_contents import Content, former_publication, publication_contents
from quant_assets.serving.service_levels import note_service_levels

__all__ = ["Publication", "last_publication", "publish"]

_KEPT = 3


@dataclass(frozen=True, slots=True)
class Publication:
    """One written readers' database."""

    path: Path
    published_at: dt.datetime
    bytes_written: int
    rows: dict[str, int]


def last_publication(home: Home) -> pl.DataFrame:
    """The newest row of ``ops.publications`` as readers see it; empty where nothing was published yet."""
    if not home.readers_database.exists():
        return PUBLICATIONS.empty()
    with open_database(home.readers_database.resolve(), read_only=True) as connection:
        names = ", ".join(PUBLICATIONS.column_names)
        return connection.execute(
            f"SELECT {names} FROM {PUBLICATIONS.qualified_name} ORDER BY published_at DESC LIMIT 1"
        ).pl()


def publish(
    home: Home,
    warehouse: TableStore,
    *,
    run_id: str,
    outcome: str,
    assets: Mapping[str, str],
    tables: Sequence[Table],
    git_revision: str,
    now: dt.datetime,
) -> Publication | None:
    """Publish the warehouse where anything changed since the last publication, or where the run failed.

    Parameters
    ----------
    home : Home
    warehouse : TableStore
        The caller holds the run lock.
    run_id, outcome : str
        The closing run and ``success`` or ``failed``.
    assets : mapping of str to str
        ``schema.table`` -> ``updated``, ``failed`` or ``not reached``, for the tables that the run planned.
    tables : sequence of Table
        Every declaration; views are created again in the copy, tables are stored sorted by their key.
    git_revision : str
    now : datetime
        Wall clock (aware).

    Returns
    -------
    Publication or None
        None where nothing was copied because nothing changed.

    Raises
    ------
    StorageError
        Where the copy cannot be written; the former publication stays in place and the warehouse is unchanged.
    """
    _remove_leftovers(home)
    published_before = last_publication(home)
    last_at = published_before["published_at"][0] if published_before.height else None
    with warehouse.connect() as connection, former_publication(connection, _former(home)):
        # A row without its file is left where a run was killed between noting and swapping.
        connection.execute(
            f"DELETE FROM {PUBLICATIONS.qualified_name} WHERE ? IS NULL OR published_at > ?", [last_at, last_at]
        )
        changed_at = connection.execute("SELECT max(changed_at) FROM ops.table_changes").fetchone()
        unchanged = last_at is not None and (changed_at is None or changed_at[0] is None or changed_at[0] <= last_at)
        if unchanged and outcome == "success":
            return None
        note_service_levels(connection)
        contents = publication_contents(connection, tables)
        rows = {content.name: content.rows for content in contents}
        row = _publication_row(
            connection,
            run_id=run_id,
            outcome=outcome,
            report=_table_report(assets, contents),
            git_revision=git_revision,
            now=now,
        )
        connection.register("publication", row)
        connection.execute(f"INSERT INTO {PUBLICATIONS.qualified_name} SELECT * FROM publication")
        connection.unregister("publication")
        target = home.published / f"quant-{now:%Y%m%dT%H%M%S%f}.duckdb"
        try:
            _copy(connection, home, target, tables, contents)
        except (duckdb.Error, OSError) as error:
            connection.execute(f"DELETE FROM {PUBLICATIONS.qualified_name} WHERE published_at = ?", [now])
            _remove_leftovers(home)
            raise StorageError(
                f"the readers' database could not be written to {home.published} ({str(error).splitlines()[0]}); "
                "free space there and run again: readers keep the former publication until then."
            ) from error
    _swap(home, target)
    return Publication(target, now, target.stat().st_size, rows)


def _former(home: Home) -> Path | None:
    return home.readers_database.resolve() if home.readers_database.exists() else None


def _table_report(assets: Mapping[str, str], contents: Sequence[Content]) -> dict[str, dict[str, object]]:
    found = {content.name: content for content in contents}
    report: dict[str, dict[str, object]] = {}
    for name in sorted({*found, *assets}):
        content = found.get(name)
        report[name] = {"rows": content.rows if content else None, "state": assets.get(name, "not in this run")}
        if content and content.kept_because:
            report[name]["kept_because"] = content.kept_because
    return report


def _publication_row(
    connection: duckdb.DuckDBPyConnection,
    *,
    run_id: str,
    outcome: str,
    report: Mapping[str, object],
    git_revision: str,
    now: dt.datetime,
) -> pl.DataFrame:
    state = connection.execute(f"SELECT as_of, source, source_clock FROM {RUN_STATE.qualified_name}").fetchone()
    as_of, source, source_clock = state or (None, None, None)
    return PUBLICATIONS.validate(
        pl.DataFrame(
            {
                "published_at": [now],
                "run_id": [run_id],
                "outcome": [outcome],
                "as_of": [as_of],
                "source": [source],
                "source_clock": [source_clock],
                "git_revision": [git_revision],
                "tables": [json.dumps(report)],
            },
            schema=PUBLICATIONS.polars_schema,
        )
    )


def _copy(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    target: Path,
    tables: Sequence[Table],
    contents: Sequence[Content],
) -> None:
    keys = {table.qualified_name: table.key for table in tables}
    temporary = home.published / f".{target.name}.tmp"
    connection.execute(f"ATTACH '{str(temporary).replace(chr(39), chr(39) * 2)}' AS publication_copy")
    try:
        for schema in sorted({name.split(".")[0] for name in (*(content.name for content in contents), *keys)}):
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS publication_copy."{schema}"')
        for content in contents:
            order = ", ".join(keys.get(content.name, ()))
            sorted_by = f" ORDER BY {order}" if order else ""
            connection.execute(f"CREATE TABLE publication_copy.{content.name} AS FROM {content.source}{sorted_by}")
        _copy_views(connection, tables)
        connection.execute("CHECKPOINT publication_copy")
    finally:
        connection.execute("DETACH publication_copy")
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.chmod(0o444)
    temporary.rename(target)


def _copy_views(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    home_catalog = connection.execute("SELECT current_database()").fetchall()[0][0]
    connection.execute("USE publication_copy")
    try:
        for table in tables:
            if table.view_sql:
                for statement in table.ddl():
                    connection.execute(statement)
    finally:
        connection.execute(f'USE "{home_catalog}"')


def _swap(home: Home, target: Path) -> None:
    link = home.path / ".quant.duckdb.next"
    link.unlink(missing_ok=True)
    link.symlink_to(target.relative_to(home.path))
    link.replace(home.readers_database)
    folder = os.open(home.path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    for old in sorted(home.published.glob("quant-*.duckdb"))[:-_KEPT]:
        old.unlink()


def _remove_leftovers(home: Home) -> None:
    """Remove what a killed publication left behind."""
    for leftover in home.published.glob(".quant-*"):
        leftover.unlink()
