"""Regime and return paths: their law, and that they depend on nothing but seed and time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.foundation.errors import UsageError
from quant_assets.replay.synthetic.parameters import (
    REFERENCE_REGIMES,
    MarketParameters,
    RegimeParameters,
    RegimeState,
)
from quant_assets.replay.synthetic.paths import autoregression, market_path, symbol_path

LONG = 200_000
REFERENCE = MarketParameters(cluster_log_sd=0.0)
ONE_STATE = (RegimeParameters(RegimeState.SIDEWAYS, 0.0, 1.0, 10.0),)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), short=st.integers(1, 400), more=st.integers(0, 400))
def test_a_longer_path_starts_with_the_shorter_one(seed, short, more):
    """States and returns of market and symbol, with every option on, do not depend on the length."""
    parameters = MarketParameters(autocorrelation=-0.3)
    brief, longer = (market_path(parameters, seed, sessions) for sessions in (short, short + more))
    np.testing.assert_array_equal(brief.states, longer.states[:short])
    np.testing.assert_array_equal(brief.log_returns, longer.log_returns[:short])
    own, grown = (symbol_path(parameters, market, seed, 3) for market in (brief, longer))
    np.testing.assert_array_equal(own.log_returns, grown.log_returns[:short])
    np.testing.assert_array_equal(own.volatilities, grown.volatilities[:short])


def test_another_seed_is_another_market():
    """And another number another symbol."""
    first, second = market_path(REFERENCE, 1, 300), market_path(REFERENCE, 2, 300)
    assert not np.array_equal(first.log_returns, second.log_returns)
    one, two = symbol_path(REFERENCE, first, 1, 1), symbol_path(REFERENCE, first, 1, 2)
    assert not np.array_equal(one.log_returns, two.log_returns)


@pytest.fixture(scope="module")
def long_path():
    return market_path(REFERENCE, 11, LONG)


@pytest.mark.parametrize("number", range(4))
def test_states_stay_as_long_and_move_as_much_as_stated(long_path, number):
    """Mean stay, mean return and volatility of each state lie within four standard errors of the reference market."""
    regime = REFERENCE_REGIMES[number]
    inside = long_path.states == number
    entries = np.flatnonzero(np.diff(np.concatenate(([False], inside)).astype(int)) == 1)
    stay, count = inside.sum() / len(entries), len(entries)
    # A geometric stay of mean m has the standard deviation sqrt(m (m - 1)).
    assert abs(stay - regime.mean_stay) < 4 * np.sqrt(regime.mean_stay * (regime.mean_stay - 1) / count)
    returns = 100 * long_path.log_returns[inside]
    assert abs(returns.mean() - regime.mean_pct) < 4 * regime.volatility_pct / np.sqrt(len(returns))
    # The variance of a sample variance with kurtosis 6 (Student-t, 6 degrees) is 5 sigma^4 / n.
    assert abs(returns.var() / regime.volatility_pct**2 - 1) < 4 * np.sqrt(5 / len(returns))


def test_a_state_that_ends_goes_to_each_other_state_alike(long_path):
    """Of all moves, each of the twelve pairs has a twelfth, within four standard errors."""
    states = long_path.states
    moves = states[:-1] != states[1:]
    pairs, counts = np.unique(states[:-1][moves] * 4 + states[1:][moves], return_counts=True)
    assert len(pairs) == 12
    total = counts.sum()
    assert (np.abs(counts / total - 1 / 12) < 4 * np.sqrt(1 / 12 / total)).all()


def test_residuals_have_student_tails():
    """The share of residuals beyond four standard deviations is that of a Student-t with 6 degrees of freedom."""
    parameters = MarketParameters(regimes=ONE_STATE, cluster_log_sd=0.0)
    residuals = market_path(parameters, 5, LONG).log_returns / 0.01
    # scipy.stats.t.sf(4 * sqrt(6 / 4), 6) * 2 = 0.00268; of a normal it would be 0.00006.
    expected = 0.002683
    assert abs((np.abs(residuals) > 4).mean() - expected) < 4 * np.sqrt(expected / LONG)


def test_two_symbols_of_beta_and_ratio_one_correlate_by_one_half():
    """Half of the variance is the market's."""
    parameters = MarketParameters(
        regimes=ONE_STATE, cluster_log_sd=0.0, beta_range=(1.0, 1.0), idiosyncratic_range=(1.0, 1.0)
    )
    market = market_path(parameters, 5, LONG)
    one, two = (symbol_path(parameters, market, 5, number).log_returns for number in (1, 2))
    assert np.corrcoef(one, two)[0, 1] == pytest.approx(0.5, abs=0.02)


def test_volatility_clusters_beyond_regimes():
    """With clusters, squared returns of one state are autocorrelated; without them they are not."""

    def autocorrelation(parameters):
        size = np.abs(market_path(parameters, 5, LONG).log_returns)
        return np.corrcoef(size[:-1], size[1:])[0, 1]

    assert autocorrelation(MarketParameters(regimes=ONE_STATE)) > 0.05
    assert abs(autocorrelation(MarketParameters(regimes=ONE_STATE, cluster_log_sd=0.0))) < 4 / np.sqrt(LONG)


def test_clusters_leave_the_mean_square_alone():
    """The multiplier has mean square one, so a state keeps its volatility."""
    path = market_path(MarketParameters(regimes=ONE_STATE), 5, LONG)
    assert np.mean((path.volatilities / 0.01) ** 2) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("planted", [0.15, -0.3])
def test_a_planted_autocorrelation_is_there(planted):
    """Of a symbol without market exposure, within four standard errors."""
    parameters = MarketParameters(
        regimes=ONE_STATE,
        cluster_log_sd=0.0,
        beta_range=(0.0, 0.0),
        idiosyncratic_range=(1.0, 1.0),
        autocorrelation=planted,
    )
    returns = symbol_path(parameters, market_path(parameters, 5, LONG), 5, 1).log_returns
    assert abs(np.corrcoef(returns[:-1], returns[1:])[0, 1] - planted) < 4 / np.sqrt(LONG)


@pytest.mark.parametrize("coefficient", [0.97, 0.5, 0.0, -0.4])
def test_the_autoregression_is_the_plain_recursion(coefficient):
    """The compiled form equals a loop."""
    shocks = np.random.default_rng(1).standard_normal(60)
    slow = [shocks[0]]
    for shock in shocks[1:]:
        slow.append(coefficient * slow[-1] + shock)
    np.testing.assert_allclose(autoregression(shocks, coefficient), slow, rtol=1e-10, atol=1e-12)


def test_impossible_parameters_are_refused():
    """No regime, infinite variance, an explosive signal, a stay that never ends at once."""
    for wrong in ({"regimes": ()}, {"tail_degrees": 2.0}, {"autocorrelation": 1.0}):
        with pytest.raises(UsageError):
            MarketParameters(**wrong)
    with pytest.raises(UsageError, match="bullish"):
        RegimeParameters(RegimeState.BULLISH, 0.1, 1.0, 1.0)
