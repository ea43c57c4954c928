"""Prophet's expectation of the log price."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging

import numpy as np
import polars as pl
import pytest

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.quality.prophet_detector import ProphetSettings, due_prophet_tasks, fit_prophets
from quant_assets.quality.scan_detectors import prophet_scores

SETTINGS = ProphetSettings(window_bars=200, minimum_bars=120)
CALENDAR = new_york_calendar()


def trending(symbol="S0", sessions=260, *, slope=0.001, noise=0.002, seed=0):
    """Log prices on a straight line in calendar days, with a little noise."""
    dates = CALENDAR.sessions_between(dt.date(2010, 1, 4), dt.date(2012, 12, 31))[:sessions]
    days = np.array([(date - dates[0]).days for date in dates])
    level = 3.0 + slope * days + np.random.default_rng(seed).normal(0, noise, sessions)
    return pl.DataFrame({"symbol": [symbol] * sessions, "date": dates, "close": np.exp(level)}).with_columns(
        pl.lit(1.0).alias("price_factor"), pl.lit(0.01).alias("volatility_1d")
    )


def tasks_for(bars, dates, settings=SETTINGS):
    wanted = bars.filter(pl.col("date").is_in(dates)).select("symbol", "date")
    return due_prophet_tasks(bars, wanted, CALENDAR, settings)


@pytest.fixture(scope="module")
def task():
    bars = trending()
    (task,) = tasks_for(bars, bars["date"].to_list()[-1:])
    return task


def test_the_trend_of_a_straight_line_is_found(task):
    """The expected step per session is the slope times the days between sessions."""
    (fit,) = fit_prophets([task])
    assert fit.fit.status == "fitted"
    assert fit.predictions["date"].to_list() == list(task.sessions)
    days = np.diff([task.dates[-1].toordinal(), *(date.toordinal() for date in task.sessions)])
    assert fit.predictions["step"].to_numpy() == pytest.approx(0.001 * days, abs=5e-4)


def test_a_fit_sees_only_bars_before_its_refit_date(task):
    """The window ends before the refit date and holds the stated number of bars."""
    assert max(task.dates) < task.refit_date == task.sessions[0]
    assert len(task.dates) == 200
    assert len(task.sessions) == 60


def test_refit_dates_do_not_depend_on_the_history():
    """A longer history, or another first bar to score, has the same refit dates; symbols are staggered."""
    bars = trending(sessions=400)
    everything = {task.refit_date for task in tasks_for(bars, bars["date"].to_list())}
    last = {task.refit_date for task in tasks_for(bars.tail(150), bars["date"].to_list()[-1:])}
    assert last <= everything
    other = trending("S1", sessions=400)
    assert everything.isdisjoint(task.refit_date for task in tasks_for(other, other["date"].to_list()))


def test_the_same_task_gives_the_same_predictions(task):
    """Same window, same seed, same predictions, also on two threads."""
    first, second = fit_prophets([task, task], workers=2)
    assert first.predictions.equals(second.predictions)


def test_too_short_a_history_is_a_recorded_failure():
    """A symbol with 20 bars has no fit, no prediction, and a record that says why."""
    bars = trending(sessions=20)
    fits = fit_prophets(tasks_for(bars, bars["date"].to_list()[-1:]))
    assert [(fit.fit.status, len(fit.predictions)) for fit in fits] == [("failed", 0)]
    assert fits[0].fit.reason.endswith("bars, 120 needed")


def test_a_fit_that_breaks_is_a_recorded_failure(task):
    """What the library raises becomes the reason; the other fits still run."""
    bad = dataclasses.replace(task, log_close=task.log_close[:-1])
    fits = fit_prophets([bad, task])
    assert [fit.fit.status for fit in fits] == ["failed", "fitted"]
    assert fits[0].fit.reason
    assert fits[0].predictions.is_empty()


def test_bad_bars_do_not_enter_a_fit():
    """A bar shifted a hundredfold is left out of the window; the level after a missed split comes back in."""
    bars = trending(noise=0.0).with_row_index()
    shifted = bars.with_columns(
        pl.when(pl.col("index") == 230).then(pl.col("close") * 100).otherwise("close").alias("close")
    )
    split = bars.with_columns(
        pl.when(pl.col("index") >= 150).then(pl.col("close") / 2).otherwise("close").alias("close")
    )
    last = bars["date"].to_list()[-1:]
    (one,) = tasks_for(shifted.drop("index"), last)
    assert one.log_close.max() < 5
    (other,) = tasks_for(split.drop("index"), last)
    assert len(one.dates) >= 198
    assert len(other.dates) >= 190


def test_the_score_is_the_change_of_the_residual():
    """Return less expected steps, over volatility and root of sessions, less the market, over the turbulence."""
    rows = pl.DataFrame(
        {
            "return_log": [0.05, 0.05, 0.05],
            "sessions_since": [1, 4, 1],
            "volatility_1d": [0.01, 0.01, 0.01],
            "market_zscore": [1.0, -1.0, 0.0],
            "turbulence": [1.0, 2.0, 1.0],
            "expected_step": [0.01, 0.005, None],
        }
    )
    assert prophet_scores(rows).to_list() == pytest.approx([3.0, 0.75, None])


def test_the_libraries_are_silent(task, caplog, capfd):
    """A fit prints nothing: thousands of them run in a back-scan."""
    with caplog.at_level(logging.DEBUG):
        fit_prophets([task])
    printed = capfd.readouterr()
    assert not [record for record in caplog.records if record.name.startswith(("cmdstanpy", "prophet"))]
    assert printed.out + printed.err == ""
