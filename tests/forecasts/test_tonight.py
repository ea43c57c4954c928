import datetime as dt

import numpy as np
import polars as pl
import pytest

from quant_assets.forecasts.history import price_history
from quant_assets.forecasts.record import Record
from quant_assets.forecasts.refits import fit_table
from quant_assets.forecasts.tables import COMPONENT_VAR, MODEL_CHOICES, PORTFOLIO_FORECASTS, POSITIONS
from quant_assets.forecasts.tonight import forecast_tonight
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import DataError
from tests.support.forecast_market import QUICK, closes, history_of, judged_market, sessions, shares, weights

EMPTY = Record.empty(QUICK.horizon_days)


@pytest.fixture(scope="module")
def tonight():
    frame, holdings, extension = judged_market()
    history = history_of(frame, holdings.symbols)
    return forecast_tonight(history, holdings, extension.record, fit_table(extension.new_fits), QUICK)


def column(rows, name, **where):
    return rows.filter(*(pl.col(key) == value for key, value in where.items())).sort("horizon_days")[name].to_numpy()


def test_every_model_forecasts_every_horizon(tonight):
    """Five models, ten horizons, rows that fit the declared tables, one model served."""
    rows = tonight.forecasts
    assert rows.height == 5 * QUICK.horizon_days
    assert rows.filter("is_selected")["model"].n_unique() == 1
    assert rows.filter("is_selected").height == QUICK.horizon_days
    for table, frame in (
        (PORTFOLIO_FORECASTS, rows),
        (MODEL_CHOICES, tonight.choices),
        (COMPONENT_VAR, tonight.components),
        (POSITIONS, tonight.positions),
    ):
        table.validate(frame.select(table.column_names).cast(table.polars_schema))


def test_targets_are_the_sessions_to_come(tonight):
    """The horizon counts exchange sessions, also beyond the last price."""
    last = tonight.forecasts["as_of"][0]
    targets = tonight.forecasts.filter("is_selected").sort("horizon_days")["target_date"].to_list()
    assert targets == [new_york_calendar().shift(last, ahead) for ahead in range(1, QUICK.horizon_days + 1)]


def test_risk_figures_follow_from_the_distribution(tonight):
    """VaR is the distance to the quantile, CVaR lies beyond it, per cent are of the value, drawdowns grow in time."""
    rows = tonight.forecasts
    assert (rows["p01"] <= rows["p05"]).all()
    assert (rows["p05"] <= rows["p50"]).all()
    assert (rows["p50"] <= rows["p95"]).all()
    np.testing.assert_allclose(rows["var_95"], rows["current_value"] - rows["p05"])
    np.testing.assert_allclose(rows["var_99"], rows["current_value"] - rows["p01"])
    assert (rows["cvar_95"] >= rows["var_95"]).all()
    assert (rows["cvar_99"] >= rows["var_99"]).all()
    assert (rows["cvar_99"] >= rows["cvar_95"]).all()
    np.testing.assert_allclose(rows["var_95_pct"], 100 * rows["var_95"] / rows["current_value"])
    drawdowns = column(rows, "drawdown_05_probability", model="filtered_simulation")
    assert (np.diff(drawdowns) >= 0).all()
    assert rows.filter(pl.col("model") == "prophet")["drawdown_05_probability"].null_count() == QUICK.horizon_days


def test_components_sum_to_the_served_risk(tonight):
    """At each horizon with components they sum to the VaR and CVaR of the served model."""
    served = tonight.forecasts.filter("is_selected").select("horizon_days", "var_95", "cvar_95")
    sums = tonight.components.group_by("horizon_days").agg(pl.col("component_var_95", "component_cvar_95").sum())
    both = sums.join(served, on="horizon_days")
    assert both.height == 3
    np.testing.assert_allclose(both["component_var_95"], both["var_95"])
    np.testing.assert_allclose(both["component_cvar_95"], both["cvar_95"])


def test_the_same_night_twice_is_the_same():
    """Seeds, dates and data decide everything."""
    frame, holdings, extension = judged_market()
    history, fits = history_of(frame, holdings.symbols), fit_table(extension.new_fits)
    one, two = (forecast_tonight(history, holdings, extension.record, fits, QUICK) for _ in range(2))
    assert one.forecasts.equals(two.forecasts)
    assert one.components.equals(two.components)


def test_a_holding_with_thirty_bars_is_forecast_and_said_so():
    """One young holding alone gets the random walk, with the reasons of the models that could not."""
    frame = closes(["AA"], 30)
    made = forecast_tonight(history_of(frame, ["AA"]), weights(AA=1.0), EMPTY, {}, QUICK)
    assert made.forecasts["model"].unique().to_list() == ["random_walk"]
    assert made.forecasts["is_selected"].all()
    reasons = dict(made.choices.filter(~pl.col("is_available")).select("model", "reason").iter_rows())
    assert set(reasons) == {"block_bootstrap", "filtered_simulation", "prophet", "blend"}
    assert reasons["block_bootstrap"] == "29 returns of the holdings are known, 250 are needed"
    assert made.components["method"].unique().to_list() == ["normal"]


def test_a_young_holding_beside_an_old_one_is_never_dropped():
    """Thirty bars beside a long history: every model forecasts, the position is there with its rule."""
    frame = closes(["AA", "BB"], 560)
    young = frame.filter((pl.col("symbol") == "AA") | (pl.col("date") >= sessions(560)[530]))
    made = forecast_tonight(history_of(young, ["AA", "BB"]), weights(AA=0.5, BB=0.5), EMPTY, {}, QUICK)
    assert made.choices["is_available"].all()
    position = made.positions.row(by_predicate=pl.col("symbol") == "BB", named=True)
    assert position["value"] == 50_000
    assert position["sessions"] == 30
    assert position["history_rule"].endswith("follow the other holdings")
    assert set(made.components["symbol"]) == {"AA", "BB"}


def test_too_little_history_says_what_to_do():
    """With ten bars nothing can be said, and the message says how many are needed."""
    with pytest.raises(DataError, match="9 returns of the holdings are known, 20 are needed; fetch more history"):
        forecast_tonight(history_of(closes(["AA"], 10), ["AA"]), weights(AA=1.0), EMPTY, {}, QUICK)


def test_a_value_below_zero_has_no_percentage():
    """Short more than owned: quantiles in currency stay in order, per cent and drawdowns are null."""
    frame = closes(["AA", "BB"], 400)
    made = forecast_tonight(history_of(frame, ["AA", "BB"]), shares(AA=1.0, BB=-5.0), EMPTY, {}, QUICK)
    assert made.forecasts["current_value"][0] < 0
    assert made.forecasts["var_95_pct"].null_count() == made.forecasts.height
    assert made.forecasts["drawdown_05_probability"].null_count() == made.forecasts.height
    assert "prophet" not in made.forecasts["model"].to_list()
    assert (made.forecasts["p05"] < made.forecasts["p95"]).all()


def test_a_short_position_loses_when_the_price_rises():
    """A pure short has its heavy tail where the price goes up, and its drift points down."""
    frame = closes(["AA"], 600)
    history = history_of(frame, ["AA"])
    price = history.prices[-1, 0]
    long = forecast_tonight(history, shares(AA=100 / price), EMPTY, {}, QUICK).forecasts
    short = forecast_tonight(history, shares(200.0, AA=-100 / price), EMPTY, {}, QUICK).forecasts
    ours, theirs = (column(rows, "p50", model="filtered_simulation") for rows in (short, long))
    np.testing.assert_allclose(ours, 200 - theirs, rtol=1e-9)


def test_long_only_never_falls_below_its_cash():
    """Corrections cannot push a quantile below what is not invested."""
    frame, holdings, extension = judged_market()
    wild = Record(
        extension.record.sessions, extension.record.raw, extension.record.corrected, extension.record.realised * 50
    )
    made = forecast_tonight(history_of(frame, holdings.symbols), holdings, wild, {}, QUICK).forecasts
    assert made["p01"].min() >= 0
    assert made["cvar_99"].max() <= 100_000 + 1e-6


def test_a_price_withheld_yesterday_is_seen():
    """Without tonight's bar the holding is valued at the last one, and its age is stored."""
    frame = closes(["AA", "BB"], 400)
    last = frame["date"].max()
    withheld = frame.filter(~((pl.col("symbol") == "BB") & (pl.col("date") == last)))
    history = price_history(withheld, ["AA", "BB"], new_york_calendar(), last)
    made = forecast_tonight(history, shares(AA=10, BB=10), EMPTY, {}, QUICK)
    position = made.positions.row(by_predicate=pl.col("symbol") == "BB", named=True)
    assert position["stale_sessions"] == 1
    assert position["last_bar"] == sessions(400)[-2]
    assert position["value"] == pytest.approx(10 * history.prices[-2, 1])


def test_cash_alone_beside_nothing_that_moves_has_no_risk():
    """A holding whose price never moves has no loss at any level, and nothing divides by zero."""
    dates = sessions(320)
    frame = pl.DataFrame({"symbol": ["AA"] * 320, "date": dates, "close": [10.0] * 320})
    made = forecast_tonight(history_of(frame, ["AA"]), shares(cash=90, AA=1), EMPTY, {}, QUICK)
    walk = made.forecasts.filter(pl.col("model") == "random_walk")
    np.testing.assert_allclose(walk["p05"], 100.0)
    np.testing.assert_allclose(walk["var_95"], 0.0, atol=1e-9)
    assert dt.date(2006, 1, 3) in dates
