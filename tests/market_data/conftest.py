"""Frames that several tests of this room share."""

from __future__ import annotations

import datetime as dt
import gzip
from importlib.resources import files

import polars as pl
import pytest
from hypothesis import settings

from quant_assets.foundation.calendar import TradingCalendar, new_york_calendar

# The same examples on every run, and no clock: a busy machine is no failure.
settings.register_profile("market_data", deadline=None, derandomize=True)
settings.load_profile("market_data")


@pytest.fixture(scope="session")
def calendar() -> TradingCalendar:
    return new_york_calendar()


@pytest.fixture(scope="session")
def packaged_bars() -> pl.DataFrame:
    """AAPL, FB, GOOG, IBM, MSFT 2000-03 to 2013-03: as traded, with the adjusted close of 2013-03-01."""
    text = gzip.decompress(files("bokeh_sampledata").joinpath("_data/stocks.csv.gz").read_bytes())
    return (
        pl.read_csv(text, try_parse_dates=True)
        .rename({"Ticker": "symbol", "Adj Close": "adjusted_close"})
        .rename(str.lower)
        .sort("symbol", "date")
    )


@pytest.fixture
def no_actions() -> pl.DataFrame:
    """An empty market_data.corporate_actions."""
    return pl.DataFrame(
        schema={
            "symbol": pl.String,
            "effective_date": pl.Date,
            "kind": pl.String,
            "value": pl.Float64,
            "source": pl.String,
            "first_seen_at": pl.Datetime("us", "UTC"),
        }
    )


@pytest.fixture
def seen_at() -> dt.datetime:
    return dt.datetime(2013, 3, 2, 11, 0, tzinfo=dt.UTC)
