"""Keeping Dagster's event files open while many short connections come and go.

Every event of a run opens a file anew, writes a row and closes it. Where nothing else has the file open, each close
writes the whole state to disk and each opening reads it again. Beside an idle connection of the same process a commit
takes 10 ms instead of 30 on a busy disk (1,100 times a night).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from quant_assets.foundation.home import Home

__all__ = ["events_kept_open"]


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
