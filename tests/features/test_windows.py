from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import skew

from quant_assets.features import moments, windows

NONE = np.empty(0)
values_of_a_symbol = st.lists(st.floats(-1e6, 1e6, width=32), min_size=0, max_size=40)


def whole_of(symbols):
    """Array of all symbols' values, and the rows that say where each lies."""
    lengths = [len(values) for values in symbols]
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return np.array([value for values in symbols for value in values], float), windows.whole(bounds)


def per_symbol(symbols, function):
    """The slow obvious way: one symbol after the other."""
    parts = [np.asarray(function(pd.Series(values, dtype=float)), float) for values in symbols]
    return np.concatenate(parts) if parts else np.empty(0)


ROLLING = {
    "rolling_mean": (windows.rolling_mean, np.mean),
    "rolling_max": (moments.rolling_max, np.max),
    "rolling_min": (moments.rolling_min, np.min),
    "rolling_absolute_deviation": (moments.rolling_absolute_deviation, lambda x: np.mean(np.abs(x - np.mean(x)))),
}


@pytest.mark.parametrize("name", ROLLING)
@settings(max_examples=40, deadline=None)
@given(symbols=st.lists(values_of_a_symbol, max_size=4), window=st.integers(1, 12))
def test_rolling_functions_equal_one_window_at_a_time(name, symbols, window):
    """Each window's value is the plain statistic of the symbol's own last values, and NaN until the window is full."""
    fast, plain = ROLLING[name]
    values, rows = whole_of(symbols)
    expected = per_symbol(symbols, lambda series: series.rolling(window).apply(plain, raw=True))
    np.testing.assert_allclose(fast(values, window, rows), expected, rtol=1e-9, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(symbols=st.lists(values_of_a_symbol, max_size=4), window=st.integers(2, 12), ddof=st.integers(0, 1))
def test_rolling_std_equals_numpy(symbols, window, ddof):
    """The standard deviation of each window is NumPy's, with either divisor."""
    values, rows = whole_of(symbols)
    expected = per_symbol(
        symbols, lambda series: series.rolling(window).apply(lambda x: np.std(x, ddof=ddof), raw=True)
    )
    np.testing.assert_allclose(windows.rolling_std(values, window, ddof, rows), expected, rtol=1e-9, atol=1e-6)


@given(value=st.floats(1e-8, 1e8), window=st.integers(2, 30))
@settings(max_examples=60, deadline=None)
def test_constant_values_have_exactly_no_spread(value, window):
    """The mean of equal values is that value and their deviation is 0, without a rounding error."""
    values, rows = whole_of([[value] * 40])
    assert set(windows.rolling_mean(values, window, rows)[window - 1 :]) == {value}
    assert set(windows.rolling_std(values, window, 0, rows)[window - 1 :]) == {0.0}


def test_skewness_equals_scipy():
    """Population skewness is SciPy's, and unknown where nothing varies."""
    values, rows = whole_of([np.random.default_rng(1).standard_normal(80), [3.0] * 30])
    expected = per_symbol([values[:80]], lambda series: series.rolling(20).apply(skew, raw=True))
    found = moments.rolling_skewness(values, 20, 1e-12, rows)
    np.testing.assert_allclose(found[:80], expected, rtol=1e-9)
    assert np.isnan(found[80:]).all()


def test_regression_equals_numpy_least_squares():
    """Slope, correlation and residual deviation of each window are those of NumPy's least squares."""
    generator = np.random.default_rng(2)
    x = generator.standard_normal(70)
    y = 0.7 * x + 0.3 * generator.standard_normal(70)
    _, rows = whole_of([x])
    line = moments.rolling_pair_regression(np.stack([y, x, np.ones(70)]), 25, 25, 1e-12, rows)
    alone = moments.rolling_correlation(y, x, 25, 1e-12, rows)
    for i in range(25, 70):
        window = slice(i - 24, i + 1)
        (slope, _), residuals, *_ = np.polyfit(x[window], y[window], 1, full=True)
        assert line.slope[i] == pytest.approx(slope, rel=1e-9)
        assert line.correlation[i] == pytest.approx(np.corrcoef(x[window], y[window])[0, 1], rel=1e-9)
        assert line.residual_std[i] == pytest.approx(np.sqrt(residuals[0] / 23), rel=1e-9)
        assert alone[i] == pytest.approx(line.correlation[i], rel=1e-12)


def test_pairs_run_between_bars_that_know_both():
    """Returns skip bars on which either is unknown, say how far they reach, and never into another symbol."""
    first, rows = whole_of([[1.0, 2.0, 4.0, 8.0], [3.0, 6.0]])
    second = np.array([5.0, np.nan, np.nan, 10.0, 1.0, 3.0])
    own, other, reach = moments.changes_between_known(first, second, rows)
    np.testing.assert_array_equal(reach, [np.nan, np.nan, np.nan, 3, np.nan, 1])
    np.testing.assert_array_equal(own[[3, 5]], [7.0, 1.0])
    np.testing.assert_array_equal(other[[3, 5]], [1.0, 2.0])


def test_relations_to_constants_are_unknown():
    """Equal independent values have no line, equal dependent ones no correlation, equal up to rounding is equal."""
    moving, noise = np.arange(30.0), 1e-16 * np.random.default_rng(3).standard_normal(30)
    _, rows = whole_of([moving])
    for still in (np.full(30, 2.0), 2.0 + noise, noise):
        upright, flat = (
            moments.rolling_pair_regression(np.stack([y, x, np.ones(30)]), 10, 10, 1e-12, rows)
            for y, x in ((moving, still), (still, moving))
        )
        assert np.isnan(upright.slope).all()
        assert np.isnan(upright.correlation).all()
        assert np.isnan(flat.correlation).all()
        np.testing.assert_allclose(flat.slope[10:], 0.0, atol=1e-15)
        assert np.isnan(moments.rolling_correlation(still, moving, 10, 1e-12, rows)).all()
        assert np.isnan(moments.rolling_correlation(moving, still, 10, 1e-12, rows)).all()
        assert np.isnan(moments.rolling_skewness(still, 10, 1e-12, rows)).all()


def test_known_mean_leaves_unknown_values_out():
    """The mean of what is known in each window; unknown only where the whole window is."""
    values, rows = whole_of([[np.nan, 2.0, np.nan, np.nan, 8.0]])
    np.testing.assert_array_equal(moments.rolling_known_mean(values, 2, rows), [np.nan, 2.0, 2.0, np.nan, 8.0])


RECURSIVE = {
    "exponential_mean": lambda values, rows, previous: windows.exponential_mean(values, 5, rows, previous),
    "wilder_mean": lambda values, rows, previous: windows.wilder_mean(values, 5, rows, previous),
    "wilder_sum": lambda values, rows, previous: windows.wilder_sum(values, 5, rows, previous),
    "cumulate": windows.cumulate,
}


@pytest.mark.parametrize("name", RECURSIVE)
@settings(max_examples=60, deadline=None)
@given(
    data=st.data(), symbols=st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), min_size=1, max_size=3)
)
def test_continued_recursions_give_the_same_bits(name, data, symbols):
    """Continuing from the stored value of the row before equals computing from the first row, bit for bit."""
    function = RECURSIVE[name]
    values, rows = whole_of(symbols)
    complete = function(values, rows, NONE)
    first = np.array(
        [data.draw(st.integers(low, high)) for low, high in zip(rows.bounds, rows.bounds[1:], strict=False)]
    )
    previous = np.full(values.size, np.nan)
    for position in first[first > rows.bounds[:-1]] - 1:
        previous[position] = complete[position]
    continued = function(values, windows.Rows(rows.bounds, first.astype(np.int64)), previous)
    for s in range(first.size):
        new = slice(first[s], rows.bounds[s + 1])
        np.testing.assert_array_equal(continued[new], complete[new])


def test_recursions_skip_unknown_values():
    """An unknown value leaves an average as it is, and seeding waits for enough known ones."""
    values, rows = whole_of([[np.nan, 1.0, np.nan, 3.0, np.nan, 5.0]])
    np.testing.assert_array_equal(
        windows.exponential_mean(values, 2, rows, NONE), [np.nan, np.nan, np.nan, 2.0, 2.0, 2.0 + 2.0 / 3.0 * 3.0]
    )
    np.testing.assert_array_equal(windows.cumulate(values, rows, NONE), [np.nan, 1.0, 1.0, 4.0, 4.0, 9.0])


def test_lags_and_ratios_stay_inside_their_symbol():
    """A lag never reads the symbol before, a ratio with 0 below is unknown, and so is a log of what is not positive."""
    values, rows = whole_of([[1.0, 2.0, 3.0], [4.0, 0.0]])
    np.testing.assert_array_equal(windows.lag(values, 1, rows), [np.nan, 1.0, 2.0, np.nan, 4.0])
    np.testing.assert_array_equal(windows.ratio(np.ones(2), np.array([0.0, 4.0])), [np.nan, 0.25])
    np.testing.assert_array_equal(windows.log_ratio(np.array([0.0, 1.0]), np.ones(2)), [np.nan, 0.0])
