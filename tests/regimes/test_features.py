from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.foundation.errors import DataError
from quant_assets.regimes.features import (
    FEATURES,
    FIRST_LABEL,
    LOOKBACK,
    SERIES_FEATURES,
    own_scale,
    series_features,
)
from tests.support.regime_markets import random_close

NAMES = [feature.name for feature in SERIES_FEATURES]


def slow_features(close, scale, t):
    """The formulas of the docstrings, one session at a time."""
    returns = np.diff(np.log(close[: t + 1]))
    move = returns[-1] / scale
    slow, fast = returns[-20:], returns[-5:]
    trend, year = returns[-60:], returns[-252:]
    high = max(close[max(0, t - 251) : t + 1])
    return [
        np.arcsinh(move),
        abs(move) ** 0.4,
        np.log(np.sqrt(np.mean(fast**2)) / np.sqrt(np.mean(slow**2))),
        trend.sum() / np.sqrt((trend**2).sum()),
        np.log(close[t] / high) / np.sqrt((year**2).sum()),
        np.sqrt(np.mean(slow**2) * 252),
    ]


@pytest.mark.parametrize("t", [20, 21, 59, 60, 251, 252, 399])
def test_features_follow_their_formulas(t):
    """Every feature equals its formula written out, with short windows at the start of a history too."""
    close = random_close(400)
    values = series_features(close, np.full(400, 0.01))[t]
    assert values == pytest.approx(slow_features(close, 0.01, t), rel=1e-12)


def test_first_rows_have_no_features():
    """Twenty returns are needed before a session is described."""
    values = series_features(random_close(40), np.full(40, 0.01))
    assert np.isnan(values[:FIRST_LABEL]).all()
    assert np.isfinite(values[FIRST_LABEL:]).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(30, 399), start=st.integers(0, 300))
def test_a_value_depends_on_its_windows_alone(seed, cut, start):
    """Neither later closes nor the row at which computing starts change a single bit."""
    close = random_close(400, seed=seed)
    changed = close.copy()
    changed[cut + 1 :] *= 3.0
    whole, other = (series_features(prices, np.full(400, 0.01)) for prices in (close, changed))
    assert np.array_equal(whole[: cut + 1], other[: cut + 1], equal_nan=True)
    late = series_features(close, np.full(400, 0.01), start)
    assert np.array_equal(late[start:], whole[start:], equal_nan=True)


def test_the_tail_of_a_history_gives_the_same_bits():
    """Closes from LOOKBACK sessions before on give the same scale and features as the whole history."""
    close = random_close(LOOKBACK + 300, seed=4)
    tail = close[-LOOKBACK - 1 :]
    whole_scale, tail_scale = own_scale(close, len(close) - 1)[-1], own_scale(tail, len(tail) - 1)[-1]
    assert whole_scale == tail_scale
    whole = series_features(close, np.full(len(close), whole_scale), len(close) - 1)[-1]
    assert np.array_equal(whole, series_features(tail, np.full(len(tail), tail_scale), len(tail) - 1)[-1])


def test_own_scale_is_the_root_mean_square_return():
    """The scale is the root mean square of the last 2,520 log returns."""
    close = random_close(2700, seed=2, volatility=0.02)
    returns = np.diff(np.log(close))
    assert own_scale(close)[2699] == pytest.approx(np.sqrt(np.mean(returns[-2520:] ** 2)), rel=1e-12)
    assert own_scale(close)[100] == pytest.approx(np.sqrt(np.mean(returns[:100] ** 2)), rel=1e-12)


def test_constant_prices_have_no_scale_and_quiet_features():
    """A price that never moved has no scale; measured in another, its features are zero."""
    close = np.full(100, 50.0)
    assert np.isnan(own_scale(close)).all()
    values = series_features(close, np.full(100, 0.01))[FIRST_LABEL:]
    assert np.array_equal(values, np.zeros_like(values))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_impossible_closes_are_refused(bad):
    """A close that is no positive number stops the room with the fix in the message."""
    close = random_close(50)
    close[30] = bad
    with pytest.raises(DataError, match="withhold the bar"):
        series_features(close, np.full(50, 0.01))


def test_evidence_of_overlapping_windows_is_discounted():
    """No feature counts for more than one session of evidence in its window, and one session for one in all."""
    assert all(feature.weight * feature.window <= 1 for feature in FEATURES)
    assert sum(feature.weight for feature in FEATURES if feature.window == 1) == pytest.approx(1)
