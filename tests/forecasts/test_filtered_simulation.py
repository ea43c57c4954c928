import datetime as dt
from dataclasses import asdict, replace

import numpy as np
import pytest

from quant_assets.forecasts.distribution import FAILED, FITTED, ForecastRequest, Unavailable
from quant_assets.forecasts.drift import shrunk_drift
from quant_assets.forecasts.filtered_simulation import FilteredSimulation
from quant_assets.forecasts.gjr_fit import GjrParameters, fit_gjr, with_variance, without_fits
from tests.support.forecast_market import origin_of

REFIT = dt.date(2010, 7, 1)
REQUEST = ForecastRequest(horizon_days=10, paths=4_000, seed=1, has_drawdowns=True)
MODEL = FilteredSimulation()


def garch_returns(count=6_000, *, seed=0, alpha=0.04, gamma=0.08, beta=0.9):
    rng = np.random.default_rng(seed)
    long_run = 1e-4
    omega = long_run * (1 - alpha - gamma / 2 - beta)
    variance, made = long_run, []
    for score in rng.standard_normal(count):
        shock = np.sqrt(variance) * score
        made.append(shock)
        variance = omega + (alpha + gamma * (shock < 0)) * shock**2 + beta * variance
    return np.array(made)


def fits_of(origin):
    return {fit.subject: fit for fit in MODEL.fit([(REFIT, origin)])}


def test_a_fit_finds_the_parameters_that_made_the_returns():
    """On 6,000 simulated returns every parameter lies within three standard errors (about 0.02)."""
    fitted = fit_gjr(garch_returns())
    assert fitted.alpha == pytest.approx(0.04, abs=0.03)
    assert fitted.gamma == pytest.approx(0.08, abs=0.05)
    assert fitted.beta == pytest.approx(0.9, abs=0.04)
    assert fitted.omega / (1 - fitted.persistence) == pytest.approx(1e-4, rel=0.25)


def test_variance_targeting_keeps_the_dynamics():
    """The borrowed dynamics have the symbol's own long-run variance."""
    borrowed = with_variance(GjrParameters(5.0, 0.05, 0.04, 0.9), 3e-4)
    assert borrowed.omega / (1 - borrowed.persistence) == pytest.approx(3e-4)
    assert (borrowed.alpha, borrowed.gamma, borrowed.beta) == (0.05, 0.04, 0.9)


def test_shared_dynamics_stay_stationary():
    """Medians of stationary fits that are not stationary together are cut to a persistence of 0.999."""
    shapes = [(0.3, 0.0, 0.69), (0.3, 0.0, 0.6), (0.0, 0.1, 0.94), (0.1, 0.1, 0.8), (0.02, 0.0, 0.97)]
    fits = [GjrParameters(1e-6, *shape) for shape in shapes]
    assert without_fits(fits).persistence <= 0.999 + 1e-12


def test_failed_fits_are_recorded_with_their_reason():
    """A series that never moves, and one that is too short, leave a fit that says why; others are not disturbed."""
    returns = np.column_stack([garch_returns(700), np.zeros(700)])
    fits = fits_of(origin_of(returns, [1.0, 1.0]))
    assert fits["A"].status == FITTED
    assert fits["B"].status == FAILED
    assert fits["B"].reason
    short = fits_of(origin_of(returns[:249], [1.0, 1.0]))
    assert {fit.reason for fit in short.values()} == {"249 returns are known, 250 are needed"}
    assert MODEL.forecast(origin_of(returns[:249], [1.0, 1.0]), short, REQUEST) == Unavailable(
        "no volatility model could be fitted: 249 returns are known, 250 are needed"
    )


def test_correlation_is_kept():
    """A long and a short position in the same series cancel; two long ones add their spreads fully."""
    series = garch_returns(900)
    twins = np.column_stack([series, series])
    hedged = origin_of(twins, [100.0, -100.0])
    alone, doubled = origin_of(series[:, None], [200.0]), origin_of(twins, [100.0, 100.0])
    flat = MODEL.forecast(hedged, fits_of(hedged), REQUEST)
    assert np.abs(flat.quantiles).max() < 1e-12
    one, two = (MODEL.forecast(origin, fits_of(origin), REQUEST) for origin in (alone, doubled))
    np.testing.assert_allclose(two.quantiles, one.quantiles, atol=1e-9)


def test_a_fall_today_widens_tomorrow():
    """The band after a crash is wider than after a calm day, with the same fits."""
    calm = garch_returns(900)[:, None]
    crash = calm.copy()
    crash[-1] = -0.08
    fits = fits_of(origin_of(calm, [100.0]))
    narrow, wide = (MODEL.forecast(origin_of(r, [100.0]), fits, REQUEST).quantiles for r in (calm, crash))
    assert (wide[:, 11] - wide[:, 1] > 1.5 * (narrow[:, 11] - narrow[:, 1])).all()


def test_the_drift_is_the_shrunk_one():
    """The mean log change of a single holding over the horizon is the drift times the horizon."""
    series = garch_returns(2_000)[:, None]
    origin = origin_of(series, [100.0])
    made = MODEL.forecast(origin, fits_of(origin), ForecastRequest(10, 20_000, 1))
    drift = shrunk_drift(series)[0]
    centre = np.log1p(made.quantiles[:, 6])
    spread = made.quantiles[:, 11] - made.quantiles[:, 1]
    assert np.abs(centre - drift * np.arange(1, 11)).max() < 0.05 * spread.max()


def test_a_holding_without_a_fit_borrows_the_dynamics():
    """A young holding takes part with the others' dynamics around its own variance."""
    returns = np.column_stack([garch_returns(700, seed=1), 3 * garch_returns(700, seed=2)])
    origin = origin_of(returns, [50.0, 50.0])
    fits = fits_of(origin)
    made = MODEL.forecast(origin, {"A": fits["A"]}, REQUEST)
    dynamics = GjrParameters(**fits["A"].parameters)
    lent = asdict(with_variance(dynamics, returns[:, 1].var()))
    expected = MODEL.forecast(origin, {"A": fits["A"], "B": replace(fits["B"], parameters=lent)}, REQUEST)
    np.testing.assert_allclose(made.quantiles, expected.quantiles, rtol=1e-9)


def test_the_same_seed_gives_the_same_forecast():
    """The date and the seed decide, nothing else."""
    origin = origin_of(garch_returns(600)[:, None], [1.0])
    fits = fits_of(origin)
    one, two, other = (MODEL.forecast(origin, fits, ForecastRequest(10, 500, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.quantiles, two.quantiles)
    assert not np.array_equal(one.quantiles, other.quantiles)


def test_gains_of_positions_sum_to_the_change():
    """At each kept horizon the positions' gains, path by path, give the forecast distribution."""
    returns = np.column_stack([garch_returns(700, seed=1), garch_returns(700, seed=2)])
    origin = origin_of(returns, [70.0, 30.0])
    made, gains = MODEL.forecast_with_gains(origin, fits_of(origin), REQUEST, (1, 10))
    np.testing.assert_allclose(np.quantile(gains.gains[1].sum(axis=1), 0.5) / 100.0, made.quantiles[9, 6], rtol=1e-9)


def test_the_prior_decides_short_histories_and_data_long_ones():
    """The closed form of the normal prior: equal weights where the standard error equals the prior's deviation."""
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(1_000)
    noise = (noise - noise.mean()) / noise.std()
    deviation = 0.1 / 252 * np.sqrt(1_000)
    series = (0.30 / 252 + deviation * noise)[:, None]
    assert shrunk_drift(series)[0] * 252 == pytest.approx((0.30 + 0.08) / 2)
    assert shrunk_drift(np.full((1_000, 1), 0.30 / 252))[0] * 252 == pytest.approx(0.30)
