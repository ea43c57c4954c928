import re
import xml.etree.ElementTree as ET

import numpy as np
import polars as pl
import pytest

from quant_assets.forecasts.charts import calibration_chart, fan_chart, past_fan
from quant_assets.forecasts.evaluation import evaluate, pit_histograms
from quant_assets.forecasts.record import record_rows
from quant_assets.forecasts.refits import fit_table
from quant_assets.forecasts.tonight import forecast_tonight
from quant_assets.foundation.calendar import new_york_calendar
from tests.support.forecast_market import QUICK, history_of, judged_market

SESSIONS = new_york_calendar().sessions


@pytest.fixture(scope="module")
def parts():
    frame, holdings, extension = judged_market()
    history = history_of(frame, holdings.symbols)
    tonight = forecast_tonight(history, holdings, extension.record, fit_table(extension.new_fits), QUICK)
    dates = frame["date"].unique().sort()
    equity = pl.DataFrame({"date": dates, "value": np.linspace(90_000.0, 100_000.0, len(dates))})
    return tonight.forecasts, equity, record_rows(extension.record, SESSIONS)


def words(svg):
    return " ".join(text for element in ET.fromstring(svg).iter() if (text := element.text))  # noqa: S314 - our own


def test_the_fan_says_what_it_shows(parts):
    """The picture names the night, the model, the band and the risk, and shows the last complete forecast beside it."""
    forecasts, equity, rows = parts
    served = forecasts.filter("is_selected").sort("horizon_days")
    picture = fan_chart(equity, forecasts, past_fan(rows, equity, model=served["model"][0], base_value=100_000.0))
    text = words(picture.svg)
    assert f"Portfolio forecast of {served['as_of'][0]}" in text
    assert f"VaR 95 {served['var_95'][-1]:,.0f}" in text
    assert "Forecast of" in text.replace("Portfolio forecast of", "")


def test_the_page_opens_without_a_network(parts):
    """The HTML carries its scripts: no script is loaded from elsewhere."""
    forecasts, equity, rows = parts
    picture = fan_chart(equity, forecasts, past_fan(rows, equity, model="blend", base_value=100_000.0))
    assert not re.search(r"<script[^>]+src=", picture.html)
    assert len(picture.html) > 100_000


def test_the_past_fan_starts_where_the_portfolio_stood(parts):
    """It begins on the newest origin with every outcome known, at that day's value, and ends with what happened."""
    _, equity, rows = parts
    past = past_fan(rows, equity, model="random_walk", base_value=100_000.0)
    origins = (
        rows.filter(pl.col("model") == "random_walk")
        .group_by("origin_date")
        .agg(pl.col("realised_change").null_count().alias("open"))
    )
    newest = origins.filter(pl.col("open") == 0)["origin_date"].max()
    assert past["date"][0] == newest
    start = equity.filter(pl.col("date") == newest)["value"][0]
    assert past.row(0)[1:] == (start,) * 4
    assert past.height == QUICK.horizon_days + 1
    last = rows.filter(
        pl.col("model") == "random_walk", pl.col("origin_date") == newest, pl.col("horizon_days") == QUICK.horizon_days
    )["realised_change"][0]
    assert past["realised"][-1] == pytest.approx(start + 100_000 * last)


def test_a_first_night_has_no_past_fan(parts):
    """Without a complete forecast the fan stands alone."""
    forecasts, equity, rows = parts
    nothing = past_fan(rows.head(0), equity, model="blend", base_value=1.0)
    assert nothing.is_empty()
    assert "Forecast of" not in words(fan_chart(equity, forecasts, nothing).svg)


def test_the_calibration_shows_every_model():
    """Each model has its line and each asked horizon its histogram."""
    _, _, extension = judged_market()
    served = np.zeros(len(extension.record.sessions), dtype=np.int64)
    table = evaluate(extension.record, served, SESSIONS, origin_step=5)
    picture = calibration_chart(table, pit_histograms(extension.record, served), horizons=(1, 5))
    text = words(picture.svg)
    for name in ("random_walk", "block_bootstrap", "filtered_simulation", "prophet", "blend", "selected"):
        assert name in text
    assert text.count("tenth of the forecast") == 2
