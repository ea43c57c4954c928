from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM

from quant_assets.regimes.anchors import MARKET_ANCHORS, SYMBOL_ANCHORS, feature_priors, ladder
from quant_assets.regimes.features import SERIES_FEATURES
from quant_assets.regimes.gaussian_hmm import VARIANCE_FLOOR, TrainingWindow, WeightedGaussianHMM, fit_model
from quant_assets.regimes.market import label_market, market_features
from tests.support.regime_markets import MARKET, reference_history

MODELLED = tuple(feature for feature in SERIES_FEATURES if feature.weight > 0)
DATES = (dt.date(2000, 1, 3), dt.date(2003, 1, 3))


@pytest.fixture(scope="module")
def window():
    """Features of a reference market of 4,000 sessions as a training window."""
    closes, _ = reference_history(4000, symbols=1)
    rows = market_features(closes, MARKET)
    return TrainingWindow(
        dates=(rows["date"][0], rows["date"][-1]),
        matrix=rows.select([feature.name for feature in MODELLED]).to_numpy(),
        lengths=np.array([rows.height]),
        moves=np.sinh(rows["return_1d"].to_numpy()),
        trend=rows["trend_60d"].to_numpy(),
        features=MODELLED,
    )


def fitted(window, **changes):
    arguments = {"model_version": "m", "effective_from": dt.date(2010, 1, 1), "seed": 1} | changes
    return fit_model(window, MARKET_ANCHORS, **arguments)


def plain_hmm(matrix, weights, **settings):
    """A weighted model with given starting values and no priors."""
    states = 4
    hmm = WeightedGaussianHMM(
        states, covariance_type="diag", n_iter=15, tol=0.0, params="tmc", init_params="", implementation="scaling"
    )
    hmm.set_params(covars_prior=0.0, covars_weight=1.0, **settings)
    hmm.feature_weights, hmm.variance_floor = np.asarray(weights), 1e-6
    hmm.startprob_ = np.full(states, 0.25)
    hmm.transmat_ = np.full((states, states), 0.02) + np.eye(states) * 0.92
    hmm.n_features = matrix.shape[1]
    hmm.means_ = np.quantile(matrix, [0.2, 0.4, 0.6, 0.8], axis=0)
    hmm.covars_ = np.tile(matrix.var(axis=0), (states, 1))
    return hmm


def test_unit_weights_are_the_library():
    """With weights of one and no floor, a fit is hmmlearn's own to rounding."""
    matrix = np.random.default_rng(0).normal(size=(400, 2)) * np.repeat([[1.0], [3.0]], 200, axis=0)
    ours, library = plain_hmm(matrix, [1.0, 1.0]), GaussianHMM(4, covariance_type="diag", n_iter=15, tol=0.0)
    library.set_params(params="tmc", init_params="", implementation="scaling", covars_prior=0.0, covars_weight=1.0)
    library.startprob_, library.transmat_, library.n_features = ours.startprob_, ours.transmat_.copy(), 2
    library.means_, library.covars_ = ours.means_.copy(), np.tile(matrix.var(axis=0), (4, 1))
    ours.fit(matrix)
    library.fit(matrix)
    assert ours.means_ == pytest.approx(library.means_, rel=1e-6)
    assert ours.transmat_ == pytest.approx(library.transmat_, rel=1e-6)


def test_a_feature_given_twice_with_half_the_weight_counts_once():
    """Two copies at one half give the fit of one at full weight: what the discount of overlaps relies on."""
    matrix = np.random.default_rng(1).normal(size=(400, 1)) * np.repeat([[1.0], [3.0]], 200, axis=0)
    once = plain_hmm(matrix, [1.0]).fit(matrix)
    twice = plain_hmm(np.hstack([matrix, matrix]), [0.5, 0.5]).fit(np.hstack([matrix, matrix]))
    assert twice.means_[:, 0] == pytest.approx(once.means_[:, 0], rel=1e-9)
    assert twice.transmat_ == pytest.approx(once.transmat_, rel=1e-9)


def test_every_step_raises_the_penalised_likelihood(window, caplog):
    """Expectation-maximisation with weights and priors never goes down, so hmmlearn never complains."""
    report = fitted(window)
    assert report.model is not None
    assert "not converging" not in caplog.text


def test_fit_finds_the_levels_of_the_reference(window):
    """On the reference market the fitted volatilities have the true order, each within a quarter of the truth."""
    levels = [summary.volatility for summary in fitted(window).model.summaries]
    assert levels == pytest.approx([0.9, 1.8, 0.6, 3.0], rel=0.25)
    assert levels[2] < levels[0] < levels[1] < levels[3]


def test_same_seed_same_model(window):
    """A fit repeats itself bit by bit, and the starts are on record."""
    first, second = fitted(window), fitted(window)
    assert first == second
    assert [note.split(":")[0] for note in first.attempts] == ["anchors", "random 1", "random 2"]


def test_model_before_is_a_start_of_the_next_fit(window):
    """A refit also starts from the model in force, and keeps the order of its names."""
    before = fitted(window).model
    report = fitted(window, before=before, seed=9)
    assert report.attempts[1].startswith("model before")
    assert np.array(report.model.means) == pytest.approx(np.array(before.means), abs=0.05)


def test_constant_window_is_a_recorded_failure(window):
    """Features that did not move give no model but a reason that names them."""
    still = replace(window, matrix=np.zeros_like(window.matrix), moves=np.zeros_like(window.moves))
    report = fitted(still)
    assert report.model is None
    assert "return_1d" in report.reason
    assert "did not move" in report.reason


def test_starts_that_all_fail_are_a_recorded_failure(window):
    """Where no state can explain a session, every start's error is on record and there is no model."""
    matrix = np.random.default_rng(0).normal(0, 1e-3, window.matrix.shape)
    matrix[5] = 1e6
    report = fitted(replace(window, matrix=matrix))
    assert report.model is None
    assert report.reason == "no start converged to a finite likelihood"
    assert len(report.attempts) == 3


def test_values_too_large_to_compute_with_are_named(window):
    """A feature whose spread overflows is named in the reason."""
    matrix = window.matrix.copy()
    matrix[5, 0] = 1e200
    assert fitted(replace(window, matrix=matrix)).reason == "return_1d has values too large to compute with"


def test_variances_stay_above_their_floor(window):
    """No state's variance falls below its floor, so no state can shrink onto a few sessions."""
    variances = np.array(fitted(window).model.variances)
    assert (variances >= VARIANCE_FLOOR * window.matrix.var(axis=0) * (1 - 1e-9)).all()


def test_sequences_are_kept_apart(window):
    """A window of two sequences is fitted as such: its likelihood is that of the parts, not of the join."""
    half = len(window.matrix) // 2
    parts = replace(window, lengths=np.array([half, len(window.matrix) - half]))
    assert fitted(parts).model.log_likelihood != fitted(window).model.log_likelihood


def test_missing_features_do_not_stop_a_fit(window):
    """A feature that starts late takes part with the sessions it has."""
    matrix = window.matrix.copy()
    matrix[:400, 3] = np.nan
    assert fitted(replace(window, matrix=matrix)).model is not None


def test_ladder_is_pulled_to_the_long_run_and_let_go_when_it_is_wrong():
    """Calm years do not redefine calm, but a market that is ten times livelier is taken as it is."""
    rng = np.random.default_rng(0)
    calm, lively = rng.normal(0, 0.8, 500), rng.normal(0, 12.0, 500)
    assert 0.8 < np.sqrt(np.prod(ladder(calm, MARKET_ANCHORS)) ** 0.5) < 1.2
    assert ladder(lively, MARKET_ANCHORS) == pytest.approx(
        ladder(lively, replace(MARKET_ANCHORS, prior_sessions=0)), rel=1e-3
    )


def test_ladder_has_equal_ratios():
    """Sideways, bullish, bearish and high volatility are equal steps apart."""
    steps = np.sort(ladder(np.ones(100), SYMBOL_ANCHORS))
    assert steps[1:] / steps[:-1] == pytest.approx(np.full(3, steps[1] / steps[0]))


def test_priors_of_a_session_are_those_of_a_normal_return(window):
    """Prior mean and variance of the two one-session features are a normal return's, here by simulation."""
    volatilities = np.array([0.8, 1.5, 0.5, 2.5])
    means, variances = feature_priors(MODELLED, volatilities, window.matrix)
    draws = np.random.default_rng(0).normal(size=400_000)
    for state, volatility in enumerate(volatilities):
        for column, values in enumerate((np.arcsinh(volatility * draws), np.abs(volatility * draws) ** 0.4)):
            assert means[state, column] == pytest.approx(values.mean(), abs=5 * values.std() / np.sqrt(len(values)))
            assert variances[state, column] == pytest.approx(values.var(), rel=0.01)


def test_walk_forward_models_are_fitted_before_they_are_used():
    """Each model's window ends before the first date it may label."""
    closes, _ = reference_history(700, symbols=1)
    reports = label_market(market_features(closes, MARKET)).reports
    assert reports
    assert all(report.fitted_to < report.effective_from for report in reports)
