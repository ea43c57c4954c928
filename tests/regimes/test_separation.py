from __future__ import annotations

import numpy as np
import pytest

from quant_assets.regimes.separation import AHEAD, LAGS, label_habits, next_drawdown, next_volatility, separation
from tests.support.regime_markets import random_close


def newey_west(values, lags):
    """Standard error of a mean by Newey and West's formula with Bartlett weights."""
    deviation, n = values - values.mean(), len(values)
    variance = (deviation**2).sum()
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (deviation[lag:] * deviation[:-lag]).sum()
    return np.sqrt(variance) / n


def test_errors_are_newey_and_wests():
    """With one label the mean and its error are those of the formula for a mean."""
    rng = np.random.default_rng(0)
    values = np.convolve(rng.normal(size=519), np.ones(20) / 20, "valid")
    row = separation(values, np.zeros(500, dtype=int)).row(0, named=True)
    assert row["value"] == pytest.approx(values.mean())
    assert row["standard_error"] == pytest.approx(newey_west(values, LAGS), rel=1e-9)


def test_errors_hold_for_outcomes_that_last_as_long_as_labels():
    """Outcomes that are a mean over 60 sessions vary over markets as much as the mean's error says, within a quarter.

    Twenty lags weigh lag k by 1 - k / 21 where the truth is 1 - k / 60 and find about a third of that variance.
    """
    means, errors = [], []
    for seed in range(200):
        values = np.convolve(np.random.default_rng(seed).normal(size=2059), np.ones(60) / 60, "valid")
        row = separation(values, np.zeros(2000, dtype=int)).row(0, named=True)
        means.append(row["value"])
        errors.append(row["standard_error"])
    assert np.mean(errors) > 0.75 * np.std(means)


def test_a_regime_of_few_sessions_has_an_error():
    """A history shorter than the lags takes as many as it has."""
    row = separation(np.random.default_rng(0).normal(size=40), np.zeros(40, dtype=int)).row(0, named=True)
    assert np.isfinite(row["standard_error"])


def test_means_and_explained_share_are_those_of_the_groups():
    """Each regime's value is its group mean, and all is one minus within over total variance."""
    rng = np.random.default_rng(1)
    states = rng.integers(0, 3, 600)
    values = states + rng.normal(size=600)
    frame = separation(values, states)
    within = sum(((values[states == s] - values[states == s].mean()) ** 2).sum() for s in range(3))
    expected = [
        *(values[states == s].mean() for s in range(3)),
        None,
        1 - within / ((values - values.mean()) ** 2).sum(),
    ]
    assert frame["slice"].to_list() == ["bullish", "bearish", "sideways", "high_volatility", "all"]
    assert frame["value"][:3].to_list() == pytest.approx(expected[:3])
    assert frame["value"][3] is None
    assert frame["value"][4] == pytest.approx(expected[4])


def test_what_comes_next_is_measured_after_today():
    """Volatility and drawdown of a session use the twenty sessions after it, and are unknown in the last twenty."""
    close = random_close(60)
    returns = np.diff(np.log(close))[10:30]
    assert next_volatility(close)[10] == pytest.approx(np.sqrt(np.mean(returns**2) * 252))
    ahead = close[10:31]
    worst = min(ahead[j] / ahead[i] - 1 for i in range(21) for j in range(i, 21))
    assert next_drawdown(close)[10] == pytest.approx(worst)
    for outcome in (next_volatility(close), next_drawdown(close)):
        assert np.isnan(outcome[-AHEAD:]).all()
        assert np.isfinite(outcome[:-AHEAD]).all()


def test_habits_count_flips_and_stays():
    """Two flips in a year of 252 sessions are two a year and a mean stay of 84."""
    habits = label_habits(np.repeat([0, 2, 0], 84))
    assert habits["flips_per_year"] == pytest.approx(2)
    assert habits["mean_stay_sessions"] == pytest.approx(84)
    assert habits["share_bullish"] == pytest.approx(2 / 3)
