from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.signals.labels import MAX_HALT_SESSIONS, forward_labels, uniqueness_weights
from quant_assets.signals.model_spec import LabelRule
from tests.support.signal_markets import gaussian_closes, weekdays


def closes(prices: list[float], symbol: str = "A", skip: tuple[int, ...] = ()) -> pl.DataFrame:
    dates = np.delete(weekdays(len(prices) + len(skip)), skip)
    return pl.DataFrame({"symbol": symbol, "date": pl.Series(dates).cast(pl.Date), "close": prices})


def test_label_says_whether_the_return_exceeds_the_threshold():
    """A return of exactly the threshold is no event, a larger one is."""
    frame = forward_labels(closes([64.0, 80.0, 101.0, 100.0]), LabelRule(1, 0.25))
    assert frame["forward_return"].to_list()[:3] == pytest.approx([0.25, 101 / 80 - 1, 100 / 101 - 1])
    assert frame["label"].to_list() == [0.0, 1.0, 0.0, None]


def test_a_label_is_null_until_its_bar_has_closed():
    """The newest rows have neither label nor return nor maturity, and those before mature on the horizon's bar."""
    frame = forward_labels(closes([100.0 + i for i in range(10)]), LabelRule(3, 0.0))
    assert frame["label"].null_count() == frame["matures_on"].null_count() == 3
    dates = frame["date"].to_list()
    assert frame["matures_on"].to_list()[:7] == dates[3:]


def test_symbols_do_not_reach_into_each_other():
    """The last bars of one symbol do not use the first ones of the next."""
    both = pl.concat([closes([100.0] * 5, "A"), closes([300.0] * 5, "B")])
    frame = forward_labels(both, LabelRule(2, 0.0))
    assert frame["forward_return"].drop_nulls().to_list() == [0.0] * 6
    assert frame["bar_number"].to_list() == [0, 1, 2, 3, 4] * 2


@pytest.mark.parametrize(("missing", "is_labelled"), [(MAX_HALT_SESSIONS, True), (MAX_HALT_SESSIONS + 1, False)])
def test_a_long_halt_gives_no_label(missing, is_labelled):
    """A label across a halt of up to a week of sessions stands, across a longer one it does not."""
    halted = closes([100.0, 101.0, 102.0], skip=tuple(range(2, 2 + missing)))
    frame = forward_labels(halted, LabelRule(1, 0.0), weekdays(40))
    assert (frame["label"][1] is not None) is is_labelled
    assert frame["label"][0] == 1.0


def test_cutting_the_future_off_changes_no_matured_label():
    """Labels that had matured by a date are the same on a history that ends there."""
    full = gaussian_closes(3, symbols=3, sessions=120)
    cut = full["date"].unique().sort()[80]
    rule = LabelRule(5, 0.0)
    short = forward_labels(full.filter(pl.col("date") <= cut), rule).drop_nulls("label")
    long = forward_labels(full, rule).filter(pl.col("matures_on") <= cut)
    assert short.equals(long)


def slow_uniqueness(symbols, bars, horizon):
    """Average over each label's bars of one over the number of labels that use the bar."""
    weights = []
    for s, i in zip(symbols, bars, strict=True):
        shares = []
        for bar in range(i + 1, i + horizon + 1):
            concurrent = sum(t == s and k + 1 <= bar <= k + horizon for t, k in zip(symbols, bars, strict=True))
            shares.append(1 / concurrent)
        weights.append(np.mean(shares))
    return np.array(weights) / np.mean(weights)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=40, unique=True),
    horizon=st.integers(1, 6),
)
def test_uniqueness_equals_the_slow_definition(rows, horizon):
    """Weights equal the average share of each label's bars, counted one by one."""
    symbols, bars = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    found = uniqueness_weights(symbols, bars, horizon)
    assert found == pytest.approx(slow_uniqueness(symbols, bars, horizon), rel=1e-9)


def test_one_session_labels_weigh_the_same():
    """Labels of the next session never overlap, so each weighs 1."""
    assert uniqueness_weights(np.zeros(9, np.int64), np.arange(9), 1) == pytest.approx(np.ones(9))


def test_no_rows_have_no_weights():
    """An empty training part gives empty weights."""
    assert len(uniqueness_weights(np.zeros(0, np.int64), np.zeros(0, np.int64), 5)) == 0


@pytest.mark.parametrize(("horizon", "threshold"), [(0, 0.0), (253, 0.0), (5, 2.0)])
def test_impossible_events_are_refused(horizon, threshold):
    """A horizon or threshold that cannot be meant is refused with what to write instead."""
    with pytest.raises(ConfigurationError):
        LabelRule(horizon, threshold)


def test_an_unsorted_frame_is_labelled_alike():
    """Rows in any order get the labels of the sorted frame."""
    frame = gaussian_closes(1, symbols=2, sessions=30)
    assert forward_labels(frame.sample(fraction=1.0, shuffle=True, seed=1), LabelRule(2, 0.0)).equals(
        forward_labels(frame, LabelRule(2, 0.0))
    )


def test_dates_stay_dates():
    """The maturity is a date, so that it can be compared with a session."""
    frame = forward_labels(gaussian_closes(1, symbols=1, sessions=5), LabelRule(1, 0.0))
    assert isinstance(frame["matures_on"][0], dt.date)
