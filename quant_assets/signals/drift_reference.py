"""What a model was trained on, in numbers small enough to keep with it, and what counts as far from that.

Two months of any market look unlike its last ten years, so customary thresholds such as 0.25 would call drift every
night. The threshold of each column is therefore the largest value of the same measure over the windows of 60
sessions that the training period itself consists of, and never below the customary one. On the reference synthetic
market, whose regimes come and go but whose law never changes, ten years after ten years of training raise 0.3 false
alarms a year (``python -m benchmarks.signals_drift``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from quant_assets.signals.drift_measures import (
    bin_numbers,
    decile_edges,
    quantile_grid,
    stability_index,
    wasserstein,
)
from quant_assets.signals.scored_rows import ScoredRows
from quant_assets.signals.training_table import TrainingTable

__all__ = [
    "INDEX_FLOOR",
    "WINDOW_SESSIONS",
    "ColumnReference",
    "DriftReference",
    "drift_reference",
    "excess_ratio",
]

Floats = npt.NDArray[np.float64]

WINDOW_SESSIONS = 60
INDEX_FLOOR = 0.25
"""The customary "major shift" of the population stability index."""
DISTANCE_FLOOR = 0.25
"""Standard deviations; Cohen's "small to medium" shift of a mean."""
EXCESS_FLOOR = 0.05
"""Relative excess of the Brier score over what the probabilities promise."""
_MAX_WINDOWS = 120
_MAX_WINDOW_ROWS = 3000


@dataclass(frozen=True, slots=True)
class ColumnReference:
    """One column as it was, with its thresholds; ``deviation`` is 0 for a constant or unknown column."""

    name: str
    weight: float
    edges: tuple[float, ...] = field(repr=False)
    shares: tuple[float, ...] = field(repr=False)
    grid: tuple[float, ...] = field(repr=False)
    deviation: float
    index_threshold: float
    distance_threshold: float


@dataclass(frozen=True, slots=True)
class DriftReference:
    """Features (weights add up to 1 or 0), the model's predictions, and its expected performance."""

    features: tuple[ColumnReference, ...] = field(repr=False)
    prediction: ColumnReference
    excess_threshold: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DriftReference:
        """The reference that :meth:`to_json` wrote."""
        features = tuple(_column_from(column) for column in values["features"])
        return cls(features, _column_from(values["prediction"]), values["excess_threshold"])


def drift_reference(table: TrainingTable, weights: Floats, probability: Floats, scored: ScoredRows) -> DriftReference:
    """Describe the training rows, what the model says of them, and how it did out of sample.

    Parameters
    ----------
    table : TrainingTable
        The rows that the model was fitted on.
    weights : array, shape (k,)
        Importance of each feature; their sum does not matter.
    probability : array, shape (n,)
        The model's own predictions of these rows. Those of the walk-forward would not do: earlier folds said less
        extreme things, and the model would seem to drift from its first night on.
    scored : ScoredRows
        The walk-forward predictions with known labels.
    """
    total = float(weights.sum())
    shares = weights / total if total > 0.0 else np.zeros(len(weights))
    windows = list(_windows(table.dates))
    features = tuple(
        _described(name, float(share), table.matrix[:, column].astype(np.float64), windows)
        for column, (name, share) in enumerate(zip(table.features, shares, strict=True))
    )
    return DriftReference(
        features=features,
        prediction=_described("(prediction)", 0.0, probability, windows),
        excess_threshold=_excess_threshold(scored, list(_windows(scored.dates))),
    )


def excess_ratio(probability: Floats, labels: Floats) -> float:
    """Brier score over what it would be on average if the probabilities were true, less 1; 0 is as promised.

    The expected Brier score of true probabilities p is the mean of p (1 - p), whatever the volatility of the time, so
    the ratio tells a model that went wrong from a market that became harder.
    """
    promised = float(np.mean(probability * (1.0 - probability)))
    return float(np.mean((probability - labels) ** 2)) / promised - 1.0 if promised > 0.0 else float("nan")


def _windows(dates: npt.NDArray[np.datetime64]) -> Iterator[npt.NDArray[np.int64]]:
    """Rows of windows of 60 sessions, at most 120 of them, evenly spread; large ones thinned evenly."""
    sessions, numbers = np.unique(dates, return_inverse=True)
    last = len(sessions) - WINDOW_SESSIONS
    if last < 0:
        return
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(len(sessions) + 1))
    for start in np.unique(np.linspace(0, last, min(_MAX_WINDOWS, last + 1)).astype(np.int64)):
        rows = order[bounds[start] : bounds[start + WINDOW_SESSIONS]]
        yield rows[:: -(-len(rows) // _MAX_WINDOW_ROWS)]


def _described(name: str, weight: float, values: Floats, windows: Sequence[npt.NDArray[np.int64]]) -> ColumnReference:
    edges, grid = decile_edges(values), quantile_grid(values)
    numbers, bins = bin_numbers(values, edges), len(edges) + 2
    shares = np.bincount(numbers, minlength=bins) / max(len(values), 1)
    known = values[~np.isnan(values)]
    deviation = float(known.std()) if len(known) else 0.0
    deviation = deviation if deviation > 1e-12 else 0.0
    seen = np.array([np.bincount(numbers[rows], minlength=bins) / len(rows) for rows in windows]).reshape(-1, bins)
    indices = stability_index(shares, seen)
    distances = np.array([wasserstein(grid, quantile_grid(values[rows]), deviation) for rows in windows])
    return ColumnReference(
        name=name,
        weight=weight,
        edges=tuple(edges.tolist()),
        shares=tuple(shares.tolist()),
        grid=tuple(grid.tolist()),
        deviation=deviation,
        index_threshold=_threshold(indices, INDEX_FLOOR),
        distance_threshold=_threshold(distances, DISTANCE_FLOOR),
    )


def _excess_threshold(scored: ScoredRows, windows: Sequence[npt.NDArray[np.int64]]) -> float:
    ratios = np.array([excess_ratio(scored.probability[rows], scored.labels[rows]) for rows in windows])
    return _threshold(ratios, EXCESS_FLOOR)


def _threshold(seen: Floats, floor: float) -> float:
    finite = seen[np.isfinite(seen)]
    return max(floor, float(finite.max())) if len(finite) else floor


def _column_from(values: Mapping[str, Any]) -> ColumnReference:
    lists = {name: tuple(values[name]) for name in ("edges", "shares", "grid")}
    return ColumnReference(**{**values, **lists})
