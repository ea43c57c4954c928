"""One JSON line per request: who, what, how it ended and how long it took; never a token."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from typing import TextIO

import orjson

__all__ = ["AccessLine", "write_line"]

AccessLine = Callable[[dict[str, object]], None]
"""Takes the fields of one request."""


def write_line(fields: dict[str, object], stream: TextIO | None = None) -> None:
    """Write one line to ``stream``, standard output where none is given."""
    line = orjson.dumps({"at": dt.datetime.now(dt.UTC)} | fields, option=orjson.OPT_UTC_Z, default=str)
    target = stream or sys.stdout
    target.write(line.decode() + "\n")
    target.flush()
