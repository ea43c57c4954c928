"""CSV replies to columns: one pass of Polars where every value is clean, a look at each line where one is not."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import polars as pl

from quant_assets.foundation.errors import TransportError
from quant_assets.market_data.ports import FetchRequest
from resources.alpha_vantage.shapes import expected_columns, refuse

__all__ = ["clean_bars", "text_columns"]

_BOM = b"\xef\xbb\xbf"


def clean_bars(request: FetchRequest, body: bytes) -> dict[str, pl.Series] | None:
    """Bars as typed columns (``timestamp`` and those expected), or ``None`` where a value needs a closer look.

    Reading one reply at a time is as fast as one scan over all of them (``benchmarks/parse_replies.py``).
    """
    names = _header(request, body)
    if names[0] != "timestamp" or not _has_iso_dates(body):
        return None
    wanted = expected_columns(request)
    kinds: dict[str, pl.DataType] = {"timestamp": pl.Date(), "volume": pl.Int64()}
    schema = {name: kinds.get(name, pl.Float64()) if name in wanted else pl.String() for name in names}
    try:
        frame = pl.read_csv(body.removeprefix(_BOM), schema=schema)
    except pl.exceptions.PolarsError:
        return None
    columns = {name: frame[name] for name in wanted}
    # A sum is finite where every value is, and cheaper than a test of each.
    is_clean = all(column.null_count() == 0 for column in columns.values()) and all(
        math.isfinite(column.sum()) for column in columns.values() if column.dtype == pl.Float64
    )
    return columns if is_clean else None


def text_columns(request: FetchRequest, body: bytes) -> dict[str, list[str | None]]:
    """Every column of the reply as text, after a look at each line."""
    names = _header(request, body)
    rows: list[list[str]] = []
    try:
        reader = csv.reader(io.StringIO(body.removeprefix(_BOM).decode(), newline=""))
        next(reader)
        for row in reader:
            if row and len(row) != len(names):
                refuse(request, f"has {len(row)} instead of {len(names)} values in line {reader.line_num}")
            if row:
                rows.append(row)
    except UnicodeDecodeError:
        refuse(request, "is not UTF-8 text")
    except csv.Error as error:
        refuse(request, f"is damaged CSV ({error})")
    return {name: [row[position] for row in rows] for position, name in enumerate(names)}


def _has_iso_dates(body: bytes) -> bool:
    """Whether each line begins like ``2024-01-31,``; Polars alone would guess at ``02-01-2024`` as well."""
    raw = np.frombuffer(body, dtype=np.uint8)
    starts = np.flatnonzero(raw == ord("\n"))[:-1] + 1
    if starts.size == 0 or starts[-1] + 10 >= raw.size:
        return False
    dashes = (raw[starts + 4] == ord("-")) & (raw[starts + 7] == ord("-"))
    return bool((dashes & (raw[starts + 10] == ord(","))).all())


def _header(request: FetchRequest, body: bytes) -> list[str]:
    """Names of the columns, once it is sure that they are the expected ones and that the body is whole."""
    # Splitting the body at its first line end would copy it all.
    ending = body.find(b"\n")
    line = body[: ending if ending >= 0 else len(body)].removeprefix(_BOM)
    names = [name.strip().lower().replace(" ", "_") for name in line.decode(errors="replace").split(",")]
    expected = expected_columns(request)
    is_known = set(expected) <= set(names) and len(set(names)) == len(names)
    is_start_of_known = ending < 0 and ",".join(expected).startswith(",".join(names))
    if not is_known and not is_start_of_known:
        refuse(request, f"has the columns {', '.join(names)[:200]!r} instead of {', '.join(expected)!r}")
    if not body.endswith(b"\n"):
        # The vendor ends every line; without the last end nobody can tell 1030 from a cut 10303.
        raise TransportError(f"the CSV for {request.symbol} was cut off; it will be asked for again.")
    return names
