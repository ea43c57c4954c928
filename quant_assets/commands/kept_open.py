"""Making Dagster's event files cheap to write while many short connections come and go.

Every event of a run opens a file anew, writes a row and closes it: 1,100 commits a night. Where nothing else has the
file open, each close writes the whole state to disk and each opening reads it again; beside an idle connection of the
same process a commit takes 10 ms instead of 30 on a busy disk. And each commit waits for the disk: 4.6 s of a night of
32 on a busy one, which a replay does not need.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from quant_assets.foundation.home import Home

__all__ = ["events_kept_open", "events_not_awaited"]


@contextmanager
def events_kept_open(home: Home, run_id: str) -> Iterator[None]:
    """Keep the files open that Dagster writes the events of a run to; those that exist."""
    history = home.dagster / "history"
    with ExitStack() as stack:
        for path in (history / "runs.db", history / "runs" / "index.db", history / "runs" / f"{run_id}.db"):
            if path.exists():
                connection = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield


@contextmanager
def events_not_awaited(home: Home) -> Iterator[None]:
    """Let what this process writes to the event logs of this home return before the disk has it.

    A process that is killed loses nothing, and no file is damaged, since SQLite writes ahead into a log. Where the
    machine stops, the UI may lack the newest events; runs and their outcome, tables and the record are awaited as ever.
    """
    events = home.dagster / "history" / "runs"

    def relax(connection: Any, _record: object) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        name = connection.execute("PRAGMA database_list").fetchone()[2]
        if Path(name).is_relative_to(events):
            connection.execute("PRAGMA synchronous = NORMAL")

    event.listen(Engine, "connect", relax)
    try:
        yield
    finally:
        event.remove(Engine, "connect", relax)
