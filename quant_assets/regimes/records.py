"""Fit reports as rows of ``regimes.models`` and back, exact to the last bit."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable

import polars as pl

from quant_assets.regimes.model import FitReport, RegimeModel
from quant_assets.regimes.states import STATE_COUNT, STATES
from quant_assets.regimes.tables import MODELS

__all__ = ["report_rows", "stored_reports"]


def report_rows(reports: Iterable[FitReport], kind: str, fitted_at: dt.datetime) -> pl.DataFrame:
    """Rows of ``regimes.models``.

    Parameters
    ----------
    reports : iterable of FitReport
    kind : str
        market or symbols.
    fitted_at : datetime
        The source's clock, in UTC.
    """
    return pl.DataFrame([_row(report, kind, fitted_at) for report in reports], schema=MODELS.polars_schema)


def _row(report: FitReport, kind: str, fitted_at: dt.datetime) -> dict[str, object]:
    model = report.model
    stays = model.expected_durations if model else {}
    return {
        "model_version": report.model_version,
        "kind": kind,
        "status": "fitted" if model else "failed",
        "reason": report.reason,
        "effective_from": report.effective_from,
        "fitted_from": report.fitted_from,
        "fitted_to": report.fitted_to,
        "states": STATE_COUNT,
        "sessions": model.sessions if model else None,
        "log_likelihood": model.log_likelihood if model else None,
        **{f"expected_stay_{state}": stays.get(state) for state in STATES},
        "transition": json.dumps(model.transition) if model else None,
        "attempts": json.dumps(report.attempts),
        "parameters": model.to_json() if model else None,
        "fitted_at": fitted_at,
    }


def stored_reports(rows: pl.DataFrame, kind: str) -> tuple[FitReport, ...]:
    """Fit reports of one kind, oldest first."""
    wanted = rows.filter(pl.col("kind") == kind).sort("effective_from")
    return tuple(
        FitReport(
            model_version=row["model_version"],
            effective_from=row["effective_from"],
            fitted_from=row["fitted_from"],
            fitted_to=row["fitted_to"],
            model=RegimeModel.from_json(row["parameters"]) if row["parameters"] else None,
            reason=row["reason"],
            attempts=tuple(json.loads(row["attempts"])),
        )
        for row in wanted.iter_rows(named=True)
    )
