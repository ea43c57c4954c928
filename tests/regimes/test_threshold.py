from __future__ import annotations

import numpy as np
import polars as pl

from quant_assets.regimes.states import STATES
from quant_assets.regimes.threshold import certain, threshold_states
from tests.support.regime_markets import random_close


def slow_labels(close):
    """The two rules with Polars' rolling windows."""
    frame = pl.DataFrame({"close": close}).with_columns(pl.col("close").log().diff().alias("change"))
    frame = frame.with_columns(
        (pl.col("change") ** 2).rolling_sum(20).alias("squares"),
        pl.col("close").rolling_mean(200, min_samples=1).alias("average"),
    )
    squares, labels = frame["squares"].to_list(), []
    for t, (price, average) in enumerate(zip(close, frame["average"], strict=True)):
        if t < 20:
            labels.append(None)
            continue
        past = [value for value in squares[max(20, t - 999) : t] if value is not None]
        if past and sum(value < squares[t] for value in past) >= 0.8 * len(past):
            labels.append("high_volatility")
        else:
            labels.append("bullish" if price > 1.02 * average else "bearish" if price < 0.98 * average else "sideways")
    return labels


def test_labels_follow_the_two_rules():
    """Labels equal the rules written with another library's windows, across all four outcomes."""
    close = np.concatenate([random_close(700, seed=1), 30 * random_close(700, seed=2, volatility=0.02) / 10])
    found = [None if state < 0 else str(STATES[state]) for state in threshold_states(close)]
    assert found == slow_labels(close)
    assert set(found[20:]) == {"bullish", "bearish", "sideways", "high_volatility"}


def test_later_prices_and_the_start_row_change_nothing():
    """A label uses closes up to its session, and is the same when only the tail is asked for."""
    close = random_close(600, seed=3)
    changed = close.copy()
    changed[400:] *= 2
    assert np.array_equal(threshold_states(close)[:400], threshold_states(changed)[:400])
    assert np.array_equal(threshold_states(close, 500)[500:], threshold_states(close)[500:])


def test_constant_prices_are_sideways():
    """A price that never moves is neither volatile nor going anywhere."""
    labels = threshold_states(np.full(300, 10.0))
    assert {str(STATES[state]) for state in labels[20:]} == {"sideways"}


def test_a_rule_gives_certainty():
    """The label's probability is one, the others' zero."""
    assert certain(np.array([2, 0])).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
