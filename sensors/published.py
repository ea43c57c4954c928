"""The readers' database as sensors see it: opened read-only for one look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import polars as pl

from quant_assets.foundation.home import Home
from resources.warehouse import open_database

__all__ = ["Published", "open_published", "publication_name"]


@dataclass(frozen=True, slots=True)
class Published:
    """One publication during one look."""

    name: str
    connection: duckdb.DuckDBPyConnection

    def rows(self, table: str, sql: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """Rows of a SELECT; an empty frame without columns where ``table`` is not published yet."""
        schema, name = table.split(".")
        known = self.connection.execute(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", [schema, name]
        ).fetchone()
        return self.connection.execute(sql, list(parameters)).pl() if known else pl.DataFrame()


def publication_name(home: Home) -> str | None:
    """Name of the newest publication; None before the first."""
    return home.readers_database.resolve().stem if home.readers_database.exists() else None


@contextmanager
def open_published(home: Home) -> Iterator[Published]:
    """Open the newest publication for the block."""
    path = home.readers_database.resolve()
    connection = open_database(path, read_only=True)
    try:
        yield Published(path.stem, connection)
    finally:
        connection.close()
