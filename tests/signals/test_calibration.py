from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from quant_assets.signals.calibration import (
    PlattMap,
    calibrator_from_json,
    fit_calibrator,
    fit_isotonic,
    fit_platt,
    log_odds,
    sigmoid,
)


@pytest.fixture
def sample():
    """Scores whose true log-odds are 0.7 of them less 0.4."""
    rng = np.random.default_rng(5)
    scores = rng.normal(0.3, 1.5, 4000)
    labels = (rng.random(4000) < sigmoid(0.7 * scores - 0.4)).astype(float)
    return scores, labels


def test_sigmoid_and_log_odds_are_inverse():
    """Going to probabilities and back changes nothing, also far out."""
    scores = np.array([-30.0, -1.0, 0.0, 2.5, 30.0])
    assert log_odds(sigmoid(scores)) == pytest.approx(scores, rel=1e-3)
    assert sigmoid(np.array([-800.0, 800.0])).tolist() == [0.0, 1.0]


def test_platt_without_prior_equals_scikit_learn(sample):
    """Without a prior and with labels as good as 0 and 1, the line is scikit-learn's unpenalised regression."""
    scores, labels = sample
    ours = fit_platt(scores, labels, slope_deviation=1e9, level_deviation=1e9)
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(scores[:, None], labels)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], rel=3e-3)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=3e-3)


def test_platt_minimises_its_penalised_loss(sample):
    """Slope and intercept are where a general minimiser finds the least penalised loss."""
    scores, labels = sample[0][:200], sample[1][:200]
    events = labels.sum()
    targets = np.where(labels > 0.5, (events + 1) / (events + 2), 1 / (len(labels) - events + 2))

    def loss(line):
        odds = line[0] * scores + line[1]
        shift = line[1] + (line[0] - 1) * scores.mean()
        return (
            np.logaddexp(0, odds).sum() - targets @ odds + 0.5 * ((line[0] - 1) / 0.2) ** 2 + 0.5 * (shift / 0.05) ** 2
        )

    found = minimize(loss, [1.0, 0.0], tol=1e-12).x
    line = fit_platt(scores, labels)
    assert (line.slope, line.intercept) == pytest.approx(found, rel=1e-4)


def test_wrong_way_round_scores_say_nothing(sample):
    """Scores that point the wrong way give every row the base rate, not its opposite."""
    scores, labels = sample
    line = fit_platt(-scores, labels)
    assert line.slope == 0.0
    assert sigmoid(line.log_odds(scores)) == pytest.approx(np.full(4000, labels.mean()), abs=1e-3)


def test_true_scores_stay_as_they_are():
    """Scores that are the true log-odds come out as they went in, within the error of 500 rows."""
    rng = np.random.default_rng(3)
    scores = rng.normal(-1.0, 0.5, 500)
    labels = (rng.random(500) < sigmoid(scores)).astype(float)
    assert fit_platt(scores, labels).log_odds(scores) == pytest.approx(scores, abs=0.4)


def test_one_class_gives_a_finite_line():
    """Where the event never happened a free line gives a small probability, not zero, and the priors keep it near 1."""
    scores = np.linspace(-4, -2, 50)
    free = fit_platt(scores, np.zeros(50), slope_deviation=1e9, level_deviation=1e9)
    assert 0.0 < sigmoid(free.log_odds(scores)).max() < 0.05
    held = fit_platt(scores, np.zeros(50))
    assert held.log_odds(scores) == pytest.approx(scores, abs=0.2)


def test_offsets_are_what_is_known_before(sample):
    """With the true log-odds as offset, a score that adds nothing gets a slope near nothing."""
    scores, labels = sample
    noise = np.random.default_rng(0).normal(size=len(scores))
    line = fit_platt(noise, labels, offsets=0.7 * scores - 0.4, prior_slope=0.0)
    assert line.slope < 0.1
    assert abs(line.intercept) < 0.1


def test_isotonic_never_falls_and_never_promises(sample):
    """The map rises with the score and keeps off 0 and 1."""
    fitted = fit_isotonic(*sample)
    odds = fitted.log_odds(np.linspace(-10, 10, 500))
    assert np.all(np.diff(odds) >= 0)
    assert np.all(np.isfinite(odds))


def test_both_maps_are_calibrated(sample):
    """On fresh rows every fifth's observed share is within three points and four standard errors of the predicted."""
    rng = np.random.default_rng(8)
    scores = rng.normal(0.3, 1.5, 20000)
    labels = (rng.random(20000) < sigmoid(0.7 * scores - 0.4)).astype(float)
    for kind in ("platt", "isotonic"):
        probability = sigmoid(fit_calibrator(kind, *sample).log_odds(scores))
        for part in np.array_split(np.argsort(probability), 5):
            observed, predicted = labels[part].mean(), probability[part].mean()
            assert abs(observed - predicted) < 4 * np.sqrt(0.25 / len(part)) + 0.03


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_maps_survive_being_stored(sample, kind):
    """A map that went through JSON predicts the same bits."""
    fitted = fit_calibrator(kind, *sample)
    again = calibrator_from_json(json.loads(json.dumps(fitted.to_json())))
    assert np.array_equal(again.log_odds(sample[0]), fitted.log_odds(sample[0]))


def test_a_line_is_additive():
    """Platt's map of a sum is the slope times the parts plus the intercept."""
    line = PlattMap(0.8, -1.0)
    parts = np.array([0.3, -0.2, 0.5])
    assert line.log_odds(np.array([parts.sum()]))[0] == pytest.approx((line.slope * parts).sum() + line.intercept)
