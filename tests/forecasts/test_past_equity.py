import datetime as dt

import numpy as np
import polars as pl
import pytest

from quant_assets.forecasts.parameters import ForecastSettings
from quant_assets.forecasts.past_equity import equity_rows, measure_rows, stress_rows
from quant_assets.forecasts.refits import make_origin
from quant_assets.forecasts.tables import EQUITY_HISTORY, PORTFOLIO_MEASURES, STRESS_WINDOWS
from quant_assets.foundation.performance import max_drawdown, simple_returns, sortino_ratio
from tests.support.forecast_market import closes, history_of, sessions, shares, weights

WHOLE = ForecastSettings(window_sessions=1_000_000)


def whole_origin(frame, holdings):
    history = history_of(frame, holdings.symbols)
    included = np.ones(len(holdings.symbols), dtype=bool)
    return make_origin(history, holdings, len(history) - 1, included=included, settings=WHOLE), history


def path(prices_by_date):
    """One symbol whose price is interpolated between the given dates."""
    dates = sessions(1_500, dt.date(2007, 1, 3))
    days = [(date - dates[0]).days for date in dates]
    known = sorted(prices_by_date.items())
    prices = np.interp(days, [(date - dates[0]).days for date, _ in known], [price for _, price in known])
    return pl.DataFrame({"symbol": ["AA"] * len(dates), "date": dates, "close": prices})


def test_equity_is_todays_shares_at_past_prices():
    """Each past value is today's shares at that day's price plus cash, ending with today's value."""
    frame = closes(["AA", "BB"], 200)
    origin, history = whole_origin(frame, shares(50.0, AA=2, BB=-1))
    rows = equity_rows(origin)
    EQUITY_HISTORY.validate(rows)
    np.testing.assert_allclose(rows["value"], history.prices @ np.array([2.0, -1.0]) + 50.0)
    assert rows["date"].to_list() == sessions(200)


def test_measures_are_those_of_the_foundation():
    """Sortino, drawdown and the others are the shared functions on the equity history."""
    origin, _ = whole_origin(closes(["AA", "BB"], 500), weights(AA=0.7, BB=0.3))
    rows = measure_rows(origin)
    PORTFOLIO_MEASURES.validate(rows)
    figures = dict(rows.select("measure", "value").iter_rows())
    equity = origin.equity()
    assert figures["sortino"] == pytest.approx(sortino_ratio(simple_returns(equity), risk_free_rate=0.0))
    assert figures["max_drawdown"] == pytest.approx(max_drawdown(equity).depth)
    assert figures["calmar"] == pytest.approx(figures["cagr"] / abs(figures["max_drawdown"]))
    assert figures["current_value"] == pytest.approx(100_000)


def test_measures_of_a_value_below_zero_are_null():
    """Ratios of a value that was not positive do not exist; exposures do."""
    origin, _ = whole_origin(closes(["AA", "BB"], 300), shares(AA=1, BB=-10))
    figures = dict(measure_rows(origin).select("measure", "value").iter_rows())
    assert figures["sortino"] is None
    assert figures["gross_exposure"] > 0


def test_a_crisis_is_lived_through_from_its_first_day():
    """A fall to half and a recovery on a known date come out as drawn."""
    drawn = path(
        {
            dt.date(2007, 1, 3): 100.0,
            dt.date(2007, 10, 1): 100.0,
            dt.date(2008, 10, 1): 50.0,
            dt.date(2009, 3, 31): 60.0,
            dt.date(2011, 6, 1): 120.0,
            dt.date(2012, 12, 31): 120.0,
        }
    )
    origin, history = whole_origin(drawn, weights(AA=1.0))
    rows = stress_rows(origin, history)
    STRESS_WINDOWS.validate(rows.select(STRESS_WINDOWS.column_names).cast(STRESS_WINDOWS.polars_schema))
    crisis = rows.row(by_predicate=pl.col("stress_window") == "financial crisis", named=True)
    assert crisis["start_date"] == dt.date(2007, 10, 1)
    assert crisis["max_loss"] == pytest.approx(50_000)
    assert crisis["max_loss_pct"] == pytest.approx(50)
    assert crisis["trough_date"] == dt.date(2008, 10, 1)
    assert crisis["change_pct"] == pytest.approx(-40)
    prices = drawn.filter(pl.col("date") > crisis["trough_date"], pl.col("close") >= 100)
    assert crisis["recovery_date"] == prices["date"][0]
    assert crisis["proxied_share"] == 0
    assert crisis["note"] == ""


def test_windows_that_prices_do_not_reach_say_so():
    """A crisis before the first price or after the last one has a note and no figures."""
    origin, history = whole_origin(path({dt.date(2007, 1, 3): 100.0, dt.date(2012, 12, 31): 90.0}), weights(AA=1.0))
    rows = stress_rows(origin, history)
    for name in ("dot-com bust", "pandemic"):
        row = rows.row(by_predicate=pl.col("stress_window") == name, named=True)
        assert "do not reach" in row["note"]
        assert row["max_loss"] is None


def test_a_fall_that_lasts_has_no_recovery():
    """Where the high is not reached again by tonight, there is no recovery date."""
    origin, history = whole_origin(path({dt.date(2007, 1, 3): 100.0, dt.date(2012, 12, 31): 50.0}), weights(AA=1.0))
    row = stress_rows(origin, history).row(by_predicate=pl.col("stress_window") == "financial crisis", named=True)
    assert row["max_loss"] > 0
    assert row["recovery_date"] is None


def test_a_holding_not_listed_yet_moves_with_the_others():
    """Its share of the money is stated."""
    frame = closes(["AA", "BB"], 1_500, start=dt.date(2007, 1, 3))
    young = frame.filter((pl.col("symbol") == "AA") | (pl.col("date") >= dt.date(2010, 1, 4)))
    origin, history = whole_origin(young, weights(AA=0.6, BB=0.3))
    row = stress_rows(origin, history).row(by_predicate=pl.col("stress_window") == "financial crisis", named=True)
    assert row["proxied_share"] == pytest.approx(1 / 3)
