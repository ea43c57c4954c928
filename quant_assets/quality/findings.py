"""What a rule says: one row per thing noticed about one bar."""

from __future__ import annotations

from enum import StrEnum

import polars as pl

__all__ = ["FINDINGS_SCHEMA", "Severity", "empty_findings"]


class Severity(StrEnum):
    """How sure the sentinel is that a bar is wrong.

    ``HIGH`` bars are withheld; ``MEDIUM`` ones should be looked at; ``LOW`` ones are recorded.
    """

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


FINDINGS_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "date": pl.Date(),
    "kind": pl.String(),
    "severity": pl.String(),
    "details": pl.String(),
    "pattern": pl.String(),
    "magnitude": pl.Float64(),
}
"""``details`` says why in words; ``pattern`` is what a dismissal teaches; ``magnitude`` is in the kind's own unit."""


def empty_findings() -> pl.DataFrame:
    """A findings frame with no row."""
    return pl.DataFrame(schema=FINDINGS_SCHEMA)
