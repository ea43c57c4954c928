import numpy as np
import pytest
from scipy import integrate, stats

from quant_assets.forecasts.distribution import Forecast, ForecastRequest, Unavailable
from quant_assets.forecasts.parameters import LEVELS
from quant_assets.forecasts.random_walk import RandomWalk
from tests.support.forecast_market import origin_of

REQUEST = ForecastRequest(horizon_days=10, paths=4_000, seed=1, has_drawdowns=True)


def returns(count=400, width=2, scale=0.01):
    return np.random.default_rng(3).normal(0.0004, scale, (count, width))


def test_the_value_is_log_normal():
    """Quantiles, mean and tail means are those of the log-normal with the sample's drift and newest deviation."""
    origin = origin_of(returns(), [60.0, 30.0], cash=10.0)
    made = RandomWalk(volatility_sessions=100).forecast(origin, {}, REQUEST)
    steps = np.log1p(np.expm1(origin.returns) @ np.array([0.6, 0.3]))
    for horizon in (1, 7):
        spread = steps[-100:].std(ddof=1) * np.sqrt(horizon)
        value = stats.lognorm(spread, scale=np.exp(steps.mean() * horizon))
        np.testing.assert_allclose(made.quantiles[horizon - 1], value.ppf(LEVELS) - 1, rtol=1e-9)
        assert made.mean[horizon - 1] == pytest.approx(value.mean() - 1, rel=1e-9)
        for slot, level in enumerate((0.01, 0.05)):
            tail = integrate.quad(value.ppf, 0, level)[0] / level - 1
            assert made.tail_means[horizon - 1, slot] == pytest.approx(tail, rel=1e-6)


def test_a_value_below_zero_moves_normally():
    """Where the value is not positive the change itself is normal, and there is no drawdown to speak of."""
    origin = origin_of(returns(), [50.0, -80.0])
    made = RandomWalk().forecast(origin, {}, REQUEST)
    change = np.expm1(origin.returns) @ np.array([50.0, -80.0]) / 130.0
    spread = change[-250:].std(ddof=1)
    expected = stats.norm(4 * change.mean(), 2 * spread)
    np.testing.assert_allclose(made.quantiles[3], expected.ppf(LEVELS), rtol=1e-9)
    tail = expected.expect(lambda x: x, ub=expected.ppf(0.05)) / 0.05
    assert made.tail_means[3, 1] == pytest.approx(tail, rel=1e-6)
    assert made.drawdowns is None


def test_drawdowns_come_from_paths_of_the_same_walk():
    """A fall of 5 % within one session is as likely as the quantile function says."""
    origin = origin_of(returns(scale=0.03), [100.0, 0.0])
    made = RandomWalk().forecast(origin, {}, ForecastRequest(10, 40_000, 1, has_drawdowns=True))
    steps = origin.returns[:, 0]
    expected = stats.norm(steps.mean(), steps[-250:].std(ddof=1)).cdf(np.log(0.95))
    assert made.drawdowns[0, 0] == pytest.approx(expected, abs=4 * np.sqrt(expected / 40_000))
    assert (np.diff(made.drawdowns, axis=0) >= 0).all()
    assert (np.diff(made.drawdowns, axis=1) <= 0).all()


def test_too_few_returns_are_a_reason():
    """With 19 returns there is no forecast, but a reason."""
    short = RandomWalk().forecast(origin_of(returns(19), [1.0, 1.0]), {}, REQUEST)
    assert short == Unavailable("19 returns of the holdings are known, 20 are needed")
    assert isinstance(RandomWalk().forecast(origin_of(returns(20), [1.0, 1.0]), {}, REQUEST), Forecast)
