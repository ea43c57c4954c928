"""The packaged history: what it covers and that its bars are sound."""

import datetime as dt

import polars as pl
import pytest

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import ConfigurationError
from quant_assets.replay.packaged import PACKAGED_TODAY, _packaged_file, packaged_history

SPANS = {
    "AAPL": (dt.date(2000, 3, 1), dt.date(2013, 3, 1)),
    "FB": (dt.date(2012, 5, 18), dt.date(2013, 3, 1)),
    "GOOG": (dt.date(2004, 8, 19), dt.date(2013, 3, 1)),
    "IBM": (dt.date(2000, 3, 1), dt.date(2013, 3, 1)),
    "MSFT": (dt.date(2000, 3, 1), dt.date(2013, 3, 1)),
    "SPX": (dt.date(1999, 1, 4), dt.date(2018, 12, 31)),
    "IXIC": (dt.date(1999, 1, 4), dt.date(2018, 12, 31)),
}


@pytest.mark.parametrize("symbol", SPANS)
def test_every_session_of_the_span_has_a_bar(symbol):
    """From listing to the last session, the bars are exactly the exchange's sessions."""
    dates = packaged_history().bars(symbol)["date"].to_list()
    assert (dates[0], dates[-1]) == SPANS[symbol]
    assert dates == new_york_calendar().sessions_between(*SPANS[symbol])


@pytest.mark.parametrize("symbol", SPANS)
def test_bars_are_consistent_and_have_the_vendors_decimals(symbol):
    """Low, open, close, high are in order, positive, and have at most four decimals."""
    bars = packaged_history().bars(symbol)
    assert (bars["high"] >= bars.select(pl.max_horizontal("open", "close", "low")).to_series()).all()
    assert (bars["low"] <= bars.select(pl.min_horizontal("open", "close")).to_series()).all()
    assert (bars["low"] > 0).all()
    for price in ("open", "high", "low", "close"):
        assert (bars[price] == bars[price].round(4)).all()


def test_the_clock_stands_after_the_last_stock_session():
    """The indices reach further than the stocks; the default today does not."""
    history = packaged_history()
    assert history.last_session == PACKAGED_TODAY == dt.date(2013, 3, 1)
    assert history.identity == "packaged"
    assert history.symbols() == tuple(SPANS)
    assert history.listing("FB").listed_on == dt.date(2012, 5, 18)


def test_a_missing_package_is_named():
    """The message says which package to install."""
    with pytest.raises(ConfigurationError, match="pip install no_such_package"):
        _packaged_file("no_such_package", "data.csv.gz")
