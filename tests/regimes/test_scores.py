from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from quant_assets.regimes.scores import score_labels


def test_switches_are_matched_by_hand():
    """Delay, missed and false switches of a small history, counted by hand.

    Truth switches to 1 at 3 (seen at 5, delay 2), to 2 at 8 (gone at 10, never seen) and to 0 at 10 (seen at once).
    Labels change at 2 (to 3: false), 4 (back to 0: false), 5 (to 1: the first switch) and 10 (to 0: the third).
    """
    truth = np.array([0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 0, 0])
    labels = np.array([0, 0, 3, 3, 0, 1, 1, 1, 1, 1, 0, 0])
    scores = score_labels(truth, labels)
    assert scores.median_delay == 2
    assert scores.missed_share == pytest.approx(1 / 3)
    assert scores.false_switches_per_year == pytest.approx(2 / (12 / 252))
    assert scores.flips_per_year == pytest.approx(4 / (12 / 252))
    assert scores.true_switches_per_year == pytest.approx(3 / (12 / 252))


@given(seed=st.integers(0, 10_000))
def test_accuracy_and_f1_are_scikit_learns(seed):
    """Accuracy and macro F1 over the true states equal the library's."""
    truth, labels = np.random.default_rng(seed).integers(0, 4, (2, 80))
    scores = score_labels(truth, labels)
    assert scores.accuracy == pytest.approx(accuracy_score(truth, labels))
    expected = f1_score(truth, labels, labels=np.unique(truth), average="macro", zero_division=0)
    assert scores.macro_f1 == pytest.approx(expected)


def test_the_truth_scores_perfectly():
    """Labels that are the truth have no delay and no false switch."""
    truth = np.repeat([0, 1, 2, 3, 1], 50)
    scores = score_labels(truth, truth)
    assert (scores.accuracy, scores.macro_f1, scores.median_delay) == (1, 1, 0)
    assert (scores.missed_share, scores.false_switches_per_year) == (0, 0)


def test_a_constant_label_sees_no_switch():
    """One label for ever raises nothing and misses what it never shows."""
    scores = score_labels(np.repeat([0, 1, 0, 1], 25), np.zeros(100, dtype=int))
    assert scores.flips_per_year == 0
    assert scores.missed_share == pytest.approx(2 / 3)
