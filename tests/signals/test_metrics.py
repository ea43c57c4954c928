from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from quant_assets.signals.metrics import auc, brier, brier_skill, class_measures, decile_numbers, log_loss

ROWS = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=4, max_size=60).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_measures_equal_scikit_learn(rows):
    """Every measure of classes and probabilities is scikit-learn's, ties included."""
    probability = np.array([p / 20 for p, _ in rows])
    labels = np.array([float(label) for _, label in rows])
    predicted = (probability > 0.5).astype(float)
    ours = class_measures(probability, labels)
    options = {"average": "weighted", "zero_division": 0}
    assert ours.accuracy == pytest.approx(oracle.accuracy_score(labels, predicted))
    assert ours.balanced_accuracy == pytest.approx(oracle.balanced_accuracy_score(labels, predicted))
    assert ours.precision_weighted == pytest.approx(oracle.precision_score(labels, predicted, **options))
    assert ours.recall_weighted == pytest.approx(oracle.recall_score(labels, predicted, **options))
    assert ours.f1_weighted == pytest.approx(oracle.f1_score(labels, predicted, **options))
    assert auc(probability, labels) == pytest.approx(oracle.roc_auc_score(labels, probability))
    assert brier(probability, labels) == pytest.approx(oracle.brier_score_loss(labels, probability))
    inside = np.clip(probability, 0.01, 0.99)
    assert log_loss(inside, labels) == pytest.approx(oracle.log_loss(labels, inside))


def test_skill_is_relative_to_the_reference():
    """The reference itself has skill 0, a perfect forecast 1, a worse one less than 0."""
    labels = np.array([0.0, 1.0, 1.0, 0.0])
    rate = np.full(4, 0.5)
    assert brier_skill(rate, rate, labels) == 0.0
    assert brier_skill(labels, rate, labels) == 1.0
    assert brier_skill(1 - labels, rate, labels) == -3.0


def test_measures_of_one_class_are_not_defined():
    """Without a single event there is no AUC and no balanced accuracy, and no number is made up."""
    labels = np.zeros(5)
    assert np.isnan(auc(np.linspace(0, 1, 5), labels))
    assert np.isnan(class_measures(np.linspace(0, 1, 5), labels).balanced_accuracy)


def test_deciles_are_equal_in_size_and_ordered():
    """Sizes differ by one at most and every lower decile's probabilities are not above a higher one's."""
    probability = np.random.default_rng(0).random(107).round(2)
    deciles = decile_numbers(probability)
    sizes = np.bincount(deciles, minlength=10)
    assert sizes.max() - sizes.min() <= 1
    tops = [probability[deciles == d].max() for d in range(10)]
    bottoms = [probability[deciles == d].min() for d in range(10)]
    assert all(high <= low for high, low in zip(tops[:-1], bottoms[1:], strict=True))
