"""What a publication holds: every table as the warehouse has it, or as readers had it where it is not sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from quant_assets.foundation.databases import first_line
from quant_assets.foundation.tables import Table

__all__ = ["Content", "former_publication", "publication_contents"]

_UNPUBLISHED_SCHEMAS = ("features_staging", "features_intermediate")
_FORMER = "former_publication"


@dataclass(frozen=True, slots=True)
class Content:
    """One table of a publication.

    Parameters
    ----------
    name : str
        Schema and table.
    source : str
        What to read it from: itself, or the same table of the former publication.
    rows : int
    kept_because : str
        Why the former state was kept; empty for the warehouse's.
    """

    name: str
    source: str
    rows: int
    kept_because: str = ""


@contextmanager
def former_publication(connection: duckdb.DuckDBPyConnection, path: Path | None) -> Iterator[None]:
    """Have the publication in use at hand, where there is one."""
    if path is None:
        yield
        return
    quoted = str(path).replace("'", "''")
    connection.execute(f"ATTACH '{quoted}' AS {_FORMER} (READ_ONLY)")
    try:
        yield
    finally:
        connection.execute(f"DETACH {_FORMER}")


def publication_contents(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> list[Content]:
    """Everything that readers get as a table, sorted by name.

    A view that no room declares (the marts, which dbt defines over its stored intermediates) becomes a table in the
    copy, since what it selects from is not copied. A table whose rebuilding was left unfinished, and a view that cannot
    be read, keep the state of the former publication; where that has none they are left out.

    Parameters
    ----------
    connection : DuckDBPyConnection
        To the warehouse, within :func:`former_publication`.
    tables : sequence of Table
        Every declaration.
    """
    unfinished = dict(connection.execute("SELECT table_name, run_id FROM ops.unfinished_tables").fetchall())
    contents = []
    for name in _published_names(connection, tables):
        try:
            if name not in unfinished:
                contents.append(Content(name, name, _rows(connection, name)))
                continue
            reason = f"run {unfinished[name]} began to rebuild it and did not end well"
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            reason = f"it cannot be read: {first_line(error)}"
        contents += _former_content(connection, name, reason)
    return contents


def _published_names(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> list[str]:
    declared_views = [table.qualified_name for table in tables if table.view_sql]
    found = connection.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary "
        f"AND database_name = current_database() AND schema_name NOT IN {_UNPUBLISHED_SCHEMAS} "
        "UNION ALL "
        "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal AND NOT temporary "
        f"AND database_name = current_database() AND schema_name NOT IN {_UNPUBLISHED_SCHEMAS} "
        "AND NOT list_contains(?, schema_name || '.' || view_name) ORDER BY 1",
        [declared_views],
    ).fetchall()
    return [name for (name,) in found]


def _former_content(connection: duckdb.DuckDBPyConnection, name: str, reason: str) -> list[Content]:
    source = f"{_FORMER}.{name}"
    try:
        return [Content(name, source, _rows(connection, source), reason)]
    except (duckdb.CatalogException, duckdb.BinderException):
        return []


def _rows(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
    assert row is not None  # noqa: S101 - a count is always one row
    return int(row[0])
