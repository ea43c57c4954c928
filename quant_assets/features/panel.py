"""Bars of many symbols as arrays, and the stored table of a version computed from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from quant_assets.features.changes import StoredVersion
from quant_assets.features.columns import compute
from quant_assets.features.windows import Floats, Rows
from quant_assets.foundation.errors import DataError

__all__ = ["Panel", "computed", "computed_batches", "output_schema", "panel_of"]

_CHUNK_ROWS = 200_000
"""Rows computed at a time: a column of 1.6 MB stays in the processor's cache, and memory stays bounded."""


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


def panel_of(table: pa.Table, version: StoredVersion) -> Panel:
    """Arrange bars, sorting them where they do not come sorted by symbol and date.

    Parameters
    ----------
    table : Table
        ``symbol``, ``date``, the version's inputs, and ``is_context`` for rows that are not to be computed (absent:
        every row is).
    version : StoredVersion

    Raises
    ------
    DataError
        Where a symbol has two bars for one session.
    """
    symbols, codes = _symbol_codes(table["symbol"])
    dates = table["date"].to_numpy().astype("datetime64[D]").astype(np.int32)
    order = _sorted_order(symbols, codes, dates)
    bounds = np.searchsorted(codes[order], np.arange(len(symbols) + 1)).astype(np.int64)
    context = np.zeros(len(symbols), np.int64)
    if "is_context" in table.column_names:
        is_context = table["is_context"].to_numpy()[order]
        context += np.bincount(codes[order][is_context], minlength=len(symbols))
    inputs = {name: table[name].to_numpy()[order].astype(np.float64) for name in version.inputs}
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


def computed(version: StoredVersion, bars: pl.DataFrame) -> pl.DataFrame:
    """The stored table computed from its first bar on.

    Parameters
    ----------
    version : StoredVersion
    bars : DataFrame
        ``symbol``, ``date`` and the version's inputs.

    Returns
    -------
    DataFrame
        The columns of the stored table, sorted by symbol and date; null where a window is not full or a value is
        undefined.
    """
    batches = computed_batches(version, panel_of(bars.to_arrow(), version))
    found = pl.from_arrow(pa.Table.from_batches(batches, output_schema(version)))
    return found if isinstance(found, pl.DataFrame) else found.to_frame()


def computed_batches(
    version: StoredVersion, panel: Panel | None, cleared: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    """Rows to store, a chunk of symbols at a time; first a row with a null date for each symbol of ``cleared``."""
    schema = output_schema(version)
    if cleared:
        columns = [
            pa.array(cleared, pa.string()) if name == "symbol" else pa.nulls(len(cleared), schema.field(name).type)
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
