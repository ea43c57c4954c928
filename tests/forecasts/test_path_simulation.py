import math

import numpy as np
from arch import arch_model

from quant_assets.forecasts.distribution import balanced_picks, from_draws
from quant_assets.forecasts.parameters import LEVELS
from quant_assets.forecasts.path_simulation import (
    drawdown_probabilities,
    drawn_paths,
    filtered_paths,
    gjr_variances,
)
from quant_assets.foundation.performance import drawdown_series


def shocks(count=400, width=2):
    return np.random.default_rng(5).standard_t(5, (count, width)) * 0.01


def test_variances_are_those_of_arch():
    """The filter gives arch's conditional volatility for the same parameters, once the start is forgotten."""
    returns = shocks()[:, 0] * 100
    fitted = arch_model(returns, mean="Zero", vol="GARCH", p=1, o=1, q=1, rescale=False).fix([0.05, 0.03, 0.08, 0.9])
    parameters = [np.array([value]) for value in (0.05, 0.03, 0.08, 0.9)]
    ours = gjr_variances(returns[:, None], *parameters, np.array([returns.var()]))
    np.testing.assert_allclose(np.sqrt(ours[300:-1, 0]), fitted.conditional_volatility[300:], rtol=1e-9)


def slow_filtered(residuals, picks, positions, parameters, first):
    drift, omega, alpha, gamma, beta = parameters
    changes = np.zeros((picks.shape[1], len(picks)))
    for p, rows in enumerate(picks):
        for i, money in enumerate(positions):
            variance, total = first[i], 0.0
            for h, row in enumerate(rows):
                shock = math.sqrt(variance) * residuals[row, i]
                total += drift[i] + shock
                variance = omega[i] + (alpha[i] + gamma[i] * (shock < 0)) * shock**2 + beta[i] * variance
                changes[h, p] += money * (math.exp(total) - 1)
    return changes


def test_filtered_paths_follow_the_recursion():
    """The kernel equals the recursion written out, and the gains of the positions sum to the change."""
    rng = np.random.default_rng(1)
    residuals = rng.standard_normal((50, 2))
    picks = rng.integers(0, 50, (30, 4))
    arguments = [np.array(pair) for pair in ((0.001, 0.0), (1e-6, 2e-6), (0.03, 0.05), (0.1, 0.0), (0.9, 0.92))]
    positions, first = np.array([100.0, -40.0]), np.array([1e-4, 4e-4])
    gains = np.empty((2, 30, 2))
    kept = np.array([-1, 0, -1, 1])
    changes = filtered_paths(residuals, picks, positions, *arguments, first, kept, gains)
    np.testing.assert_allclose(changes, slow_filtered(residuals, picks, positions, arguments, first), rtol=1e-10)
    np.testing.assert_allclose(gains.sum(axis=2), changes[[1, 3]], rtol=1e-12)


def test_drawn_paths_add_up_the_drawn_returns():
    """A path is the sum of the drawn sessions' log returns, all holdings on the same session."""
    rng = np.random.default_rng(2)
    returns, picks = shocks(60), rng.integers(0, 60, (20, 4))
    positions, shift = np.array([70.0, 30.0]), np.array([0.001, -0.001])
    total = np.cumsum(returns[picks] + shift, axis=1)
    expected = (np.expm1(total) * positions).sum(axis=2).T
    np.testing.assert_allclose(drawn_paths(returns, picks, positions, shift), expected, rtol=1e-10)


def test_drawdown_probabilities_are_shares_of_paths():
    """Each path's deepest fall so far, tonight's value included, is compared with the limits."""
    changes = drawn_paths(
        shocks(300) * 3,
        np.random.default_rng(3).integers(0, 300, (200, 30)),
        np.array([60.0, 40.0]),
        np.zeros(2),
    )
    limits = np.array([0.05, 0.1, 0.2])
    values = np.vstack([np.zeros(200), changes]) + 100.0
    falls = np.array([drawdown_series(path) for path in values.T])
    expected = [[(falls[:, : h + 2].min(axis=1) <= -limit).mean() for limit in limits] for h in range(30)]
    np.testing.assert_allclose(drawdown_probabilities(changes, 100.0, limits), expected, atol=1e-12)


def test_balanced_picks_draw_every_row_alike():
    """At each step no row is drawn twice before every row was drawn."""
    picks = balanced_picks(np.random.default_rng(4), 30, paths=100, steps=5)
    for step in range(5):
        counts = np.bincount(picks[:, step], minlength=30)
        assert counts.min() >= 3
        assert counts.max() <= 4
    few = balanced_picks(np.random.default_rng(4), 500, paths=100, steps=2)
    assert len(np.unique(few[:, 0])) == 100


def test_a_forecast_from_draws_has_numpys_quantiles():
    """Quantiles are numpy's linear ones; tail means are the means of the worst 1 and 5 %."""
    draws = np.random.default_rng(6).normal(0, 0.02, (3, 1_000))
    ordered = np.sort(draws, axis=1)
    made = from_draws(draws.copy())
    np.testing.assert_allclose(made.quantiles, np.quantile(draws, LEVELS, axis=1).T, rtol=1e-12)
    np.testing.assert_allclose(made.mean, draws.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(made.tail_means[:, 0], ordered[:, :10].mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(made.tail_means[:, 1], ordered[:, :50].mean(axis=1), rtol=1e-12)
