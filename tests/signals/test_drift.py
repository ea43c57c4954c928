from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from quant_assets.signals.drift import (
    MIN_SESSIONS,
    CurrentWindow,
    PastReport,
    drift_measures,
    strike_sessions,
)
from quant_assets.signals.drift_measures import (
    bin_numbers,
    decile_edges,
    quantile_grid,
    stability_index,
    wasserstein,
)
from quant_assets.signals.drift_reference import (
    DISTANCE_FLOOR,
    INDEX_FLOOR,
    DriftReference,
    drift_reference,
    excess_ratio,
)
from quant_assets.signals.scored_rows import ScoredRows
from quant_assets.signals.training_table import TrainingTable
from tests.support.signal_markets import weekdays

SYMBOLS, SESSIONS = 8, 1000


@pytest.fixture(scope="module")
def trained() -> tuple[TrainingTable, ScoredRows, DriftReference]:
    """A stationary history with an important feature, an unimportant one and one that is never known."""
    rng = np.random.default_rng(0)
    rows = SYMBOLS * SESSIONS
    dates = np.repeat(weekdays(SESSIONS), SYMBOLS)
    matrix = np.column_stack([rng.normal(size=rows), rng.normal(size=rows), np.full(rows, np.nan)]).astype(np.float32)
    probability = rng.beta(2, 5, rows)
    labels = (rng.random(rows) < probability).astype(float)
    symbols = np.tile(np.array([f"S{n}" for n in range(SYMBOLS)]), SESSIONS)
    empty = np.full(rows, "")
    table = TrainingTable(
        ("important", "minor", "unknown"), symbols, dates, matrix, labels, labels, dates, np.zeros(rows, int), empty
    )
    scored = ScoredRows(1, symbols, dates, empty, probability, np.full(rows, 0.3), labels, labels)
    reference = drift_reference(table, np.array([0.6, 0.2, 0.0]), probability, scored)
    return table, scored, reference


def window(rng: np.random.Generator, shift: float = 0.0, sessions: int = 60, **changes) -> CurrentWindow:
    """Newest rows of the same market, the important feature shifted."""
    rows = SYMBOLS * sessions
    matrix = np.column_stack([rng.normal(shift, 1, rows), rng.normal(size=rows), np.full(rows, np.nan)])
    probability = changes.get("probability", rng.beta(2, 5, rows))
    happened = changes.get("happened", probability)
    labels = (rng.random(rows) < happened).astype(float)
    return CurrentWindow(sessions, sessions, matrix.astype(np.float32), probability, probability, labels)


def named(measures, measure: str, feature: str):
    return next(m for m in measures if (m.measure, m.feature) == (measure, feature))


def test_stability_index_by_hand():
    """Two bins of a half against a quarter and three quarters give the sum of the two terms."""
    index = stability_index(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    assert index == pytest.approx(-0.25 * np.log(0.5) + 0.25 * np.log(1.5))


def test_empty_bins_are_finite():
    """A bin that is empty now counts as a ten-thousandth."""
    index = stability_index(np.array([0.5, 0.5]), np.array([0.0, 1.0]))
    assert index == pytest.approx((1e-4 - 0.5) * np.log(1e-4 / 0.5) + 0.5 * np.log(2.0))


def test_bins_are_deciles_and_missing_values_have_their_own():
    """A large sample fills ten bins alike, and NaN falls into one of its own."""
    values = np.random.default_rng(0).normal(size=10_000)
    edges = decile_edges(values)
    counts = np.bincount(bin_numbers(values, edges))
    assert counts == pytest.approx(np.full(10, 1000), abs=2)
    assert bin_numbers(np.array([np.nan]), edges).tolist() == [10]


def test_wasserstein_equals_scipy():
    """Between samples as large as the grid the distance is scipy's over the deviation."""
    rng = np.random.default_rng(1)
    then, now = rng.normal(size=200), rng.normal(0.7, 2.0, 200)
    found = wasserstein(quantile_grid(then), quantile_grid(now), 1.7)
    assert found == pytest.approx(wasserstein_distance(then, now) / 1.7)


def test_excess_ratio_of_true_probabilities_is_nothing():
    """Probabilities that come true have no excess; ones that are half as often right have much."""
    rng = np.random.default_rng(0)
    probability = rng.beta(2, 5, 200_000)
    labels = (rng.random(200_000) < probability).astype(float)
    assert excess_ratio(probability, labels) == pytest.approx(0.0, abs=0.01)
    assert excess_ratio(probability, 1.0 - labels) > 0.5


def test_thresholds_are_never_below_the_customary_ones(trained):
    """Noise of a stationary history stays below the floors, so the floors are the thresholds."""
    important = trained[2].features[0]
    assert (important.index_threshold, important.distance_threshold) == (INDEX_FLOOR, DISTANCE_FLOOR)


def test_a_slow_history_raises_its_thresholds(trained):
    """A feature that wanders by itself needs a larger shift than one that does not."""
    table, scored, _ = trained
    wave = np.repeat(np.sin(np.arange(SESSIONS) / 80), SYMBOLS).astype(np.float32)
    matrix = table.matrix.copy()
    matrix[:, 0] = wave
    slow = drift_reference(
        TrainingTable(
            table.features,
            table.symbols,
            table.dates,
            matrix,
            table.labels,
            table.labels,
            table.dates,
            table.bar_numbers,
            table.regimes,
        ),
        np.ones(3),
        scored.probability,
        scored,
    )
    assert slow.features[0].index_threshold > 2.0
    assert slow.features[0].distance_threshold > 0.7


def test_the_same_market_is_no_drift(trained):
    """Of forty windows of the same market none is a strike."""
    rng = np.random.default_rng(5)
    strikes = sum(named(drift_measures(trained[2], window(rng)), "strike", "(all)").drifted for _ in range(40))
    assert strikes == 0


def test_a_shift_of_the_important_feature_is_a_strike(trained):
    """Half a deviation on the feature that carries the model is found, named, and weighs its importance."""
    measures = drift_measures(trained[2], window(np.random.default_rng(2), shift=0.5))
    assert named(measures, "wasserstein", "important").drifted
    assert not named(measures, "wasserstein", "minor").drifted
    assert named(measures, "drifted_importance", "(all)").value == pytest.approx(0.75)
    assert named(measures, "strike", "(all)").drifted


def test_worse_predictions_are_a_strike(trained):
    """Outcomes that ignore the probabilities are found by the performance alone."""
    measures = drift_measures(trained[2], window(np.random.default_rng(3), happened=np.full(480, 0.5)))
    assert named(measures, "brier_excess", "(performance)").drifted
    assert not named(measures, "psi", "important").drifted
    assert named(measures, "strike", "(all)").drifted


def test_other_predictions_are_a_strike(trained):
    """A model that says other things than in its training has drifted, whatever its features."""
    probability = np.random.default_rng(4).beta(5, 2, 480)
    assert named(
        drift_measures(trained[2], window(np.random.default_rng(4), probability=probability)), "strike", "(all)"
    ).drifted


def test_few_sessions_are_not_judged(trained):
    """Below the floor of sessions every measure is undefined and nothing is drift, however far the values lie."""
    measures = drift_measures(trained[2], window(np.random.default_rng(6), shift=5.0, sessions=MIN_SESSIONS - 1))
    assert not any(m.drifted for m in measures)
    assert np.isnan(named(measures, "psi", "important").value)


def test_a_feature_that_becomes_known_is_drift(trained):
    """A column that the model never saw and that is there now is reported."""
    current = window(np.random.default_rng(7))
    current.matrix[:, 2] = 1.0
    assert named(drift_measures(trained[2], current), "psi", "unknown").drifted


def test_reference_survives_being_stored(trained):
    """A reference that went through JSON gives the same report."""
    again = DriftReference.from_json(json.loads(json.dumps(trained[2].to_json())))
    current = window(np.random.default_rng(8), shift=0.3)
    assert [repr(m) for m in drift_measures(again, current)] == [repr(m) for m in drift_measures(trained[2], current)]


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        ([], 0),
        ([(99, True)], 1),
        ([(95, True), (97, True), (99, True)], 5),
        ([(90, True), (95, False), (97, True)], 3),
        ([(95, True), (100, False)], 5),
        ([(40, True)], 0),
    ],
)
def test_strikes_count_sessions_without_a_break(past, expected):
    """The count runs back over strikes until a clear night or a long silence; today's earlier report does not count."""
    assert strike_sessions([PastReport(*report) for report in past], PastReport(100, is_strike=True)) == expected


def test_a_clear_night_counts_nothing():
    """Tonight without a strike has no count whatever came before."""
    assert strike_sessions([PastReport(99, is_strike=True)], PastReport(100, is_strike=False)) == 0
