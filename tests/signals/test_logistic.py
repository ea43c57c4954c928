from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from quant_assets.signals.calibration import sigmoid
from quant_assets.signals.logistic import fit_logistic


@pytest.fixture
def sample():
    """Three features of which one is noise and one is never known."""
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(800, 4)).astype(np.float32)
    matrix[:, 3] = np.nan
    labels = (rng.random(800) < sigmoid(0.8 * matrix[:, 0] - 0.5 * matrix[:, 1])).astype(float)
    return matrix, labels, rng.uniform(0.5, 1.5, 800)


@pytest.mark.parametrize("penalty", [0.5, 20.0])
def test_coefficients_equal_scikit_learn(sample, penalty):
    """On standardised features the fit is scikit-learn's ridge logistic regression with C = 1 / penalty."""
    matrix, labels, weights = sample
    ours = fit_logistic(matrix, labels, weights, penalty)
    known = matrix[:, :3].astype(float)
    scaled = np.clip((known - known.mean(axis=0)) / known.std(axis=0), -5, 5)
    theirs = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=500).fit(scaled, labels, sample_weight=weights)
    assert ours.coefficients[:3] == pytest.approx(theirs.coef_[0], abs=1e-4)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=1e-4)


def test_a_feature_that_is_never_known_counts_nothing(sample):
    """An all-null feature has the coefficient 0 and no row becomes NaN."""
    matrix, labels, weights = sample
    model = fit_logistic(matrix, labels, weights)
    assert model.coefficients[3] == 0.0
    assert np.isfinite(model.log_odds(matrix)).all()


def test_scaling_is_the_training_part_s(sample):
    """New rows are scaled by the training rows, so that shifting all new rows shifts their log-odds."""
    matrix, labels, weights = sample
    model = fit_logistic(matrix, labels, weights)
    shifted = matrix + np.float32([1, 0, 0, 0])
    assert np.all(model.log_odds(shifted)[:50] > model.log_odds(matrix)[:50])
