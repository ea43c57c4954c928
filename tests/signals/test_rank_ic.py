from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import spearmanr

from quant_assets.signals.rank_ic import daily_rank_ic, newey_west_error, summarise_rank_ic
from tests.support.signal_markets import weekdays


@pytest.mark.parametrize("lags", [0, 4, 21])
def test_newey_west_equals_statsmodels(lags):
    """The error is statsmodels' HAC error of a regression on a constant."""
    rng = np.random.default_rng(2)
    values = np.convolve(rng.normal(0.02, 0.3, 400), np.ones(5) / 5, mode="valid")
    fitted = sm.OLS(values, np.ones(len(values))).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    assert newey_west_error(values, lags) == pytest.approx(fitted.bse[0], rel=1e-10)


def test_daily_coefficients_equal_scipy():
    """Each session's coefficient is Spearman's, ties included; sessions that cannot have one are left out."""
    rng = np.random.default_rng(4)
    dates = np.repeat(weekdays(30), 8)
    probability, returns = rng.random(240).round(1), rng.normal(size=240)
    returns[:6] = np.nan
    probability[8:16] = 0.5
    sessions, daily = daily_rank_ic(dates, probability, returns)
    assert len(sessions) == 28
    for session, value in zip(sessions, daily, strict=True):
        day = dates == session
        assert value == pytest.approx(spearmanr(probability[day], returns[day]).statistic)


def test_summary_of_a_known_series():
    """Mean and ratio are those of the series; lags cover at least the overlap of the returns."""
    daily = np.tile([0.1, -0.05], 200)
    summary = summarise_rank_ic(weekdays(400), daily, horizon_days=5)
    assert summary.mean == pytest.approx(0.025)
    assert summary.ratio == pytest.approx(0.025 / daily.std(ddof=1))
    assert summary.error == pytest.approx(newey_west_error(daily, 5))
    assert summary.t_statistic == pytest.approx(summary.mean / summary.error)


def test_nothing_to_summarise_is_not_a_number():
    """Without sessions the mean and its error are NaN, never 0."""
    summary = summarise_rank_ic(weekdays(0), np.zeros(0), 1)
    assert np.isnan([summary.mean, summary.ratio, summary.error, summary.t_statistic]).all()
