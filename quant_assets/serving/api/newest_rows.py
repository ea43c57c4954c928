"""The newest sessions of the long series, held in memory: what most requests ask for.

Reading 250 rows of one symbol from a sorted table of 2.5 million takes DuckDB 3 to 4 ms, from here 0.1 ms. Loading
them all takes about half a second, once per publication, before the publication is switched to.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence

import duckdb
import polars as pl

__all__ = ["SESSIONS", "NewestRows", "preload"]

SESSIONS = 250
"""A year: the window that people and models look at, and the default page."""

_SERIES = (
    "features.feature_store_v2",
    "features.feature_store_v1",
    "market_data.adjusted_prices",
    "regimes.symbol_regimes",
)
_MAX_CELLS = 16_000_000
"""Cells held in all (8 bytes each, so about 130 MB): 500 symbols of both feature stores and prices. What does not fit
is read from the file; a larger universe is served more slowly, not wrongly."""

_PART = 25
"""Symbols read at a time: about 10 ms of one core."""


class NewestRows:
    """Every row of a table from one session on, sorted by symbol and date.

    Parameters
    ----------
    frame : DataFrame
        Rows with ``symbol`` and ``date``, in any order.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame.sort("symbol", "date", maintain_order=True).rechunk()
        spans = self.frame.with_row_index("row").group_by("symbol").agg(pl.col("row").min(), pl.len())
        self._spans = {symbol: (row, row + count) for symbol, row, count in spans.iter_rows()}

    def page(self, symbol: str, *, limit: int, offset: int) -> pl.DataFrame | None:
        """The ``limit`` newest rows after the ``offset`` newest ones, and one more to know that there are more.

        Returns
        -------
        DataFrame or None
            In order of date, the extra row first; None where older rows than those held may be asked for.
        """
        start, end = self._spans.get(symbol, (0, 0))
        first = end - offset - limit - 1
        return self.frame.slice(first, limit + 1) if first >= start else None


def preload(
    connection: duckdb.DuckDBPyConnection,
    columns: Mapping[str, tuple[str, ...]],
    filled: frozenset[str],
    symbols: Sequence[str],
    rest: Callable[[float], None],
) -> dict[str, NewestRows]:
    """Load the newest ``SESSIONS`` + 1 sessions of each series, as long as they fit.

    Parameters
    ----------
    rest : callable
        Told after each part how many seconds it took, so that a server that answers meanwhile keeps its cores.
    """
    loaded: dict[str, NewestRows] = {}
    cells = 0
    for name in _SERIES:
        if name not in filled or not {"symbol", "date"} <= set(columns[name]):
            continue
        since = connection.execute(
            f"SELECT min(date) FROM (SELECT DISTINCT date FROM {name} ORDER BY date DESC LIMIT {SESSIONS + 1})"
        ).fetchall()[0][0]
        rows = connection.execute(f"SELECT count(*) FROM {name} WHERE date >= ?", [since]).fetchall()[0][0]
        if cells + rows * len(columns[name]) > _MAX_CELLS:
            continue
        cells += rows * len(columns[name])
        parts = [_part(connection, name, since, symbols[i : i + _PART], rest) for i in range(0, len(symbols), _PART)]
        loaded[name] = NewestRows(pl.concat(parts))
    return loaded


def _part(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    since: dt.date,
    symbols: Sequence[str],
    rest: Callable[[float], None],
) -> pl.DataFrame:
    begun = time.perf_counter()
    frame = connection.execute(
        f"SELECT * FROM {name} WHERE date >= ? AND symbol BETWEEN ? AND ?", [since, symbols[0], symbols[-1]]
    ).pl()
    rest(time.perf_counter() - begun)
    return frame
