"""Splits, dividends and the adjusted close, each derived from the other."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.foundation.errors import DataError
from quant_assets.replay.actions import actions_by_bar, adjusted_closes, derive_actions
from quant_assets.replay.packaged import packaged_history, packaged_stock_closes
from tests.support.replay import bars_frame, dividends_frame, splits_frame

STOCKS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
FIRST = dt.date(2001, 1, 1)


def day(number):
    return FIRST + dt.timedelta(days=number)


def slowly_adjusted(bars, splits, dividends):
    """The convention as a loop: each older close is multiplied by C / (C + D) / S of every later event."""
    rows = bars.select("date", "close").rows()
    adjusted = []
    for position, (_, close) in enumerate(rows):
        factor = 1.0
        for (before, _), (date, later) in zip(rows[position:], rows[position + 1 :], strict=False):
            paid = sum(amount for ex_date, amount in dividends.rows() if before < ex_date <= date)
            ratio = np.prod([split for effective, split in splits.rows() if before < effective <= date])
            factor *= later / (later + paid) / ratio
        adjusted.append(close * factor)
    return np.array(adjusted)


@pytest.mark.parametrize("symbol", STOCKS)
def test_packaged_adjusted_closes_come_back_from_derived_actions(symbol):
    """Our adjusted close differs from the packaged one by one constant alone: its later base."""
    history = packaged_history()
    packaged = packaged_stock_closes().filter(pl.col("symbol") == symbol)["adjusted_close"].to_numpy()
    own = adjusted_closes(history.bars(symbol), history.splits(symbol), history.dividends(symbol))
    np.testing.assert_allclose(own / own[-1], packaged / packaged[-1], rtol=1e-12)
    assert own[-1] == history.bars(symbol).item(-1, "close")


def test_known_splits_are_found():
    """The 2-for-1 splits of Apple (2000, 2005) and Microsoft (2003) are public facts; the others had none."""
    found = {symbol: packaged_history().splits(symbol).rows() for symbol in STOCKS}
    assert found["AAPL"] == [(dt.date(2000, 6, 21), 2.0), (dt.date(2005, 2, 28), 2.0)]
    assert found["MSFT"] == [(dt.date(2003, 2, 18), 2.0)]
    assert found["FB"] == found["GOOG"] == found["IBM"] == []


def test_special_dividend_of_microsoft_is_a_dividend():
    """The 3.08 of 2004-11-15 (3.00 special and 0.08 regular) is cash, though it moved the factor by 11 per cent."""
    dividends = dict(packaged_history().dividends("MSFT").rows())
    assert dividends[dt.date(2004, 11, 15)] == 3.08
    assert dividends[dt.date(2003, 2, 19)] == 0.08


def test_ibm_paid_its_published_quarterly_dividends():
    """IBM's quarterly dividend was raised once a year, in the second quarter; the amounts are public."""
    raised = [0.13, 0.14, 0.15, 0.16, 0.18, 0.20, 0.30, 0.40, 0.50, 0.55, 0.65, 0.75, 0.85]
    assert packaged_history().dividends("IBM")["amount"].to_list() == [amount for amount in raised for _ in range(4)]


def test_packaged_volume_is_as_traded():
    """Apple on 2000-09-29: 7,421,640,800 shares in volumes adjusted for its later splits of 2005, 2014 and 2020.

    Those were 2, 7 and 4 for 1; undone, they give the shares traded on the day.
    """
    bars = packaged_history().bars("AAPL")
    assert bars.filter(pl.col("date") == dt.date(2000, 9, 29)).item(0, "volume") == 7_421_640_800 / (2 * 7 * 4)


def test_split_and_dividend_of_one_day_are_told_apart():
    """A 3-for-2 split on the ex-date of 0.37 leaves both."""
    bars = bars_frame({day(0): 60.0, day(1): 61.0, day(2): 40.5, day(3): 40.0})
    splits, dividends = splits_frame((day(2), 1.5)), dividends_frame((day(2), 0.37))
    adjusted = adjusted_closes(bars, splits, dividends)
    found_splits, found_dividends = derive_actions(bars.with_columns(adjusted_close=pl.Series(adjusted)))
    assert found_splits.rows() == splits.rows()
    assert found_dividends.rows() == dividends.rows()


def test_a_step_that_fits_no_ratio_is_refused():
    """A step of 1.8765 is neither a split ratio nor one with a tidy dividend, and says so."""
    closes = pl.DataFrame(
        {"date": [day(0), day(1)], "close": [50.0, 50.0], "adjusted_close": [50.0 / 1.87654321, 50.0]}
    )
    with pytest.raises(DataError, match="2001-01-02"):
        derive_actions(closes)


EVENTS = st.lists(
    st.tuples(
        st.integers(1, 38),
        st.sampled_from([1.0, 1.0, 1.5, 2.0, 3.0, 7.0, 0.1, 0.25]),
        st.sampled_from([0.0, 0.05, 0.13, 0.55, 0.85]),
    ),
    max_size=6,
    unique_by=lambda event: event[0],
)


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, seed=st.integers(0, 10_000))
def test_actions_survive_the_way_to_adjusted_closes_and_back(events, seed):
    """What adjusts the closes is what is derived from them, for dividends of up to about 3 % of the price."""
    closes = 40 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, 40)))
    bars = bars_frame({day(number): round(close, 2) for number, close in enumerate(closes.tolist())})
    splits = splits_frame(*[(day(at), ratio) for at, ratio, _ in sorted(events) if ratio != 1])
    dividends = dividends_frame(*[(day(at), paid) for at, _, paid in sorted(events) if paid])
    adjusted = adjusted_closes(bars, splits, dividends)
    np.testing.assert_allclose(adjusted, slowly_adjusted(bars, splits, dividends), rtol=1e-12)
    found_splits, found_dividends = derive_actions(bars.with_columns(adjusted_close=pl.Series(adjusted)))
    assert found_splits.rows() == splits.rows()
    assert found_dividends.rows() == dividends.rows()


def test_an_event_after_the_newest_bar_changes_nothing():
    """A split of tomorrow does not leak into today's numbers."""
    bars = bars_frame({day(0): 10.0, day(1): 11.0})
    later = adjusted_closes(bars, splits_frame((day(2), 4.0)), dividends_frame((day(3), 1.0)))
    assert later.tolist() == [10.0, 11.0]


def test_an_event_on_a_missing_day_works_from_the_next_bar():
    """Where the ex-date has no bar, the dividend is reinvested at the next close and no row shows it."""
    bars = bars_frame({day(0): 10.0, day(2): 9.0})
    dividends = dividends_frame((day(1), 1.0))
    assert adjusted_closes(bars, splits_frame(), dividends).tolist() == pytest.approx([10.0 * 9 / 10, 9.0])
    paid, split = actions_by_bar(bars, splits_frame((day(1), 2.0)), dividends)
    assert paid.tolist() == [0.0, 0.0]
    assert split.tolist() == [1.0, 1.0]


def test_actions_of_one_day_are_summed_and_multiplied():
    """Two dividends of a day are one amount, two splits one factor."""
    bars = bars_frame({day(0): 10.0, day(1): 9.0})
    paid, split = actions_by_bar(
        bars, splits_frame((day(1), 2.0), (day(1), 1.5)), dividends_frame((day(1), 0.5), (day(1), 0.25))
    )
    assert paid.tolist() == [0.0, 0.75]
    assert split.tolist() == [1.0, 3.0]
