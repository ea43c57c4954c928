from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.regimes.chart import COLOURS, regime_bands, regime_chart
from quant_assets.regimes.states import PROBABILITY_COLUMNS, STATES
from tests.support.regime_markets import random_close, series_frame


@pytest.fixture(scope="module")
def rows():
    """A hundred sessions of each state."""
    closes = series_frame("SPX", random_close(400))
    labels = [str(state) for state in STATES for _ in range(100)]
    probabilities = {
        name: [0.7 if label == str(state) else 0.1 for label in labels]
        for name, state in zip(PROBABILITY_COLUMNS, STATES, strict=True)
    }
    return pl.DataFrame({"date": closes["date"], "regime": labels, **probabilities})


def test_bands_are_runs_of_one_label():
    """Bands cover the history without gaps, each from its first session to the next band's."""
    days = [dt.date(2000, 1, 3) + dt.timedelta(days=i) for i in range(5)]
    labels = ["bullish", "bullish", "bearish", "bullish", "bullish"]
    bands = regime_bands(pl.DataFrame({"date": days, "regime": labels}))
    assert bands.rows() == [
        (days[0], days[2], "bullish", 2),
        (days[2], days[3], "bearish", 1),
        (days[3], days[4], "bullish", 2),
    ]


def test_chart_shows_every_regime_and_needs_no_network(rows):
    """The SVG holds each regime's colour and name; the HTML carries its scripts with it."""
    closes = series_frame("SPX", random_close(400)).select("date", "close")
    picture = regime_chart(closes, rows, "SPX")
    assert all(colour in picture.svg for colour in COLOURS.values())
    assert all(str(state).replace("_", " ") in picture.svg for state in STATES)
    assert "SPX: regime as it was known after each close" in picture.svg
    assert "<script src=" not in picture.html
    assert "vegaEmbed" in picture.html


def test_chart_of_a_single_session_can_be_drawn(rows):
    """The first night has one row, and a picture."""
    closes = series_frame("SPX", random_close(400)).select("date", "close")
    assert regime_chart(closes.head(1), rows.head(1), "SPX").svg.startswith("<svg")
