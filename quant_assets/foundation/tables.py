"""Table declarations: each table is declared once and everything else follows from it.

From a :class:`Table` follow the DDL, the validation before a write, the Dagster column schema and the
data dictionary. This module knows neither DuckDB connections nor Dagster.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from quant_assets.foundation.errors import TableContractError

__all__ = ["POLARS_TYPES", "Column", "Table"]

POLARS_TYPES: dict[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "DATE": pl.Date(),
    "TIMESTAMPTZ": pl.Datetime("us", "UTC"),
    "DOUBLE": pl.Float64(),
    "BIGINT": pl.Int64(),
    "INTEGER": pl.Int32(),
    "BOOLEAN": pl.Boolean(),
}
"""DuckDB type of a declared column -> Polars type of the frame that is written to it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, DuckDB type, meaning, unit and whether null is allowed."""

    name: str
    type: str
    description: str
    unit: str = ""
    nullable: bool = False

    def __post_init__(self) -> None:
        if self.type not in POLARS_TYPES:
            raise TableContractError(
                f"column {self.name!r} has the type {self.type!r}; use one of {sorted(POLARS_TYPES)}"
            )


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view of the warehouse.

    Parameters
    ----------
    schema, name : str
        DuckDB schema and table; together also the Dagster asset key.
    columns : tuple of Column
        In storage order.
    key : tuple of str
        Columns that identify a row; never null, never repeated. Rows are stored sorted by it.
    description : str
        One paragraph for people: the grain first.
    view_sql : str
        For a view, its SELECT; empty for a table.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    description: str
    view_sql: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        names = self.column_names
        if len(set(names)) != len(names):
            raise TableContractError(f"{self.qualified_name} declares a column twice")
        unknown = [name for name in self.key if name not in names]
        if unknown:
            raise TableContractError(f"{self.qualified_name} has a key column that it lacks: {unknown}")

    @property
    def qualified_name(self) -> str:
        """``schema.name``."""
        return f"{self.schema}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """Column names in storage order."""
        return tuple(column.name for column in self.columns)

    @property
    def polars_schema(self) -> dict[str, pl.DataType]:
        """Polars schema of a frame that can be written."""
        return {column.name: POLARS_TYPES[column.type] for column in self.columns}

    def ddl(self) -> Iterable[str]:
        """Statements that create the schema and the table or view where they are missing."""
        yield f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"'
        if self.view_sql:
            yield f"CREATE OR REPLACE VIEW {self.qualified_name} AS {self.view_sql}"
            return
        columns = ", ".join(
            f'"{column.name}" {column.type}{"" if column.nullable else " NOT NULL"}' for column in self.columns
        )
        yield f"CREATE TABLE IF NOT EXISTS {self.qualified_name} ({columns})"

    def empty(self) -> pl.DataFrame:
        """A frame with the declared columns and no row."""
        return pl.DataFrame(schema=self.polars_schema)

    def validate(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return ``frame`` in storage order after checking columns, types, nulls and the key.

        Raises
        ------
        TableContractError
            Naming the table, the column and the first offending rows.
        """
        declared = set(self.column_names)
        given = set(frame.columns)
        if missing := [name for name in self.column_names if name not in given]:
            raise TableContractError(f"{self.qualified_name}: the frame lacks the columns {missing}")
        if extra := sorted(given - declared):
            raise TableContractError(f"{self.qualified_name}: the frame has undeclared columns {extra}")
        frame = frame.select(self.column_names)
        for column in self.columns:
            wanted, found = POLARS_TYPES[column.type], frame.schema[column.name]
            if wanted != found:
                raise TableContractError(
                    f"{self.qualified_name}.{column.name} is {found} where {column.type} ({wanted}) is declared"
                )
            if (not column.nullable or column.name in self.key) and (nulls := frame[column.name].null_count()):
                raise TableContractError(f"{self.qualified_name}.{column.name} is null in {nulls} rows and may not be")
        if self.key and frame.height:
            duplicates = frame.select(self.key).is_duplicated()
            if duplicates.any():
                rows = frame.filter(duplicates).select(self.key).unique(maintain_order=True).head(3).rows()
                raise TableContractError(f"{self.qualified_name}: repeated key {self.key}, first {rows}")
        return frame
