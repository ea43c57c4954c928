"""Opening DuckDB files, with one plain sentence where that fails."""

from __future__ import annotations

from pathlib import Path

import duckdb

from quant_assets.foundation.errors import CorruptDatabaseError, StorageError

__all__ = ["first_line", "open_database"]


def open_database(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Connect to a DuckDB file with UTC as the session's time zone.

    Raises
    ------
    CorruptDatabaseError
        Where the file is damaged or no DuckDB database.
    StorageError
        Where it is locked by another process or cannot be read.
    """
    try:
        connection = duckdb.connect(str(path), read_only=read_only)
        connection.execute("SET TimeZone = 'UTC'")
    except (duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException) as error:
        raise CorruptDatabaseError(_damaged(path, error)) from error
    except duckdb.IOException as error:
        text = str(error)
        if "Could not set lock" in text:
            raise StorageError(
                f"{path} is open for writing in another program; close it there (readers open quant.duckdb instead)."
            ) from error
        if "not a valid DuckDB" in text or "checksum" in text.lower() or "corrupt" in text.lower():
            raise CorruptDatabaseError(_damaged(path, error)) from error
        raise StorageError(
            f"{path} cannot be opened ({first_line(error)}); check that it exists and may be read."
        ) from error
    except duckdb.Error as error:
        raise CorruptDatabaseError(_damaged(path, error)) from error
    return connection


def _damaged(path: Path, error: Exception) -> str:
    return (
        f"{path} is damaged ({first_line(error)}); restore it from a backup, or move it away so that the next run "
        "makes it again."
    )


def first_line(error: Exception) -> str:
    """First line of an error's message, cut to a readable length."""
    return str(error).strip().splitlines()[0][:160]
