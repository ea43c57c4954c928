from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quant_assets.regimes.filtering import EVIDENCE_LIMIT, filter_path
from quant_assets.regimes.model import RegimeModel

DAY = dt.date(2000, 1, 3)


@pytest.fixture
def model():
    """Four states close enough together that a session says less than the evidence limit."""
    rng = np.random.default_rng(0)
    transition = rng.dirichlet(np.full(4, 1.0), 4) * 0.1 + np.eye(4) * 0.9
    return RegimeModel(
        model_version="m",
        fitted_from=DAY,
        fitted_to=DAY,
        effective_from=DAY,
        features=("a", "b"),
        weights=(1.0, 1.0),
        means=tuple(map(tuple, rng.normal(0, 0.2, (4, 2)))),
        variances=tuple(map(tuple, rng.uniform(0.9, 1.1, (4, 2)))),
        transition=tuple(map(tuple, transition / transition.sum(axis=1, keepdims=True))),
        log_likelihood=0.0,
        sessions=1,
        seed=0,
        starts=1,
        summaries=(),
    )


def slow_filter(model, matrix, before):
    """Bayes' rule with densities as scipy gives them, limited to the stated evidence."""
    out = []
    for row in matrix:
        logs = np.array(
            [
                sum(
                    w * stats.norm.logpdf(x, m, np.sqrt(v))
                    for x, m, v, w in zip(row, means, variances, model.weights, strict=True)
                    if np.isfinite(x)
                )
                for means, variances in zip(model.means, model.variances, strict=True)
            ]
        )
        density = np.exp(np.maximum(logs - logs.max(), -EVIDENCE_LIMIT))
        before = (before @ np.array(model.transition)) * density
        before = before / before.sum()
        out.append(before)
    return np.array(out)


def test_filter_is_bayes_rule(model):
    """Filtered probabilities equal Bayes' rule written out, weights, gaps and the evidence limit included."""
    weighted = replace(model, weights=(0.7, 0.2))
    matrix = np.random.default_rng(1).normal(0, 6, (200, 2))
    matrix[50:60, 0] = np.nan
    matrix[70] = np.nan
    start = np.array([0.1, 0.2, 0.3, 0.4])
    found, _ = filter_path(weighted, matrix, start)
    assert found == pytest.approx(slow_filter(weighted, matrix, start), abs=1e-12)


def test_filter_equals_the_library_on_cut_sequences(model):
    """What hmmlearn says about the last of t sessions, its smoothing having no future there, is our row t."""
    matrix = np.random.default_rng(2).normal(0, 0.8, (60, 2))
    library = GaussianHMM(4, covariance_type="diag", init_params="", params="")
    library.startprob_ = model.stationary @ np.array(model.transition)
    library.transmat_, library.means_ = np.array(model.transition), np.array(model.means)
    library.n_features, library.covars_ = 2, np.array(model.variances)
    found, likelihood = filter_path(model, matrix, None)
    expected = [library.predict_proba(matrix[: t + 1])[-1] for t in range(60)]
    assert found == pytest.approx(np.array(expected), abs=1e-9)
    assert likelihood == pytest.approx(library.score(matrix), abs=1e-8)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(1, 99))
def test_going_on_from_the_last_row_equals_one_pass(seed, cut):
    """Filtering in two parts gives the bits of filtering at once, and the first part never depends on the second."""
    rng = np.random.default_rng(seed)
    base = RegimeModel("m", DAY, DAY, DAY, ("a",), (1.0,), (), (), (), 0.0, 1, 0, 1, ())
    transition = rng.dirichlet(np.ones(4), 4)
    model = replace(
        base,
        means=tuple((x,) for x in rng.normal(size=4)),
        variances=tuple((x,) for x in rng.uniform(0.2, 2, 4)),
        transition=tuple(map(tuple, transition)),
    )
    matrix = rng.normal(size=(100, 1))
    whole, _ = filter_path(model, matrix, None)
    first, _ = filter_path(model, matrix[:cut], None)
    second, _ = filter_path(model, matrix[cut:], first[-1])
    assert np.array_equal(whole, np.concatenate([first, second]))
    assert np.allclose(whole.sum(axis=1), 1, atol=1e-12)


def test_extreme_days_neither_underflow_nor_decide_alone(model):
    """A move of a thousand standard deviations leaves probabilities, and shifts the odds by no more than the limit."""
    apart = replace(model, means=((-3.0, 0.0), (0.0, 0.0), (3.0, 0.0), (1000.0, 0.0)))
    matrix = np.array([[1000.0, 0.0], [-1000.0, 0.0], [1e150, 0.0]])
    start = np.array([0.97, 0.01, 0.01, 0.01])
    found, _ = filter_path(apart, matrix, start)
    assert np.isfinite(found).all()
    predicted = start @ np.array(apart.transition)
    odds = np.log(found[0][3] / found[0][0]) - np.log(predicted[3] / predicted[0])
    assert odds == pytest.approx(EVIDENCE_LIMIT, abs=1e-9)


def test_long_run_shares_start_a_history(model):
    """Without a session before, the filter starts from the shares that the chain keeps."""
    assert model.stationary @ np.array(model.transition) == pytest.approx(model.stationary, abs=1e-12)
    first, _ = filter_path(model, np.full((1, 2), np.nan), None)
    assert first[0] == pytest.approx(model.stationary, abs=1e-12)


def test_model_survives_storage_to_the_last_bit(model):
    """A model read back from JSON is equal, so a stored model filters as the fitted one did."""
    assert RegimeModel.from_json(model.to_json()) == model


def test_expected_durations_follow_the_diagonal(model):
    """The expected stay is the mean of a geometric time."""
    stays = list(model.expected_durations.values())
    assert stays == pytest.approx([1 / (1 - model.transition[i][i]) for i in range(4)])
