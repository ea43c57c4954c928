"""Tables of a home that an earlier revision of the code made, brought to today's declaration."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from quant_assets.foundation.errors import StorageError
from quant_assets.foundation.tables import Table

__all__ = ["outdated_tables", "upgrade_table"]

_Columns = list[tuple[str, str, bool]]
"""Name, type and whether null is allowed, in storage order."""


def outdated_tables(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> list[Table]:
    """Tables that are there, but not as declared."""
    stored = _stored_columns(connection)
    return [table for table in tables if stored.get(table.qualified_name) not in (None, _declared_columns(table))]


def upgrade_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Give a stored table the declared columns, types and order; its rows stay.

    A new column is null in the rows that are there, a column that is no longer declared goes. A table that a run
    computes from others counts as never computed afterwards.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Inside a transaction.
    table : Table
        One of :func:`outdated_tables`.

    Raises
    ------
    StorageError
        Where a new column may not be null and there are rows to fill, or a value has no place in the new type.
    """
    found = {name for name, *_ in _stored_columns(connection)[table.qualified_name]}
    former = f"{table.name}__former"
    connection.execute(f"ALTER TABLE {table.qualified_name} RENAME TO {former}")
    for statement in table.ddl():
        connection.execute(statement)
    _copy_rows(connection, table, former, kept=[name for name in table.column_names if name in found])
    connection.execute(f"DROP TABLE {table.schema}.{former}")
    connection.execute(
        "UPDATE ops.table_changes SET changed_at = now(), computed_at = NULL WHERE table_name = ?",
        [table.qualified_name],
    )


def _copy_rows(connection: duckdb.DuckDBPyConnection, table: Table, former: str, *, kept: Sequence[str]) -> None:
    names = ", ".join(f'"{name}"' for name in kept)
    try:
        connection.execute(f"INSERT INTO {table.qualified_name} ({names}) SELECT {names} FROM {table.schema}.{former}")
    except (duckdb.ConstraintException, duckdb.ConversionException) as error:
        new = [column.name for column in table.columns if column.name not in kept and not column.nullable]
        what = f"has no {', '.join(new)}" if new else "has values that its new columns cannot hold"
        raise StorageError(
            f"{table.qualified_name} of this home was made by an earlier version and {what}; "
            "go on with that version, or begin a new QUANT_HOME and import its prices."
        ) from error


def _stored_columns(connection: duckdb.DuckDBPyConnection) -> dict[str, _Columns]:
    """Columns of every table of the warehouse, by its qualified name."""
    rows = connection.execute(
        "SELECT schema_name || '.' || table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
        "WHERE database_name = current_database() ORDER BY schema_name, table_name, column_index"
    ).fetchall()
    found: dict[str, _Columns] = {}
    for table, *column in rows:
        found.setdefault(table, []).append((column[0], column[1], column[2]))
    return found


def _declared_columns(table: Table) -> _Columns:
    duckdb_names = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
    return [(column.name, duckdb_names.get(column.type, column.type), column.nullable) for column in table.columns]
