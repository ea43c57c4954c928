import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from quant_assets.forecasts.components import adding_up, component_rows, normal_gains, tail_contributions
from quant_assets.forecasts.filtered_simulation import PositionGains
from quant_assets.forecasts.tables import COMPONENT_VAR
from tests.support.forecast_market import origin_of

COVARIANCE = np.array([[4.0, 1.0, -0.5], [1.0, 1.0, 0.0], [-0.5, 0.0, 0.25]])


def test_contributions_of_normal_gains_are_eulers():
    """For joint normal gains a position contributes its covariance with the whole over the whole's deviation."""
    gains = np.random.default_rng(1).multivariate_normal(np.zeros(3), COVARIANCE, 400_000)
    deviation = np.sqrt(COVARIANCE.sum())
    share = COVARIANCE.sum(axis=1) / deviation
    to_var, to_cvar = tail_contributions(gains)
    # Averaging from the 2.5 to the 7.5 % quantile gives 1.667 deviations, the 5 % quantile itself 1.645.
    np.testing.assert_allclose(to_var, 1.667 * share, atol=0.03)
    np.testing.assert_allclose(to_cvar, 2.063 * share, atol=0.03)


def test_a_hedge_takes_risk_away():
    """A position that gains when the others lose has a negative part."""
    gains = np.random.default_rng(2).normal(0, 1, (20_000, 1)) @ np.array([[2.0, -1.0]])
    to_var, to_cvar = tail_contributions(gains)
    assert to_var[0] > 0 > to_var[1]
    assert to_cvar[0] > 0 > to_cvar[1]


@given(
    arrays.arrays(float, 4, elements=st.floats(-1e4, 1e4)),
    arrays.arrays(float, 4, elements=st.floats(-1e4, 1e4).filter(lambda x: abs(x) > 1e-3)),
    st.floats(-1e5, 1e5),
)
def test_parts_always_add_up(parts, values, total):
    """Whatever the paths say, the stored parts sum to the served figure."""
    assert adding_up(parts, total, values).sum() == pytest.approx(total, abs=1e-6)


def test_rows_add_up_to_what_is_served():
    """Simulated or normal, the parts of each horizon sum to the served VaR and CVaR, and fit the declared table."""
    rng = np.random.default_rng(3)
    origin = origin_of(rng.normal(0, 0.01, (300, 3)), [50.0, -20.0, 30.0])
    served = {1: (2.0, 3.0), 5: (4.5, 6.0)}
    simulated = component_rows(origin, PositionGains((1, 5), rng.normal(0, 1, (2, 1_000, 3))), served)
    normal = component_rows(origin, None, served)
    for rows, method in ((simulated, "simulated"), (normal, "normal")):
        COMPONENT_VAR.validate(rows)
        assert rows["method"].unique().to_list() == [method]
        sums = rows.drop("as_of", "symbol", "method").group_by("horizon_days").sum().sort("horizon_days")
        np.testing.assert_allclose(sums["component_var_95"].to_numpy(), [2.0, 4.5])
        np.testing.assert_allclose(sums["component_cvar_95"].to_numpy(), [3.0, 6.0])


def test_normal_parts_follow_covariance():
    """Without paths the parts are in proportion to the covariance of a position with the whole."""
    returns = np.random.default_rng(4).multivariate_normal(np.zeros(3), COVARIANCE * 1e-4, 5_000)
    share, _ = normal_gains(origin_of(returns, [1.0, 1.0, 1.0]))
    moves = np.expm1(returns)
    expected = [np.cov(moves[:, i], moves.sum(axis=1))[0, 1] / moves.sum(axis=1).var(ddof=1) for i in range(3)]
    np.testing.assert_allclose(share, expected, rtol=1e-9)
    assert share.sum() == pytest.approx(1)
    assert not normal_gains(origin_of(np.zeros((50, 2)), [1.0, 1.0]))[0].any()
