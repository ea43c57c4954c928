"""Why a price file was refused: one sentence for the file, and the lines it stumbled over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quant_assets.foundation.errors import PriceFileError

__all__ = ["MAX_DETAILS", "Reject", "RejectedPriceFileError"]

MAX_DETAILS = 1000
"""Rejects that an error carries; a file of the wrong kind would otherwise carry one for each of its lines."""


@dataclass(frozen=True, slots=True)
class Reject:
    """One line (of a CSV file, the header is line 1) or row (of a Parquet file, from 1) and what is wrong with it."""

    line: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        what = f"{self.column} {self.value!r}: " if self.column else ""
        return f"line {self.line}: {what}{self.reason}"


class RejectedPriceFileError(PriceFileError):
    """A price file that is not imported, in whole or in part.

    ``details`` are the first rejects in the order of the file, ``rejected`` counts them all.
    """

    def __init__(self, message: str, details: Sequence[Reject] = (), rejected: int = 0) -> None:
        super().__init__(message)
        self.details = tuple(details)
        self.rejected = rejected or len(self.details)
