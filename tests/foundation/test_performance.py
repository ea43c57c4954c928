"""Each measure equals a named library or a slow, obvious version, and the fused pass equals the plain functions."""

import datetime as dt
import math

import arch.bootstrap
import numpy as np
import pytest
import scipy.stats
import skfolio.measures
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quant_assets.foundation import performance as perf
from quant_assets.foundation.errors import UsageError

RATE = 0.03


@pytest.fixture(scope="module", params=[250, 1000, 2013])
def returns(request):
    """Heavy-tailed returns with idle sessions, as of a strategy that is not always invested."""
    rng = np.random.default_rng(request.param)
    drawn = 0.012 * rng.standard_t(4, request.param) + 0.0005
    drawn[rng.random(request.param) < 0.2] = 0.0
    return drawn


@pytest.fixture(scope="module")
def market(returns):
    """A market the returns are partly exposed to."""
    return 0.5 * returns + 0.01 * np.random.default_rng(7).normal(size=len(returns))


def _equity(returns, capital=1000.0):
    return capital * np.concatenate([[1.0], np.cumprod(1.0 + returns)])


def test_simple_returns_undo_compounding(returns):
    """Returns of a compounded curve are the returns it was made of."""
    np.testing.assert_allclose(perf.simple_returns(_equity(returns)), returns, atol=1e-13)


def test_returns_after_ruin_are_zero():
    """An account at zero stays there without dividing by zero."""
    np.testing.assert_array_equal(perf.simple_returns(np.array([10.0, 0.0, 0.0])), [-1.0, 0.0])


def test_growth_measures(returns):
    """Total return and CAGR follow their closed forms; 10 % twice in two years is 10 % a year."""
    equity = _equity(returns)
    assert perf.total_return(equity) == pytest.approx(math.prod(1 + r for r in returns) - 1)
    assert perf.cagr(np.array([1.0, 1.1, 1.21]), 2.0) == pytest.approx(0.1)
    assert math.isnan(perf.cagr(equity, 0.0))
    assert perf.years_between(dt.date(2001, 1, 1), dt.date(2005, 1, 1)) == pytest.approx(4.0)


def test_rate_per_session_compounds_to_the_year():
    """252 sessions at the session's rate earn the annual rate."""
    assert (1 + perf.rate_per_session(RATE)) ** 252 == pytest.approx(1 + RATE)
    with pytest.raises(UsageError, match="annual rate"):
        perf.rate_per_session(-1.0)


def test_sharpe_and_volatility_equal_skfolio(returns):
    """Sharpe is skfolio's mean over standard deviation, annualised, with the risk-free rate taken off."""
    deviation = skfolio.measures.standard_deviation(returns)
    excess = skfolio.measures.mean(returns) - perf.rate_per_session(RATE)
    assert perf.volatility_ann(returns) == pytest.approx(deviation * math.sqrt(252))
    assert perf.sharpe_ratio(returns, risk_free_rate=RATE) == pytest.approx(excess / deviation * math.sqrt(252))


def test_sortino_equals_a_loop(returns):
    """Sortino divides by the root mean square of shortfalls below the risk-free rate."""
    rate = perf.rate_per_session(RATE)
    shortfalls = [min(r - rate, 0.0) ** 2 for r in returns]
    expected = (sum(returns) / len(returns) - rate) / math.sqrt(sum(shortfalls) / len(returns)) * math.sqrt(252)
    assert perf.sortino_ratio(returns, risk_free_rate=RATE) == pytest.approx(expected)


def test_omega_equals_a_loop(returns):
    """Omega is the sum of excess gains over the sum of excess losses."""
    rate = perf.rate_per_session(RATE)
    gains = sum(r - rate for r in returns if r > rate)
    losses = sum(rate - r for r in returns if r < rate)
    assert perf.omega_ratio(returns, risk_free_rate=RATE) == pytest.approx(gains / losses)


def test_drawdown_equals_skfolio_and_a_double_loop(returns):
    """The deepest fall is skfolio's, and its dates are those a search over all pairs of sessions finds."""
    equity = _equity(returns)
    found = perf.max_drawdown(equity)
    assert -found.depth == pytest.approx(
        skfolio.measures.max_drawdown(skfolio.measures.get_drawdowns(returns, compounded=True))
    )
    falls = {(i, j): equity[j] / equity[i] - 1 for j in range(len(equity)) for i in (int(np.argmax(equity[: j + 1])),)}
    assert (found.peak, found.trough) == min(falls, key=falls.__getitem__)
    back = [t for t in range(found.trough, len(equity)) if equity[t] >= equity[found.peak]]
    assert found.recovery == (back[0] if back else -1)


def test_drawdown_of_a_rising_curve_is_zero():
    """A curve that never falls has no drawdown and is not in one."""
    assert perf.max_drawdown(np.array([1.0, 1.0, 2.0])) == perf.Drawdown(0.0, 0, 0, 0)


def test_calmar_divides_growth_by_the_fall():
    """20 % a year for a fall of 10 % is 2; without a fall it is undefined."""
    assert perf.calmar_ratio(0.2, -0.1) == pytest.approx(2.0)
    assert math.isnan(perf.calmar_ratio(0.2, 0.0))


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_var_and_cvar_equal_skfolio(returns, level):
    """Historical VaR and CVaR are skfolio's at every level, whole tail counts or not."""
    assert perf.value_at_risk(returns, level) == pytest.approx(skfolio.measures.value_at_risk(returns, level))
    assert perf.cvar(returns, level) == pytest.approx(skfolio.measures.cvar(returns, level))


def test_moments_equal_scipy(returns):
    """Skewness and kurtosis are SciPy's biased ones."""
    assert perf.skewness(returns) == pytest.approx(scipy.stats.skew(returns))
    assert perf.kurtosis(returns) == pytest.approx(scipy.stats.kurtosis(returns, fisher=False))


def test_tail_ratio_equals_scipy_scores(returns):
    """The tail ratio is the 95th percentile over the 5th."""
    high, low = (scipy.stats.scoreatpercentile(returns, p) for p in (95, 5))
    assert perf.tail_ratio(returns) == pytest.approx(high / abs(low))


def test_alpha_and_beta_equal_least_squares(returns, market):
    """Alpha and beta are statsmodels' intercept and slope on excess returns."""
    rate = perf.rate_per_session(RATE)
    fit = sm.OLS(returns - rate, sm.add_constant(market - rate)).fit()
    alpha, beta = perf.alpha_beta(returns, market, risk_free_rate=RATE)
    assert alpha == pytest.approx(fit.params[0] * 252)
    assert beta == pytest.approx(fit.params[1])


def test_information_ratio_is_the_sharpe_of_active_returns(returns, market):
    """The information ratio is the Sharpe ratio, without a risk-free rate, of what is left above the benchmark."""
    expected = perf.sharpe_ratio(returns - market, risk_free_rate=0.0)
    assert perf.information_ratio(returns, market) == pytest.approx(expected)


def test_trip_measures_follow_a_hand_count():
    """Of +30, -10, -5, +5: half win, 35 won over 15 lost."""
    pnl = np.array([30.0, -10.0, -5.0, 5.0])
    assert perf.win_rate(pnl) == 0.5
    assert perf.profit_factor(pnl) == pytest.approx(35 / 15)
    assert perf.average_trade(pnl / 100) == pytest.approx(0.05)
    assert perf.profit_factor(np.array([1.0])) == math.inf
    assert math.isnan(perf.win_rate(np.zeros(0)))


def test_turnover_of_one_full_replacement_a_year_is_one():
    """Selling everything and buying everything once in 252 sessions is a turnover of 1."""
    traded = np.zeros(252)
    traded[100] = 2 * 50.0
    assert perf.turnover_ann(traded, np.full(252, 50.0)) == pytest.approx(1.0)
    assert perf.average_exposure(np.array([0.0, 1.0])) == 0.5


def test_probabilistic_sharpe_equals_skfolio(returns):
    """The probabilistic Sharpe ratio is skfolio's, for several thresholds."""
    rate = perf.rate_per_session(RATE)
    for threshold in (0.0, 0.02, -0.01):
        expected = skfolio.measures.probabilistic_sharpe_ratio(returns, threshold, rate)
        found = perf.probabilistic_sharpe_ratio(returns, risk_free_rate=RATE, threshold=threshold)
        assert found == pytest.approx(expected)


def test_deflated_sharpe_equals_skfolio(returns):
    """The deflated Sharpe ratio is skfolio's for the same trials, and falls as trials are added."""
    trials = np.random.default_rng(3).normal(0.0, 0.03, 40)
    expected = skfolio.measures.deflated_sharpe_ratio(returns, trials, 0.0)
    spread = float(np.std(trials, ddof=1))
    found = perf.deflated_sharpe_ratio(returns, risk_free_rate=0.0, trials=40, trial_deviation=spread)
    assert found == pytest.approx(expected)
    more = perf.deflated_sharpe_ratio(returns, risk_free_rate=0.0, trials=4000, trial_deviation=spread)
    assert more < found < perf.probabilistic_sharpe_ratio(returns, risk_free_rate=0.0)


def test_expected_max_sharpe_matches_simulation():
    """The expected best of worthless trials agrees with drawing them (error of the simulation: 0.004)."""
    best = np.random.default_rng(0).normal(size=(20_000, 50)).max(axis=1)
    assert perf.expected_max_sharpe(50, 1.0) == pytest.approx(best.mean(), abs=0.03)
    assert perf.expected_max_sharpe(1, 1.0) == 0.0
    with pytest.raises(UsageError, match="variants"):
        perf.expected_max_sharpe(0, 1.0)


def test_sharpe_difference_agrees_with_arch(returns, market):
    """The paired bootstrap interval is that of arch's circular block bootstrap, up to the noise of resampling."""

    def difference(ours, theirs):
        return np.array([(ours.mean() / ours.std(ddof=1) - theirs.mean() / theirs.std(ddof=1)) * math.sqrt(252)])

    reference = arch.bootstrap.CircularBlockBootstrap(21, returns, market, seed=np.random.default_rng(1))
    low, high = reference.conf_int(difference, reps=1000, method="percentile")[:, 0]
    found = perf.sharpe_difference(returns, market, rng=np.random.default_rng(2))
    assert found.difference == pytest.approx(difference(returns, market)[0])
    width = high - low
    assert abs(found.low - low) < 0.12 * width
    assert abs(found.high - high) < 0.12 * width


def test_sharpe_difference_is_reproducible_and_zero_for_twins(returns):
    """The same seed gives the same interval; a series differs from itself by exactly zero."""
    twice = [perf.sharpe_difference(returns, returns[::-1], rng=np.random.default_rng(5)) for _ in range(2)]
    assert twice[0] == twice[1]
    same = perf.sharpe_difference(returns, returns, rng=np.random.default_rng(5))
    assert (same.low, same.difference, same.high) == (0.0, 0.0, 0.0)
    with pytest.raises(UsageError, match="same 42 sessions"):
        perf.sharpe_difference(returns[:30], returns[:30], rng=np.random.default_rng(5))


def _plain(equity, *, market, years, gross, traded, pnl, trip_returns):
    returns = perf.simple_returns(equity)
    fall = perf.max_drawdown(equity)
    growth = perf.cagr(equity, years)
    alpha, beta = perf.alpha_beta(returns, market, risk_free_rate=RATE)
    return perf.Measures(
        total_return=perf.total_return(equity),
        cagr=growth,
        volatility_ann=perf.volatility_ann(returns),
        sharpe=perf.sharpe_ratio(returns, risk_free_rate=RATE),
        sortino=perf.sortino_ratio(returns, risk_free_rate=RATE),
        calmar=perf.calmar_ratio(growth, fall.depth),
        max_drawdown=fall.depth,
        drawdown_peak=fall.peak,
        drawdown_trough=fall.trough,
        drawdown_recovery=fall.recovery,
        omega=perf.omega_ratio(returns, risk_free_rate=RATE),
        skewness=perf.skewness(returns),
        kurtosis=perf.kurtosis(returns),
        alpha_ann=alpha,
        beta=beta,
        information_ratio=perf.information_ratio(returns, market),
        probabilistic_sharpe=perf.probabilistic_sharpe_ratio(returns, risk_free_rate=RATE),
        win_rate=perf.win_rate(pnl),
        profit_factor=perf.profit_factor(pnl),
        average_trade=perf.average_trade(trip_returns),
        average_pnl=float(np.mean(pnl)) if len(pnl) else math.nan,
        turnover_ann=perf.turnover_ann(traded, equity),
        exposure=perf.average_exposure(gross),
        var_95=perf.value_at_risk(returns),
        cvar_95=perf.cvar(returns),
        tail_ratio=perf.tail_ratio(returns),
    )


def _assert_fused_equals_plain(returns, market, pnl):
    rng = np.random.default_rng(11)
    equity = _equity(returns)
    gross, traded = rng.random(len(equity)), rng.random(len(equity)) * 300
    trip_returns = pnl / 500
    fused = perf.measure_run(
        equity,
        years=4.0,
        risk_free_rate=RATE,
        gross_exposure=gross,
        traded=traded,
        market_returns=market,
        trip_pnl=pnl,
        trip_returns=trip_returns,
    )
    plain = _plain(equity, market=market, years=4.0, gross=gross, traded=traded, pnl=pnl, trip_returns=trip_returns)
    for name in perf.MEASURE_NAMES:
        assert getattr(fused, name) == pytest.approx(getattr(plain, name), rel=1e-8, abs=1e-9, nan_ok=True), name


def test_fused_pass_equals_the_plain_functions(returns, market):
    """One compiled pass gives every measure as the plain functions do."""
    _assert_fused_equals_plain(returns, market, np.random.default_rng(1).normal(3.0, 50.0, 60))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-0.5, 0.5).map(lambda x: round(x, 3))))
def test_fused_pass_equals_the_plain_functions_on_odd_series(drawn):
    """Flat, tiny and lop-sided series are undefined in the same places in both."""
    _assert_fused_equals_plain(drawn, np.linspace(-0.01, 0.02, len(drawn)), np.zeros(0))


def test_undefined_measures_are_nan_never_zero():
    """A curve that never moved has no Sharpe, Sortino, Calmar or tail ratio, and says so."""
    flat = perf.measure_run(
        np.full(50, 100.0), years=0.2, risk_free_rate=0.0, gross_exposure=np.zeros(50), traded=np.zeros(50)
    )
    undefined = ("sharpe", "sortino", "calmar", "tail_ratio", "skewness", "win_rate", "beta", "information_ratio")
    assert all(math.isnan(getattr(flat, name)) for name in undefined)
    assert (flat.total_return, flat.volatility_ann, flat.max_drawdown, flat.var_95) == (0.0, 0.0, 0.0, 0.0)
