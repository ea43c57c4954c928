from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.regimes.chart import COLOURS, regime_bands, regime_chart
from quant_assets.regimes.states import PROBABILITY_COLUMNS, STATES
from quant_assets.regimes.threshold import THRESHOLD_VERSION
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
    versions = [THRESHOLD_VERSION] * 150 + ["regime-market-2000-09"] * 250
    return pl.DataFrame({"date": closes["date"], "regime": labels, **probabilities, "model_version": versions})


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


def test_chart_says_where_models_take_over(rows):
    """A line with words stands where the rule's labels end; a history of models alone has none."""
    closes = series_frame("SPX", random_close(400)).select("date", "close")
    assert "models from here" in regime_chart(closes, rows, "SPX").svg
    assert "models from here" not in regime_chart(closes, rows[200:], "SPX").svg


def test_thinned_price_keeps_its_lows():
    """However long the history, its lowest close and its last are drawn at their height."""
    closes = series_frame("SPX", random_close(5000)).select("date", "close").with_row_index("row")
    closes = closes.with_columns(pl.when(pl.col("row") == 3001).then(1.234).otherwise("close").alias("close"))
    closes = closes.drop("row")
    rows = closes.select(
        "date", pl.lit("bullish").alias("regime"), *(pl.lit(0.25).alias(p) for p in PROBABILITY_COLUMNS)
    )
    picture = regime_chart(closes, rows.with_columns(pl.lit("regime-market-2000-09").alias("model_version")), "SPX")
    assert '"close":1.234' in picture.html.replace(" ", "")
    assert f'"date":"{closes["date"][-1]}"' in picture.html.replace(" ", "")
    assert picture.html.count('"close":') < 2000


def test_chart_of_a_single_session_can_be_drawn(rows):
    """The first night has one row, and a picture."""
    closes = series_frame("SPX", random_close(400)).select("date", "close")
    assert regime_chart(closes.head(1), rows.head(1), "SPX").svg.startswith("<svg")
