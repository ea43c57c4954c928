"""Reading a price file into a raw table: encodings, separators and line numbers, no meaning yet."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.market_data.price_file_rejects import MAX_DETAILS, Reject, RejectedPriceFileError

__all__ = ["RawTable", "read_raw_table"]

_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class RawTable:
    """Columns under the file's own names, and the line of each row; a CSV file's values are text."""

    frame: pl.DataFrame
    lines: npt.NDArray[np.int64]


def read_raw_table(path: Path) -> RawTable:
    """Read a CSV or Parquet file, told apart by its first bytes.

    Text may be UTF-8 or UTF-16 with or without a byte order mark (UTF-16 only with one); columns may be separated by
    comma, semicolon or tab; blank lines are passed over and counted.

    Raises
    ------
    RejectedPriceFileError
        When the file cannot be read, is neither, is empty, repeats a column, or has lines with more or fewer values
        than its header.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RejectedPriceFileError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    if content[:4] == b"PAR1":
        return _read_parquet(path.name, content)
    return _read_csv(path.name, _decoded(path.name, content))


def _read_parquet(name: str, content: bytes) -> RawTable:
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).splitlines()[0]
        raise RejectedPriceFileError(f"{name} is damaged ({first}); write it again.") from None
    if frame.is_empty():
        raise RejectedPriceFileError(f"{name} has no rows; nothing to import.")
    return RawTable(frame, np.arange(1, frame.height + 1, dtype=np.int64))


def _decoded(name: str, content: bytes) -> str:
    has_utf16_mark = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if has_utf16_mark else "utf-8-sig")
    except UnicodeDecodeError:
        raise RejectedPriceFileError(f"{name} is neither UTF-8 text nor Parquet; save it as CSV in UTF-8.") from None
    if "\0" in text:
        raise RejectedPriceFileError(f"{name} is neither text nor Parquet; save it as CSV in UTF-8.")
    return text


def _read_csv(name: str, text: str) -> RawTable:
    numbered = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if len(numbered) < 2:
        raise RejectedPriceFileError(f"{name} has no rows; nothing to import.")
    header_line = numbered[0][1]
    separator = max(_SEPARATORS, key=header_line.count)
    header = _values(header_line, separator)
    if len(set(header)) < len(header):
        twice = next(column for column in header if header.count(column) > 1)
        raise RejectedPriceFileError(f"{name} has two columns named {twice!r}; keep one.")
    ragged = [
        Reject(number, "", "", f"it has {found} values where the header has {len(header)} (a thousands separator?)")
        for number, line in numbered[1:]
        if (found := _count(line, separator)) != len(header)
    ]
    if ragged:
        raise RejectedPriceFileError(
            f"{name} is not imported: {len(ragged)} of its lines have more or fewer values than the header "
            f"(first: line {ragged[0].line}); mend them and import again.",
            ragged[:MAX_DETAILS],
            len(ragged),
        )
    body = "\n".join(line for _, line in numbered[1:])
    frame = pl.read_csv(
        io.BytesIO(body.encode()), separator=separator, has_header=False, new_columns=header, infer_schema=False
    )
    return RawTable(frame, np.array([number for number, _ in numbered[1:]], dtype=np.int64))


def _values(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator))


def _count(line: str, separator: str) -> int:
    return len(_values(line, separator)) if '"' in line else line.count(separator) + 1
