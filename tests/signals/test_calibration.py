from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from quant_assets.signals.calibration import (
    PlattMap,
    calibrator_from_json,
    dispersion,
    fit_calibrator,
    fit_isotonic,
    fit_platt,
    log_odds,
    sigmoid,
)
from tests.support.signal_markets import weekdays

DATES = np.repeat(weekdays(1000), 4)


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


def test_both_maps_correct_scores_that_are_far_off():
    """Of 40,000 rows both learn a map a long way from the prior: fresh fifths come true within 2 points and 4 errors.

    The prior of the level, of deviation 0.05, is then 400 rows' worth against 40,000 p (1 - p), about 8,000: a level
    0.5 off is left 0.025 off, 0.6 points at one half.
    """
    rng = np.random.default_rng(8)
    scores = rng.normal(0.3, 1.5, 60_000)
    labels = (rng.random(60_000) < sigmoid(0.7 * scores - 0.4)).astype(float)
    seen, fresh = slice(0, 40_000), slice(40_000, None)
    for kind in ("platt", "isotonic"):
        fitted = fit_calibrator(kind, scores[seen], labels[seen], np.repeat(DATES, 10))
        probability = sigmoid(fitted.log_odds(scores[fresh]))
        for part in np.array_split(np.argsort(probability), 5):
            observed, predicted = labels[fresh][part].mean(), probability[part].mean()
            assert abs(observed - predicted) < 4 * np.sqrt(0.25 / len(part)) + 0.02


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_maps_survive_being_stored(sample, kind):
    """A map that went through JSON predicts the same bits."""
    fitted = fit_calibrator(kind, *sample, DATES)
    again = calibrator_from_json(json.loads(json.dumps(fitted.to_json())))
    assert np.array_equal(again.log_odds(sample[0]), fitted.log_odds(sample[0]))


def test_a_line_is_additive():
    """Platt's map of a sum is the slope times the parts plus the intercept."""
    line = PlattMap(0.8, -1.0)
    parts = np.array([0.3, -0.2, 0.5])
    assert line.log_odds(np.array([parts.sum()]))[0] == pytest.approx((line.slope * parts).sum() + line.intercept)


def test_independent_rows_are_not_inflated():
    """Events that are drawn one by one vary by month as the binomial law says: the factor is 1 within its error.

    The estimate is a chi-square variable over its 47 degrees of freedom, whose deviation is sqrt(2 / 47).
    """
    rng = np.random.default_rng(4)
    scores = rng.normal(-2.0, 1.0, 4000)
    labels = (rng.random(4000) < sigmoid(scores)).astype(float)
    assert 1.0 <= dispersion(scores, labels, DATES) < 1.0 + 3.0 * np.sqrt(2.0 / 47.0)


def test_rows_that_repeat_each_other_are_inflated_by_their_number():
    """Four symbols with the same events say as much as one: the factor is four, within its error."""
    rng = np.random.default_rng(4)
    scores = np.repeat(rng.normal(-1.0, 1.0, 1000), 4)
    labels = np.repeat((rng.random(1000) < sigmoid(scores[::4])).astype(float), 4)
    found = dispersion(scores, labels, DATES)
    assert found == pytest.approx(4.0, rel=3.0 * np.sqrt(2.0 / 47.0))
    assert found == pytest.approx(4.0 * dispersion(scores[::4], labels[::4], DATES[::4]), rel=0.02)


def test_labels_that_overlap_for_long_are_inflated_more():
    """Events of a state that lasts for months vary more over blocks of four horizons than over months."""
    states = np.repeat(np.tile([-1.0, 1.0], 8), 250)
    rng = np.random.default_rng(5)
    labels = (rng.random(4000) < sigmoid(states)).astype(float)
    dates, scores = weekdays(4000), np.zeros(4000)
    monthly, longer = (dispersion(scores, labels, dates, horizon_days=horizon) for horizon in (5, 40))
    assert longer > 3.0 * monthly


def test_a_wrong_level_is_no_dispersion():
    """Scores that are all too high by the same amount are a wrong level, not a sign of dependence."""
    rng = np.random.default_rng(9)
    scores = rng.normal(0.0, 0.3, 4000)
    labels = (rng.random(4000) < sigmoid(scores - 1.0)).astype(float)
    assert dispersion(scores, labels, DATES) < 1.0 + 3.0 * np.sqrt(2.0 / 47.0)


def test_dependent_rows_move_the_line_less(sample):
    """The less independent the rows, the nearer the line stays to the scores as they are."""
    slopes = [fit_platt(*sample, inflation=factor).slope for factor in (1.0, 4.0, 100.0)]
    assert 0.7 < slopes[0] < slopes[1] < slopes[2] < 1.0


def test_no_row_leaves_the_scores_as_they_are():
    """Without any row to learn from, the map is the identity."""
    line = fit_calibrator("platt", np.zeros(0), np.zeros(0), DATES[:0])
    assert (line.slope, line.intercept) == (1.0, 0.0)
