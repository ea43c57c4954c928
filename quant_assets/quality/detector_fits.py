"""The record of one fit of a detector: what it saw, what it may score, and how it ended."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from quant_assets.quality.tables import MODELS

__all__ = ["FAILED", "FITTED", "PANEL", "DetectorFit", "fits_frame"]

FITTED = "fitted"
FAILED = "failed"
PANEL = "*"
"""Stands for all symbols together."""


@dataclass(frozen=True, slots=True)
class DetectorFit:
    """A row of ``quality.models``; a failed fit is recorded with its reason, and its bars have no score."""

    model_version: str
    method: str
    symbol: str
    refit_date: dt.date
    serves_to: dt.date
    fitted_from: dt.date | None
    fitted_to: dt.date | None
    rows: int
    status: str
    reason: str | None
    parameters: str

    def with_failure(self, reason: str) -> DetectorFit:
        """The same fit, failed for ``reason``."""
        return dataclasses.replace(self, status=FAILED, reason=reason)


def fits_frame(fits: Iterable[DetectorFit]) -> pl.DataFrame:
    """Fits as rows of ``quality.models``."""
    return pl.DataFrame([dataclasses.asdict(fit) for fit in fits], schema=MODELS.polars_schema)
