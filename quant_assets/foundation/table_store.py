"""The seam between rooms that read and write tables and the warehouse that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import polars as pl

from quant_assets.foundation.tables import Table

__all__ = ["MergeCounts", "TableStore"]


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """Rows of a merge by what happened to them."""

    rows_new: int
    rows_changed: int
    rows_unchanged: int


class TableStore(Protocol):
    """Reads and transactional writes of declared tables; ``resources.warehouse.Warehouse`` is the one in use."""

    path: Path
    run_id: str

    def connect(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A short read-write connection."""
        ...

    def transaction(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection inside one transaction."""
        ...

    def read(
        self, table: Table, columns: Sequence[str] | None = None, where: str = "", parameters: Sequence[object] = ()
    ) -> pl.DataFrame:
        """Rows of a table sorted by its key."""
        ...

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """Rows of a SELECT."""
        ...

    def replace(self, table: Table, frame: pl.DataFrame, where: str = "", parameters: Sequence[object] = ()) -> bool:
        """Put a frame in the place of the rows that meet a condition; False where nothing changed."""
        ...

    def merge_within(
        self, connection: duckdb.DuckDBPyConnection, table: Table, frame: pl.DataFrame, *, ignore: Sequence[str] = ()
    ) -> MergeCounts:
        """Merge a frame by the table's key inside a transaction of the caller."""
        ...

    def append_within(self, connection: duckdb.DuckDBPyConnection, table: Table, frame: pl.DataFrame) -> None:
        """Insert rows whose keys are new, inside a transaction of the caller."""
        ...

    def note_change(self, connection: duckdb.DuckDBPyConnection, qualified_name: str) -> None:
        """Note that a table changed inside a transaction of the caller, where it was written by other ways."""
        ...

    def is_current(self, table: Table, inputs: Sequence[str]) -> bool:
        """Whether no input (``schema.table``) changed since the table was last computed from them."""
        ...

    def note_computed(self, table: Table) -> None:
        """Note that the table was computed from its inputs as they are, whether that changed it or not."""
        ...
