import datetime as dt

import numpy as np
import pytest
from prophet import Prophet

from quant_assets.forecasts.distribution import FAILED, FITTED, ForecastRequest, Unavailable
from quant_assets.forecasts.prophet_trend import PORTFOLIO, ProphetTrend
from tests.support.forecast_market import origin_of

REFIT = dt.date(2010, 7, 1)
MODEL = ProphetTrend(horizon_days=10)
REQUEST = ForecastRequest(horizon_days=10, paths=100, seed=1)


class Optimiser:
    """The library's compiled model, whose process fails the first times."""

    def __init__(self, model, failures):
        self.model, self.failures, self.algorithms = model, failures, []

    def optimize(self, **options):
        self.algorithms.append(options["algorithm"])
        if len(self.algorithms) <= self.failures:
            raise RuntimeError("Error during optimization!\nCommand was killed")
        return self.model.optimize(**options)


def on_a_machine_that_fails(times):
    """The library's class, and the optimiser that its objects share."""
    optimiser = Optimiser(Prophet().stan_backend.model, times)

    def made(**options):
        model = Prophet(**options)
        model.stan_backend.model = optimiser
        return model

    return made, optimiser


def trending(count=500, daily=0.001, noise=0.004):
    level = np.cumsum(np.full(count, daily)) + np.random.default_rng(1).normal(0, noise, count)
    return np.diff(level, prepend=0.0)[:, None]


def test_the_slope_of_a_straight_trend_is_found():
    """On a straight log trend with noise around it, the forecast grows at its rate from today's value."""
    origin = origin_of(trending(), [100.0])
    (fit,) = MODEL.fit([(REFIT, origin)])
    assert fit.status == FITTED
    years = (origin.sessions[-1] - origin.sessions[0]).astype(int)
    assert fit.parameters["slope_per_day"] == pytest.approx(0.001 * 500 / years, rel=0.05)
    made = MODEL.forecast(origin, {PORTFOLIO: fit}, REQUEST)
    expected = np.expm1(fit.parameters["slope_per_day"] * origin.days_ahead)
    np.testing.assert_allclose(made.quantiles[:, 6], expected, atol=2e-6)


def test_the_spread_is_what_the_curve_missed():
    """Noise around the curve gives errors of sqrt(2) times its deviation at every horizon, as for white noise."""
    origin = origin_of(trending(1_000), [100.0])
    (fit,) = MODEL.fit([(REFIT, origin)])
    made = MODEL.forecast(origin, {PORTFOLIO: fit}, REQUEST)
    width = made.quantiles[:, 11] - made.quantiles[:, 1]
    np.testing.assert_allclose(width, 2 * 1.645 * np.sqrt(2) * 0.004, rtol=0.15)
    assert (made.tail_means[:, 1] < made.quantiles[:, 1]).all()


def test_a_value_that_was_not_positive_is_a_reason():
    """A short portfolio whose past value crosses zero has no logarithm; the fit says so and nothing is forecast."""
    returns = np.random.default_rng(2).normal(0, 0.02, (300, 2))
    origin = origin_of(returns, [100.0, -95.0])
    (fit,) = MODEL.fit([(REFIT, origin)])
    assert fit.status == FAILED
    assert "not positive" in fit.reason
    assert MODEL.forecast(origin, {PORTFOLIO: fit}, REQUEST) == Unavailable(fit.reason)


def test_a_short_history_is_a_reason():
    """Less than a year of returns is not fitted."""
    (fit,) = MODEL.fit([(REFIT, origin_of(trending(249), [1.0]))])
    assert (fit.status, fit.reason) == (FAILED, "249 returns are known, 250 are needed")


def test_a_process_that_fails_once_changes_no_number():
    """Where the optimiser's process fails once, the fit is the one of a quiet machine, not one of another method."""
    origin = origin_of(trending(), [100.0])
    prophet, optimiser = on_a_machine_that_fails(1)
    assert MODEL._fit_one(REFIT, origin, prophet) == MODEL.fit([(REFIT, origin)])[0]
    assert optimiser.algorithms == ["LBFGS", "LBFGS"]


def test_another_algorithm_is_written_down():
    """Where L-BFGS fails twice, Newton's method is used and the fit says so."""
    origin = origin_of(trending(), [100.0])
    prophet, optimiser = on_a_machine_that_fails(2)
    fit = MODEL._fit_one(REFIT, origin, prophet)
    assert (fit.status, fit.parameters["algorithm"]) == (FITTED, "Newton")
    assert MODEL.fit([(REFIT, origin)])[0].parameters["algorithm"] == "LBFGS"
    assert optimiser.algorithms == ["LBFGS", "LBFGS", "Newton"]


def test_a_process_that_keeps_failing_is_a_reason():
    """Where no algorithm comes to a result, the fit is recorded as failed."""
    prophet, _ = on_a_machine_that_fails(3)
    fit = MODEL._fit_one(REFIT, origin_of(trending(), [100.0]), prophet)
    assert (fit.status, fit.parameters) == (FAILED, {})
    assert "no algorithm of the optimiser came to a result: Error during optimization!" in fit.reason


def test_nothing_due_costs_nothing():
    """Without a refit date there is no fit, and without a fit no forecast."""
    assert MODEL.fit([]) == []
    assert MODEL.forecast(origin_of(trending(), [1.0]), {}, REQUEST) == Unavailable("no fit is in force")
