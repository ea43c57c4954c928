"""A stored table brought up to date: what changed is loaded with its context, computed, and handed back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa

from quant_assets.features.changes import Change, StoredVersion, find_changes, quoted
from quant_assets.features.panel import Panel, computed_batches, output_schema, panel_of
from quant_assets.features.windows import Floats

__all__ = ["changed_rows"]

_DAYS_PER_BAR = 1.7
"""Calendar days looked back per bar of context; the exchange's average is 1.45, the rest is for halts and holidays."""
_EARLIEST = dt.date.min


def changed_rows(
    connection: duckdb.DuckDBPyConnection,
    version: StoredVersion,
    *,
    bars: str,
    stored: str | None,
    compared_bars: str = "",
) -> pa.RecordBatchReader:
    """Compute the rows that are new or changed.

    Parameters
    ----------
    connection : DuckDBPyConnection
    version : StoredVersion
    bars : str
        SELECT of ``symbol``, ``date`` and the version's inputs, one row per symbol and session.
    stored : str, optional
        Name of the stored table; None computes everything.
    compared_bars : str
        SELECT of the compared inputs alone, where that is cheaper than ``bars``.

    Returns
    -------
    RecordBatchReader
        Per changed symbol every row from its first changed session on, sorted by symbol and date. Before them one row
        with a null date for each symbol of which every stored row is to go: it is computed whole, or has no bar any
        more.

    Raises
    ------
    DataError
        Where a symbol has two bars for one session.
    """
    if stored is None or not _fits(connection, stored, version):
        return _reader(version, _load(connection, version, bars), [])
    changes = find_changes(connection, version, bars=compared_bars or bars, stored=stored)
    cleared = [change.symbol for change in changes if change.first_date is None]
    found = {change.symbol: change for change in changes if not change.is_gone}
    panel = _load_changes(connection, version, bars=bars, stored=stored, changes=found) if found else None
    return _reader(version, panel, cleared)


def _reader(version: StoredVersion, panel: Panel | None, cleared: list[str]) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(output_schema(version), computed_batches(version, panel, cleared))


def _fits(connection: duckdb.DuckDBPyConnection, table: str, version: StoredVersion) -> bool:
    found = [name for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall()]
    return set(found) == set(version.column_names)


def _load_changes(
    connection: duckdb.DuckDBPyConnection,
    version: StoredVersion,
    *,
    bars: str,
    stored: str,
    changes: Mapping[str, Change],
) -> Panel:
    """Bars to compute with their context, and the stored values that recursive columns continue from."""
    span = dt.timedelta(days=version.context_bars * _DAYS_PER_BAR + 10)
    starts = {
        symbol: change.first_date - span if change.first_date and change.bars_before > version.context_bars else None
        for symbol, change in changes.items()
    }
    while True:
        panel = _load(connection, version, bars, _change_table(changes, starts))
        panel = replace(panel, previous=_previous(connection, version, stored, panel))
        short = [symbol for symbol in _short_of_context(panel, version) if starts[symbol] is not None]
        if not short:
            return panel
        starts |= dict.fromkeys(short)


def _change_table(changes: Mapping[str, Change], starts: Mapping[str, dt.date | None]) -> pa.Table:
    return pa.table(
        {
            "symbol": pa.array(list(changes), pa.string()),
            "context_date": pa.array([starts[symbol] or _EARLIEST for symbol in changes], pa.date32()),
            "first_date": pa.array([change.first_date or _EARLIEST for change in changes.values()], pa.date32()),
        }
    )


def _short_of_context(panel: Panel, version: StoredVersion) -> list[str]:
    """Symbols whose given context does not fill the widest window, or lacks a value to continue from."""
    context = panel.rows.first - panel.rows.bounds[:-1]
    known = np.ones(context.size, dtype=bool)
    for values in panel.previous.values():
        known &= ~np.isnan(values[np.maximum(panel.rows.first - 1, 0)])
    is_short = (context < version.context_bars) | ~known
    return [symbol for symbol, short in zip(panel.symbols, is_short, strict=True) if short]


def _load(
    connection: duckdb.DuckDBPyConnection, version: StoredVersion, bars: str, changes: pa.Table | None = None
) -> Panel:
    """Read bars: all of them, or whole histories and, for the other changed symbols, from their context on."""
    names = ", ".join(f"bars.{name}" for name in ("symbol", "date", *version.inputs))
    if changes is None:
        sql = f"SELECT {names} FROM ({bars}) AS bars"  # noqa: S608
        return panel_of(connection.execute(sql).to_arrow_table(), version)
    connection.register("feature_changes", changes)
    starts = dict(zip(changes["symbol"].to_pylist(), changes["context_date"].to_pylist(), strict=True))
    whole = [symbol for symbol, start in starts.items() if start == _EARLIEST]
    contexts = [start for start in starts.values() if start > _EARLIEST]
    conditions = [f"bars.symbol IN {quoted(whole)}"] if whole else []
    if contexts:
        since = f"bars.date >= DATE '{min(contexts)}' AND bars.date >= context_date"
        conditions.append(f"{since} AND context_date > DATE '{_EARLIEST}'")
    # One after the other: as a UNION ALL over the view, DuckDB 1.5.5 waited for ever at 2.5 M bars.
    found = [
        connection.execute(
            f"SELECT {names}, bars.date < first_date AS is_context "  # noqa: S608
            f"FROM ({bars}) AS bars JOIN feature_changes USING (symbol) WHERE {condition}"
        ).to_arrow_table()
        for condition in conditions
    ]
    return panel_of(pa.concat_tables(found), version)


def _previous(
    connection: duckdb.DuckDBPyConnection, version: StoredVersion, stored: str, panel: Panel
) -> dict[str, Floats]:
    """Stored values of the recursive columns on each symbol's last row of context; all of them, or none.

    A column that is not seeded yet needs the ones it reads on every bar, so where one is unknown all begin anew.
    """
    names = version.columns.recursive
    context = panel.rows.first > panel.rows.bounds[:-1]
    before = panel.rows.first[context] - 1
    previous = {name: np.full(panel.dates.size, np.nan) for name in names}
    if not before.size or not names:
        return previous
    wanted = pa.table(
        {
            "symbol": pa.array(np.array(panel.symbols, dtype=object)[context], pa.string()),
            "date": pa.array(panel.dates[before], pa.int32()).cast(pa.date32()),
            "position": pa.array(before, pa.int64()),
        }
    )
    connection.register("feature_context", wanted)
    found = connection.execute(
        f"SELECT position, {', '.join(names)} FROM {stored} JOIN feature_context USING (symbol, date)"  # noqa: S608
    ).to_arrow_table()
    values = {name: found[name].to_numpy() for name in names}
    all_known = ~np.isnan(np.stack(list(values.values()))).any(axis=0)
    positions = found["position"].to_numpy()[all_known]
    for name in names:
        previous[name][positions] = values[name][all_known]
    return previous
