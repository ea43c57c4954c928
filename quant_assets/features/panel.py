"""Bars of many symbols as arrays, from DuckDB and back as record batches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from quant_assets.features.changes import Change, StoredVersion, find_changes
from quant_assets.features.columns import compute
from quant_assets.features.windows import Floats, Rows
from quant_assets.foundation.errors import DataError

__all__ = ["changed_rows", "output_schema"]

_CHUNK_ROWS = 200_000
"""Rows computed at a time: a column of 1.6 MB stays in the processor's cache, and memory stays bounded."""
_DAYS_PER_BAR = 1.7
"""Calendar days looked back per bar of context; the exchange's average is 1.45, the rest is for halts and holidays."""
_EARLIEST = dt.date.min


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars of several symbols, sorted by symbol and date.

    Parameters
    ----------
    symbols : tuple of str
    dates : array of int32
        Days since 1970-01-01.
    inputs : dict of str to array
        The version's input columns, NaN for null.
    rows : Rows
    previous : dict of str to array
        Recursive columns with their stored value on the row before ``rows.first``, NaN elsewhere.
    """

    symbols: tuple[str, ...]
    dates: npt.NDArray[np.int32]
    inputs: dict[str, Floats]
    rows: Rows
    previous: dict[str, Floats]


def output_schema(version: StoredVersion) -> pa.Schema:
    """Columns of the stored table."""
    types = {"symbol": pa.string(), "date": pa.date32(), "revision": pa.int64()}
    return pa.schema([(name, types.get(name, pa.float64())) for name in version.column_names])


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
        Per changed symbol every row from its first changed session on, sorted by symbol and date; one row with a null
        date for a symbol that has no bar any more.

    Raises
    ------
    DataError
        Where a symbol has two bars for one session.
    """
    if stored is None or not _fits(connection, stored, version):
        return _reader(version, _load(connection, version, bars), [])
    changes = find_changes(connection, version, bars=compared_bars or bars, stored=stored)
    gone = [change.symbol for change in changes if change.is_gone]
    found = {change.symbol: change for change in changes if not change.is_gone}
    panel = _load_changes(connection, version, bars=bars, stored=stored, changes=found) if found else None
    return _reader(version, panel, gone)


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
    """Read bars, all of them or from each change's context on, and sort them where they do not come sorted."""
    names = ", ".join(f"bars.{name}" for name in ("symbol", "date", *version.inputs))
    if changes is None:
        found = connection.execute(f"SELECT {names}, false AS is_context FROM ({bars}) AS bars")  # noqa: S608
    else:
        connection.register("feature_changes", changes)
        earliest = min(changes["context_date"].to_pylist())
        found = connection.execute(
            f"SELECT {names}, bars.date < first_date AS is_context FROM ({bars}) AS bars "  # noqa: S608
            f"JOIN feature_changes USING (symbol) WHERE bars.date >= context_date AND bars.date >= DATE '{earliest}'"
        )
    table = found.to_arrow_table()
    symbols, codes = _symbol_codes(table["symbol"])
    dates = table["date"].to_numpy().astype("datetime64[D]").astype(np.int32)
    order = _sorted_order(symbols, codes, dates)
    bounds = np.searchsorted(codes[order], np.arange(len(symbols) + 1)).astype(np.int64)
    is_context = table["is_context"].to_numpy()[order]
    context = np.bincount(codes[order][is_context], minlength=len(symbols)).astype(np.int64)
    inputs = {
        name: np.ascontiguousarray(table[name].to_numpy()[order], dtype=np.float64).copy() for name in version.inputs
    }
    return Panel(symbols, dates[order], inputs, Rows(bounds, bounds[:-1] + context), {})


def _symbol_codes(column: pa.ChunkedArray) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """Symbols in order, and for each row the position of its symbol."""
    encoded = column.combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    ranks = np.argsort(np.argsort(np.array(names, dtype=object))).astype(np.int32) if names else np.empty(0, np.int32)
    return tuple(sorted(names)), ranks[encoded.indices.to_numpy()]


def _sorted_order(
    symbols: Sequence[str], codes: npt.NDArray[np.int32], dates: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64] | slice:
    """Order by symbol and date; tables are stored in that order, so that most often nothing has to be moved."""
    key = (codes.astype(np.int64) << 32) + dates
    if np.all(np.diff(key) > 0):
        return slice(None)
    order = np.argsort(key, kind="stable")
    repeated = np.flatnonzero(np.diff(key[order]) == 0)
    if repeated.size:
        row = order[repeated[0]]
        raise DataError(
            f"{symbols[codes[row]]} has two bars for {dates[row].astype('datetime64[D]')}; "
            "remove one of them from the price table."
        )
    return order


def _previous(
    connection: duckdb.DuckDBPyConnection, version: StoredVersion, stored: str, panel: Panel
) -> dict[str, Floats]:
    """Stored values of the recursive columns on each symbol's last row of context."""
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
    for name in names:
        previous[name][found["position"].to_numpy()] = found[name].to_numpy()
    return previous


def _reader(version: StoredVersion, panel: Panel | None, gone: Sequence[str]) -> pa.RecordBatchReader:
    schema = output_schema(version)
    return pa.RecordBatchReader.from_batches(schema, _batches(version, schema, panel, gone))


def _batches(
    version: StoredVersion, schema: pa.Schema, panel: Panel | None, gone: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    if gone:
        columns = [
            pa.array(gone, pa.string()) if name == "symbol" else pa.nulls(len(gone), schema.field(name).type)
            for name in schema.names
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
    for part in _parts(panel) if panel else ():
        values = compute(version.columns, {**part.inputs, "date": part.dates}, part.rows, part.previous)
        yield _batch(version, schema, part, {**part.inputs, **values})


def _parts(panel: Panel) -> Iterator[Panel]:
    """Whole symbols, about ``_CHUNK_ROWS`` rows at a time."""
    bounds = panel.rows.bounds
    low = 0
    while low < len(panel.symbols):
        high = max(low + 1, int(np.searchsorted(bounds, bounds[low] + _CHUNK_ROWS, side="right")) - 1)
        cut = slice(bounds[low], bounds[high])
        yield Panel(
            symbols=panel.symbols[low:high],
            dates=panel.dates[cut],
            inputs={name: values[cut] for name, values in panel.inputs.items()},
            rows=Rows(bounds[low : high + 1] - bounds[low], panel.rows.first[low:high] - bounds[low]),
            previous={name: values[cut] for name, values in panel.previous.items()},
        )
        low = high


def _batch(version: StoredVersion, schema: pa.Schema, part: Panel, values: Mapping[str, Floats]) -> pa.RecordBatch:
    """Rows to store: those from each symbol's ``first`` on."""
    counts = np.diff(part.rows.bounds)
    codes = np.repeat(np.arange(len(part.symbols), dtype=np.int32), counts)
    chosen: slice | npt.NDArray[np.int64] = slice(None)
    if np.any(part.rows.first > part.rows.bounds[:-1]):
        chosen = np.flatnonzero(np.arange(part.dates.size) >= np.repeat(part.rows.first, counts))
    names = pa.DictionaryArray.from_arrays(pa.array(codes[chosen]), pa.array(part.symbols, pa.string()))
    arrays = {
        "symbol": names.cast(pa.string()),
        "date": pa.array(part.dates[chosen], pa.int32()).cast(pa.date32()),
        "revision": pa.array(np.full(codes[chosen].size, version.columns.revision), pa.int64()),
    }
    return pa.RecordBatch.from_arrays(
        [
            arrays[name] if name in arrays else pa.array(values[name][chosen], pa.float64(), from_pandas=True)
            for name in schema.names
        ],
        schema=schema,
    )
