import numpy as np
import pytest

from quant_assets.forecasts.short_histories import complete_returns


def market(count, width, *, seed=0):
    rng = np.random.default_rng(seed)
    factor = rng.normal(0, 0.01, count)
    return factor[:, None] * np.linspace(0.5, 1.5, width) + rng.normal(0, 0.005, (count, width))


def test_own_returns_stay_and_gaps_are_filled():
    """What was traded is untouched; nothing is missing afterwards."""
    returns = market(500, 3)
    returns[:440, 2] = np.nan
    filled = complete_returns(returns, ["A", "B", "C"], seed=1)
    np.testing.assert_array_equal(filled[:, :2], returns[:, :2])
    np.testing.assert_array_equal(filled[440:, 2], returns[440:, 2])
    assert np.isfinite(filled).all()


def test_a_symbol_without_returns_follows_the_others():
    """Without a return of its own, beta is 1 and the spread is what the others did apart from their mean."""
    returns = market(400, 3)
    returns[:, 2] = np.nan
    filled = complete_returns(returns, ["A", "B", "C"], seed=1)
    mean = returns[:, :2].mean(axis=1)
    apart = filled[:, 2] - mean
    offered = (returns[:, :2] - mean[:, None]).ravel()
    assert np.isin(np.round(apart, 12), np.round(offered - offered.mean(), 12)).all()


def test_beta_moves_from_one_to_the_symbols_own():
    """The slope is the closed form (n b + 60) / (n + 60) of its own n returns."""
    count, own = 600, 120
    factor = np.random.default_rng(2).normal(0, 0.01, count)
    returns = np.column_stack([factor, factor, 2.0 * factor])
    returns[: count - own, 2] = np.nan
    filled = complete_returns(returns, ["A", "B", "C"], seed=1)
    beta = (own * 2.0 + 60) / (own + 60)
    residuals = (2.0 - beta) * factor[count - own :]
    spread = filled[: count - own, 2] - beta * factor[: count - own]
    assert np.isin(np.round(spread, 12), np.round(residuals - residuals.mean(), 12)).all()


def test_the_order_of_symbols_does_not_matter():
    """Draws are seeded by the symbol's name."""
    returns = market(300, 3)
    returns[:250, 0] = np.nan
    first = complete_returns(returns, ["A", "B", "C"], seed=1)
    second = complete_returns(returns[:, ::-1], ["C", "B", "A"], seed=1)
    np.testing.assert_allclose(first, second[:, ::-1], rtol=0, atol=1e-15)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_history(seed):
    """Nothing but the seed and the data decides."""
    returns = market(300, 2)
    returns[:290, 1] = np.nan
    one, two = (complete_returns(returns, ["A", "B"], seed=seed) for _ in range(2))
    np.testing.assert_array_equal(one, two)
