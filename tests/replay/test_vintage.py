"""What is served at an instant."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.replay.actions import adjusted_closes
from quant_assets.replay.clock import ReplayClock
from quant_assets.replay.history import RESTATEMENTS_SCHEMA
from quant_assets.replay.packaged import packaged_history
from quant_assets.replay.synthetic.market import SyntheticHistory
from quant_assets.replay.vintage import Vintage, served_frames, vintage_of
from tests.support.replay import bars_frame, one_symbol_history


@settings(max_examples=40, deadline=None)
@given(date=st.dates(dt.date(2000, 3, 1), dt.date(2019, 1, 1)), symbol=st.sampled_from(["AAPL", "IBM", "MSFT", "SPX"]))
def test_nothing_served_is_later_than_the_vintage(date, symbol):
    """Bars and events stop at the date, and the adjusted close of the newest bar is its close."""
    frames = served_frames(packaged_history(), symbol, Vintage(date))
    assert frames.bars["date"].max() <= date
    for events in (frames.splits, frames.dividends):
        assert (events.to_series(0) <= date).all()
    assert adjusted_closes(frames.bars, frames.splits, frames.dividends)[-1] == frames.bars.item(-1, "close")


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "MSFT"])
def test_an_earlier_vintage_equals_a_history_that_ends_there(symbol):
    """Cutting the future off by hand gives the same adjusted closes as asking for the vintage."""
    history, cut = packaged_history(), dt.date(2004, 11, 12)
    served = served_frames(history, symbol, Vintage(cut))
    short = history.bars(symbol).filter(pl.col("date") <= cut)
    expected = adjusted_closes(short, history.splits(symbol), history.dividends(symbol))
    np.testing.assert_array_equal(adjusted_closes(served.bars, served.splits, served.dividends), expected)
    assert served.bars.equals(short)


def test_a_restated_bar_shows_its_earlier_values_until_the_day_it_is_restated():
    """Two fields of one bar change on different days; the other bars never do."""
    days = [dt.date(2020, 1, number) for number in range(1, 8)]
    restatements = pl.DataFrame(
        [(days[1], "close", 9.5, days[4]), (days[1], "volume", 70.0, days[5])],
        schema=RESTATEMENTS_SCHEMA,
        orient="row",
    )
    history = one_symbol_history(bars_frame(dict.fromkeys(days, 10.0)), restatements=restatements)
    seen = {
        day: served_frames(history, "TEST", Vintage(day)).bars.row(1, named=True) for day in (days[3], days[4], days[5])
    }
    assert (seen[days[3]]["close"], seen[days[3]]["volume"]) == (9.5, 70)
    assert (seen[days[4]]["close"], seen[days[4]]["volume"]) == (10.0, 70)
    assert (seen[days[5]]["close"], seen[days[5]]["volume"]) == (10.0, 1000)
    first = served_frames(history, "TEST", Vintage(days[3])).bars
    assert first.with_row_index().filter(pl.col("index") != 1)["close"].unique().to_list() == [10.0]


def test_a_running_session_is_served_only_where_asked_for():
    """At noon in New York the bar of the day is withheld, or served unfinished."""
    noon = ReplayClock(dt.datetime(2013, 3, 1, 17, tzinfo=dt.UTC))
    assert vintage_of(noon, partial_bars=False) == Vintage(dt.date(2013, 2, 28))
    running = vintage_of(noon, partial_bars=True)
    assert running.running == dt.date(2013, 3, 1)
    assert running.elapsed == pytest.approx(2.5 / 6.5)
    assert running.refreshed == "2013-03-01 12:00:00"


@pytest.mark.parametrize(("hour_utc", "is_running"), [(14, False), (15, True), (22, True), (26, False)])
def test_an_unfinished_bar_exists_from_the_open_until_the_bar_is_final(hour_utc, is_running):
    """New York opens at 14:30 UTC in winter, and the bar is final at 01:00 UTC."""
    now = dt.datetime(2013, 3, 1, tzinfo=dt.UTC) + dt.timedelta(hours=hour_utc)
    assert (vintage_of(ReplayClock(now), partial_bars=True).running is not None) == is_running


@pytest.mark.parametrize("hour_utc", [15, 17, 20, 23])
def test_an_unfinished_bar_is_consistent_and_not_final(hour_utc):
    """It starts at the final open, lies within the final range, and shows less than the final volume."""
    clock = ReplayClock(dt.datetime(2013, 3, 1, hour_utc, tzinfo=dt.UTC))
    history = packaged_history()
    for symbol in ("AAPL", "IBM", "SPX"):
        partial = served_frames(history, symbol, vintage_of(clock, partial_bars=True)).bars.row(-1, named=True)
        final = history.bars(symbol).filter(pl.col("date") == dt.date(2013, 3, 1)).row(0, named=True)
        assert partial["date"] == final["date"]
        assert partial["open"] == final["open"]
        assert final["low"] <= partial["low"] <= min(partial["open"], partial["close"])
        assert max(partial["open"], partial["close"]) <= partial["high"] <= final["high"]
        assert 0 < partial["volume"] < final["volume"]


def test_a_forced_unfinished_bar_exists_on_a_day_without_one():
    """For fault injection the bar of a Saturday is made from Friday's."""
    clock = ReplayClock.after(dt.date(2013, 3, 1))
    vintage = vintage_of(clock, partial_bars=False, forced=True)
    bars = served_frames(packaged_history(), "IBM", vintage, invent=True).bars
    assert bars["date"].tail(2).to_list() == [dt.date(2013, 3, 1), dt.date(2013, 3, 2)]


def test_restatements_of_the_synthetic_market_are_served_at_both_vintages():
    """Each planted restatement is seen with its earlier value first and with the final one later."""
    history = SyntheticHistory(seed=3, symbols=6, years=8)
    truth = history.truth().restatements.filter(pl.col("restated_on") <= history.last_session)
    assert truth.height > 0
    for symbol, date, field, earlier, restated_on in truth.rows():
        before = served_frames(history, symbol, Vintage(restated_on - dt.timedelta(days=1))).bars
        after = served_frames(history, symbol, Vintage(restated_on)).bars
        assert before.filter(pl.col("date") == date).item(0, field) == earlier
        final = history.bars(symbol).filter(pl.col("date") == date).item(0, field)
        assert after.filter(pl.col("date") == date).item(0, field) == final != earlier
