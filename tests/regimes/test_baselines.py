from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from quant_assets.foundation.point_in_time import corrupted_after
from quant_assets.regimes.baselines import BASELINES, label_baseline
from quant_assets.regimes.baselines.protocol import named_order, slow_features
from quant_assets.regimes.market import market_features
from quant_assets.regimes.refits import RefitEvery
from quant_assets.regimes.scores import score_labels
from quant_assets.regimes.states import STATES
from tests.support.regime_markets import MARKET, reference_history


@pytest.fixture(scope="module")
def history():
    """A reference market of 900 sessions: closes, features, true states of the feature rows."""
    closes, truth = reference_history(900, symbols=3, seed=4)
    features = market_features(closes, MARKET)
    return closes, features, truth[-features.height :]


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_follows_the_protocol(history, name):
    """Each gives probabilities that sum to one and a label for every session, by the rule before it can be fitted."""
    _, features, _ = history
    probabilities, labels = label_baseline(features, BASELINES[name], RefitEvery.YEAR)
    assert probabilities.shape == (features.height, 4)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(features.height))
    assert [str(STATES[state]) for state in labels[:400]] == features["rule_regime"][:400].to_list()


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_looks_ahead(history, name):
    """The same labels come out when the future is corrupted, so comparisons are fair."""
    closes, features, _ = history
    end = features["date"][700]
    changed = market_features(corrupted_after(closes, end, rng=np.random.default_rng(0)), MARKET)
    _, whole = label_baseline(features, BASELINES[name], RefitEvery.YEAR)
    _, other = label_baseline(changed, BASELINES[name], RefitEvery.YEAR)
    assert np.array_equal(whole[:701], other[:701])


def test_markov_switching_finds_the_regimes():
    """The strongest baseline is right more often than always naming the commonest regime."""
    closes, truth = reference_history(2500, symbols=1, seed=0)
    features = market_features(closes, MARKET)
    _, labels = label_baseline(features, BASELINES["markov_switching"], RefitEvery.YEAR)
    truth, labels = truth[-features.height :][600:], labels[600:]
    assert score_labels(truth, labels).accuracy > np.bincount(truth).max() / len(truth)


def test_a_fit_that_fails_keeps_the_one_before(history):
    """Failures neither stop the walk nor fall back to the rule once a fit is in force."""
    _, features, _ = history
    calls = []

    def second_fit_fails(past, seed):
        calls.append(past.height)
        if len(calls) == 2:
            raise np.linalg.LinAlgError("no convergence")
        return lambda rows, start: np.tile([0.0, 0.0, 0.0, 1.0], (rows.height - start, 1))

    _, labels = label_baseline(features, second_fit_fails, RefitEvery.QUARTER)
    assert len(calls) > 2
    assert set(labels[calls[0] :]) == {3}


def test_components_are_named_by_the_rooms_rule(history):
    """Clusters given by the truth, in a shuffled order, get their true names back."""
    closes, truth = reference_history(5000, symbols=1, seed=0)
    features = market_features(closes, MARKET)
    truth = truth[-features.height :]
    shuffled = [2, 0, 3, 1]
    assert named_order(features, np.eye(4)[truth][:, shuffled]) == [shuffled.index(state) for state in range(4)]


def test_slow_features_are_standardised_by_the_past_alone(history):
    """Centre and spread come from the training rows; a missing reading is the average one."""
    _, features, _ = history
    past = features.head(500)
    values = slow_features(past, features)
    assert values[:500].mean(axis=0) == pytest.approx(np.zeros(5), abs=0.2)
    trend = (features["trend_60d"] - past["trend_60d"].mean()) / past["trend_60d"].std()
    assert values[:, 2] == pytest.approx(trend.to_numpy())
    assert slow_features(past, features.with_columns(pl.lit(None, dtype=pl.Float64).alias("trend_60d")))[0, 2] == 0
