from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from quant_assets.foundation.reference_market import REFERENCE, reference_path, true_filter


@pytest.fixture(scope="module")
def path():
    return reference_path(np.random.default_rng(3), replace(REFERENCE, sessions=60_000, symbols=2))


def test_parameters_are_those_of_the_design():
    """Means, volatilities, stays, tails, symbols and length are the stated ones."""
    assert REFERENCE.mean_pct == (0.06, -0.12, 0.0, 0.0)
    assert REFERENCE.volatility_pct == (0.9, 1.8, 0.6, 3.0)
    assert REFERENCE.mean_stay == (120.0, 80.0, 90.0, 30.0)
    assert (REFERENCE.tail_degrees, REFERENCE.symbols, REFERENCE.sessions) == (6.0, 20, 5040)


def test_stationary_shares_solve_the_chain():
    """The long-run shares are unchanged by one step of the chain."""
    assert REFERENCE.stationary @ REFERENCE.transition == pytest.approx(REFERENCE.stationary, abs=1e-15)


def test_stays_and_volatilities_are_as_stated(path):
    """Over 60,000 sessions mean stays and volatilities lie within four standard errors of the stated ones."""
    changes = np.flatnonzero(np.diff(path.states)) + 1
    runs = np.split(path.states, changes)[1:-1]
    for state, (stay, volatility) in enumerate(zip(REFERENCE.mean_stay, REFERENCE.volatility_pct, strict=True)):
        lengths = np.array([len(run) for run in runs if run[0] == state])
        assert abs(lengths.mean() - stay) < 4 * stay / np.sqrt(len(lengths))
        returns = path.market_returns[path.states == state] * 100
        # Variance of a squared unit t6 is kurtosis - 1 = 5, so the deviation's relative error is sqrt(5 / n) / 2.
        assert abs(returns.std() / volatility - 1) < 4 * np.sqrt(5 / len(returns)) / 2


def test_symbols_follow_the_market(path):
    """A symbol's regression on the market has a beta in the stated range."""
    slope = np.polyfit(path.market_returns, path.symbol_returns[:, 0], 1)[0]
    assert 0.58 < slope < 1.42


def test_true_filter_is_bayes_rule(path):
    """The filter equals a product of matrices with Student-t densities, written out for 300 sessions."""
    returns = path.market_returns[:300]
    scale = np.array(REFERENCE.volatility_pct) / 100 * np.sqrt(4 / 6)
    weight, expected = REFERENCE.stationary, []
    for value in returns:
        density = stats.t.pdf(value, 6, loc=np.array(REFERENCE.mean_pct) / 100, scale=scale)
        weight = (weight @ REFERENCE.transition) @ np.diag(density)
        weight /= weight.sum()
        expected.append(weight)
    assert true_filter(returns) == pytest.approx(np.array(expected), abs=1e-12)


def test_true_filter_is_calibrated(path):
    """Sessions to which the filter gives 0.6 to 0.8 for the likeliest state are right 60 to 80 % of the time."""
    probabilities = true_filter(path.market_returns)
    likeliest = probabilities.argmax(axis=1)
    chosen = (probabilities.max(axis=1) > 0.6) & (probabilities.max(axis=1) < 0.8)
    assert 0.6 < (likeliest == path.states)[chosen].mean() < 0.8


def test_same_seed_same_market():
    """A generator with the same seed draws the same market."""
    short = replace(REFERENCE, sessions=200)
    first, second = (reference_path(np.random.default_rng(5), short) for _ in range(2))
    assert np.array_equal(first.market_returns, second.market_returns)
    assert np.array_equal(first.states, second.states)
