"""The nightly drift report of a champion: what moved, by how much, against which threshold, and whether to retrain.

A night is a strike where at least one holds:

- features that carry ``SHARE_THRESHOLD`` of the model's importance have drifted (a feature has, where its stability
  index or its distance exceeds its threshold);
- the predictions have drifted;
- the model does worse on matured labels than its walk-forward ever did.

Retraining is asked for when strikes have lasted: every report of at least ``STRIKE_SESSIONS`` sessions up to tonight
was one, two of them at least. Nothing is judged on fewer than ``MIN_SESSIONS`` sessions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from quant_assets.signals.drift_measures import bin_numbers, quantile_grid, stability_index, wasserstein
from quant_assets.signals.drift_reference import ColumnReference, DriftReference, excess_ratio

__all__ = [
    "ALL",
    "MIN_SESSIONS",
    "SHARE_THRESHOLD",
    "STRIKE_SESSIONS",
    "CurrentWindow",
    "DriftMeasure",
    "PastReport",
    "drift_measures",
    "strike_sessions",
]

Floats = npt.NDArray[np.float64]

ALL = "(all)"
SHARE_THRESHOLD = 0.30
STRIKE_SESSIONS = 5
MIN_SESSIONS = 40


@dataclass(frozen=True, slots=True)
class DriftMeasure:
    """One figure of a report; NaN where it cannot be judged, which is never drift."""

    measure: str
    feature: str
    value: float
    threshold: float

    @property
    def drifted(self) -> bool:
        """Whether the value exceeds its threshold."""
        return bool(self.value > self.threshold)


@dataclass(frozen=True, slots=True, eq=False)
class CurrentWindow:
    """The newest sessions.

    Parameters
    ----------
    matrix : array, shape (n, k)
        Features of the newest ``WINDOW_SESSIONS`` sessions, in the reference's order.
    sessions : int
        Sessions among these rows.
    probability : array, shape (n,)
        The champion's predictions for them.
    matured_probability, matured_labels : array, shape (m,)
        Out-of-sample predictions of the newest sessions whose labels are known.
    matured_sessions : int
    """

    sessions: int
    matured_sessions: int
    matrix: npt.NDArray[np.float32] = field(repr=False)
    probability: Floats = field(repr=False)
    matured_probability: Floats = field(repr=False)
    matured_labels: Floats = field(repr=False)


@dataclass(frozen=True, slots=True)
class PastReport:
    """Whether an earlier night was a strike; ``session`` counts sessions of the exchange."""

    session: int
    is_strike: bool


def drift_measures(reference: DriftReference, window: CurrentWindow) -> tuple[DriftMeasure, ...]:
    """Every figure of tonight's report but the count of strikes.

    Measures: ``psi`` and ``wasserstein`` of each feature and of ``(prediction)``; ``brier_excess`` of
    ``(performance)``; ``drifted_importance`` and ``strike`` of ``(all)``.
    """
    is_enough = window.sessions >= MIN_SESSIONS
    features: list[DriftMeasure] = []
    moved = 0.0
    for column, described in enumerate(reference.features):
        found = list(_compared(described, window.matrix[:, column].astype(np.float64), is_enough))
        features += found
        moved += described.weight if any(measure.drifted for measure in found) else 0.0
    prediction = list(_compared(reference.prediction, window.probability, is_enough))
    performance = DriftMeasure("brier_excess", "(performance)", _excess(window), reference.excess_threshold)
    share = DriftMeasure("drifted_importance", ALL, moved if is_enough else float("nan"), SHARE_THRESHOLD)
    is_strike = any(measure.drifted for measure in (*prediction, performance, share))
    strike = DriftMeasure("strike", ALL, float(is_strike), 0.5)
    return (*features, *prediction, performance, share, strike)


def strike_sessions(past: Sequence[PastReport], today: PastReport) -> int:
    """Sessions for which reports up to today have been strikes without a break; 0 where today is none.

    Parameters
    ----------
    past : sequence of PastReport
        In order of time; one of today's session is ignored.
    today : PastReport
    """
    if not today.is_strike:
        return 0
    newest_first = [today, *(report for report in reversed(past) if report.session < today.session)]
    first = today.session
    for report, before in pairwise(newest_first):
        if not before.is_strike or report.session - before.session > MIN_SESSIONS:
            break
        first = before.session
    return today.session - first


def _compared(column: ColumnReference, values: Floats, is_enough: bool) -> Iterator[DriftMeasure]:
    index = distance = float("nan")
    if is_enough and len(values):
        shares = np.bincount(bin_numbers(values, np.array(column.edges)), minlength=len(column.shares)) / len(values)
        index = float(stability_index(np.array(column.shares), shares))
        distance = wasserstein(np.array(column.grid), quantile_grid(values), column.deviation)
    yield DriftMeasure("psi", column.name, index, column.index_threshold)
    yield DriftMeasure("wasserstein", column.name, distance, column.distance_threshold)


def _excess(window: CurrentWindow) -> float:
    if window.matured_sessions < MIN_SESSIONS:
        return float("nan")
    return excess_ratio(window.matured_probability, window.matured_labels)
