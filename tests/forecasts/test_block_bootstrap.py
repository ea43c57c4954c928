import numpy as np
import pytest

from quant_assets.forecasts.block_bootstrap import BlockBootstrap
from quant_assets.forecasts.distribution import ForecastRequest, Unavailable
from quant_assets.forecasts.drift import shrunk_drift
from tests.support.forecast_market import origin_of

REQUEST = ForecastRequest(horizon_days=10, paths=3_000, seed=1, has_drawdowns=True)


def test_blocks_are_whole_stretches_of_the_past():
    """With blocks as long as the horizon, every outcome is a stretch that happened, moved to the shrunk drift."""
    returns = np.random.default_rng(1).normal(0, 0.01, (300, 1))
    made = BlockBootstrap(block_sessions=10).forecast(origin_of(returns, [1.0]), {}, REQUEST)
    moved = returns[:, 0] - returns.mean() + shrunk_drift(returns)[0]
    stretches = np.expm1(np.lib.stride_tricks.sliding_window_view(moved, 10).sum(axis=1))
    # 3,000 paths from 291 starts: each start ten times, the first 90 of a shuffle an eleventh time.
    assert made.quantiles[9, 6] == pytest.approx(np.median(stretches), abs=0.002)
    assert made.mean[9] == pytest.approx(stretches.mean(), abs=0.001)


def test_clustered_volatility_makes_fatter_tails_than_shuffled_days():
    """Blocks keep wild weeks together, so the 1 % quantile at ten sessions lies further out than with single days."""
    rng = np.random.default_rng(2)
    level = np.where(np.arange(1_000) // 50 % 4 == 0, 3.0, 0.5)
    origin = origin_of((rng.normal(0, 0.01, 1_000) * level)[:, None], [1.0])
    many = ForecastRequest(horizon_days=10, paths=20_000, seed=1)
    blocks, days = (BlockBootstrap(block_sessions=size).forecast(origin, {}, many) for size in (10, 1))
    assert blocks.quantiles[9, 0] < days.quantiles[9, 0]


def test_only_the_newest_window_is_drawn():
    """A crash before the window never comes back."""
    returns = np.full((400, 1), 0.001)
    returns[50] = -0.5
    made = BlockBootstrap(window_sessions=300).forecast(origin_of(returns, [1.0]), {}, REQUEST)
    assert made.quantiles.min() > -0.01


def test_too_few_returns_are_a_reason():
    """With less than a year there is no forecast, but a reason."""
    made = BlockBootstrap().forecast(origin_of(np.zeros((249, 1)), [1.0]), {}, REQUEST)
    assert made == Unavailable("249 returns of the holdings are known, 250 are needed")
