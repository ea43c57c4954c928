"""The DuckDB warehouse: short connections, transactional writes that validate before they write.

Every table change is one transaction that also notes the change in ``ops.table_changes``; writing the same rows
again changes nothing and is not noted. SQL stays within what DuckLake takes too: no primary keys, no indexes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from quant_assets.foundation.databases import first_line, open_database
from quant_assets.foundation.errors import StorageError
from quant_assets.foundation.table_store import MergeCounts
from quant_assets.foundation.tables import Column, Table
from resources.warehouse.table_upgrade import outdated_tables, upgrade_table

__all__ = ["TABLE_CHANGES", "UNFINISHED_TABLES", "MergeCounts", "Warehouse", "open_database"]

TABLE_CHANGES = Table(
    schema="ops",
    name="table_changes",
    key=("table_name",),
    description="When each table last changed, and by which run; rows written again unchanged do not count.",
    columns=(
        Column("table_name", "VARCHAR", "Schema and table."),
        Column("changed_at", "TIMESTAMPTZ", "Wall clock of the last change.", nullable=True),
        Column("computed_at", "TIMESTAMPTZ", "Wall clock when it was last computed, changed or not.", nullable=True),
        Column("run_id", "VARCHAR", "Run that made the last change."),
    ),
)
UNFINISHED_TABLES = Table(
    schema="ops",
    name="unfinished_tables",
    key=("table_name",),
    description=(
        "One row per table whose rebuilding began and has not ended well. Publications keep the former state of such a "
        "table, and no room computes from it."
    ),
    columns=(
        Column("table_name", "VARCHAR", "Schema and table."),
        Column("began_at", "TIMESTAMPTZ", "Wall clock when the rebuilding began."),
        Column("run_id", "VARCHAR", "Run that began it."),
    ),
)
"""With ``TABLE_CHANGES`` the warehouse's own records; every other table is declared by a room."""


class Warehouse:
    """Reads and writes of declared tables.

    Parameters
    ----------
    path : Path
        The DuckDB file; created where it is missing.
    run_id : str
        Noted with every change.
    """

    def __init__(self, path: Path, *, run_id: str = "") -> None:
        self.path = path
        self.run_id = run_id

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A short read-write connection."""
        connection = open_database(self.path)
        try:
            yield connection
        except duckdb.IOException as error:
            raise StorageError(f"{self.path} cannot be written ({first_line(error)}); check free space.") from error
        finally:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection inside one transaction: committed at the end of the block, rolled back on any exception."""
        with self.connect() as connection:
            connection.begin()
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def ensure(self, tables: Sequence[Table]) -> None:
        """Create what is missing of the declared tables and views, tables first; upgrade what is not as declared."""
        stored = [TABLE_CHANGES, UNFINISHED_TABLES, *(table for table in tables if not table.view_sql)]
        views = [table for table in tables if table.view_sql]
        with self.transaction() as connection:
            self._create(connection, stored)
            for table in outdated_tables(connection, stored):
                upgrade_table(connection, table)
            self._create(connection, views)

    def _create(self, connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
        for table in tables:
            for statement in table.ddl():
                connection.execute(statement)

    def read(
        self, table: Table, columns: Sequence[str] | None = None, where: str = "", parameters: Sequence[object] = ()
    ) -> pl.DataFrame:
        """Rows of a table sorted by its key.

        Parameters
        ----------
        table : Table
        columns : sequence of str, optional
            Default all, in storage order.
        where : str
            SQL condition with ``?`` for each of ``parameters``.
        """
        names = ", ".join(f'"{name}"' for name in columns or table.column_names)
        condition = f" WHERE {where}" if where else ""
        order = ", ".join(f'"{name}"' for name in table.key)
        sql = f"SELECT {names} FROM {table.qualified_name}{condition}{f' ORDER BY {order}' if order else ''}"
        with self.connect() as connection:
            return connection.execute(sql, list(parameters)).pl()

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """Rows of a SELECT."""
        with self.connect() as connection:
            return connection.execute(sql, list(parameters)).pl()

    def replace(self, table: Table, frame: pl.DataFrame, where: str = "", parameters: Sequence[object] = ()) -> bool:
        """Put ``frame`` in the place of the rows that meet ``where`` (all rows, where empty), in one transaction.

        Returns
        -------
        bool
            Whether anything changed; equal rows are left untouched.

        Raises
        ------
        TableContractError
            Where the frame does not fit the declaration; nothing is written.
        """
        incoming = table.validate(frame)
        condition = f" WHERE {where}" if where else ""
        with self.transaction() as connection:
            connection.register("incoming", incoming)
            names = ", ".join(f'"{name}"' for name in table.column_names)
            # Hashed twice: the last column's hash is joined by exclusive or, and would cancel itself over the rows.
            digest = f"SELECT count(*), bit_xor(hash(hash({names}))), sum(hash(hash({names}))::HUGEINT) FROM"
            stored = connection.execute(f"{digest} {table.qualified_name}{condition}", list(parameters)).fetchone()
            if stored == connection.execute(f"{digest} incoming").fetchone():
                return False
            connection.execute(f"DELETE FROM {table.qualified_name}{condition}", list(parameters))
            connection.execute(f"INSERT INTO {table.qualified_name} SELECT {names} FROM incoming")
            self.note_change(connection, table.qualified_name)
        return True

    def merge(self, table: Table, frame: pl.DataFrame, *, ignore: Sequence[str] = ()) -> MergeCounts:
        """Insert new rows and update changed ones by the table's key, in one transaction.

        Parameters
        ----------
        ignore : sequence of str
            Columns that alone do not make a row changed (such as ``updated_at``); they are updated with the others.
        """
        incoming = table.validate(frame)
        with self.transaction() as connection:
            return self.merge_within(connection, table, incoming, ignore=ignore)

    def merge_within(
        self, connection: duckdb.DuckDBPyConnection, table: Table, frame: pl.DataFrame, *, ignore: Sequence[str] = ()
    ) -> MergeCounts:
        """Merge a validated frame inside a transaction of the caller."""
        connection.register("incoming", frame)
        values = [name for name in table.column_names if name not in table.key]
        compared = [name for name in values if name not in ignore]
        on = " AND ".join(f'stored."{name}" = incoming."{name}"' for name in table.key)
        differs = " OR ".join(f'stored."{n}" IS DISTINCT FROM incoming."{n}"' for n in compared) or "false"
        source = f"FROM incoming JOIN {table.qualified_name} AS stored ON {on}"
        counts = connection.execute(f"SELECT count(*), count(*) FILTER (WHERE {differs}) {source}").fetchone()
        matched, changed = counts or (0, 0)
        new = frame.height - matched
        if new or changed:
            assignments = ", ".join(f'"{name}" = incoming."{name}"' for name in values)
            names = ", ".join(f'"{name}"' for name in table.column_names)
            fields = ", ".join(f'incoming."{name}"' for name in table.column_names)
            update = f"WHEN MATCHED AND ({differs}) THEN UPDATE SET {assignments} " if changed else ""
            connection.execute(
                f"MERGE INTO {table.qualified_name} AS stored USING incoming ON {on} "
                f"{update}WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({fields})"
            )
            self.note_change(connection, table.qualified_name)
        connection.unregister("incoming")
        return MergeCounts(new, changed, matched - changed)

    def append_within(self, connection: duckdb.DuckDBPyConnection, table: Table, frame: pl.DataFrame) -> None:
        """Insert rows whose keys are new by construction, inside a transaction of the caller."""
        incoming = table.validate(frame)
        if not incoming.height:
            return
        connection.register("incoming", incoming)
        names = ", ".join(f'"{name}"' for name in table.column_names)
        connection.execute(f"INSERT INTO {table.qualified_name} SELECT {names} FROM incoming")
        connection.unregister("incoming")
        self.note_change(connection, table.qualified_name)

    def note_change(self, connection: duckdb.DuckDBPyConnection, qualified_name: str) -> None:
        """Note that a table changed; callers that write by other ways (dbt) call this themselves."""
        self._note(connection, qualified_name, "changed_at")

    def note_computed(self, table: Table) -> None:
        """Note that the table was computed from its inputs as they are, whether that changed it or not."""
        with self.transaction() as connection:
            self._note(connection, table.qualified_name, "computed_at")

    def is_current(self, table: Table, inputs: Sequence[str]) -> bool:
        """Whether no input (``schema.table``) changed since the table was last computed from them."""
        with self.connect() as connection:
            row = connection.execute(
                "SELECT (SELECT computed_at FROM ops.table_changes WHERE table_name = ?), "
                "(SELECT max(changed_at) FROM ops.table_changes WHERE list_contains(?, table_name))",
                [table.qualified_name, list(inputs)],
            ).fetchone()
        computed_at, changed_at = row or (None, None)
        return computed_at is not None and (changed_at is None or changed_at < computed_at)

    def begin_rebuilding(self, qualified_names: Sequence[str]) -> tuple[str, ...]:
        """Mark tables that are about to be written in more than one transaction; returns those not marked already."""
        with self.transaction() as connection:
            rows = connection.execute(
                "INSERT INTO ops.unfinished_tables SELECT name, ?, ? FROM unnest(?) AS names(name) "
                "WHERE name NOT IN (SELECT table_name FROM ops.unfinished_tables) RETURNING table_name",
                [dt.datetime.now(dt.UTC), self.run_id, list(qualified_names)],
            ).fetchall()
        return tuple(name for (name,) in rows)

    def end_rebuilding(self, qualified_names: Sequence[str]) -> None:
        """Take the marks away: the tables are whole again. Where another run left one, readers have an older state."""
        with self.transaction() as connection:
            ended = connection.execute(
                "DELETE FROM ops.unfinished_tables WHERE list_contains(?, table_name) RETURNING table_name, run_id",
                [list(qualified_names)],
            ).fetchall()
            for name, run_id in ended:
                if run_id != self.run_id:
                    self.note_change(connection, name)

    def _note(self, connection: duckdb.DuckDBPyConnection, qualified_name: str, column: str) -> None:
        now = dt.datetime.now(dt.UTC)
        known = connection.execute(
            f"UPDATE ops.table_changes SET {column} = ?, run_id = ? WHERE table_name = ? RETURNING 1",
            [now, self.run_id, qualified_name],
        ).fetchone()
        if known is None:
            values = (now, None) if column == "changed_at" else (None, now)
            connection.execute(
                "INSERT INTO ops.table_changes VALUES (?, ?, ?, ?)", [qualified_name, *values, self.run_id]
            )
