"""Measures of a bar against its past and the market."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.quality.bar_measures import HISTORY_BARS, MEASURES, bar_measures, measured_against
from tests.support.quality_panels import changed, made_up_bars


def measured(bars):
    with_factors = bars.with_columns(pl.lit(1.0).alias("price_factor"), pl.lit(1.0).alias("volume_factor"))
    return bar_measures(with_factors, new_york_calendar())


def one(measures, symbol, date):
    return measures.filter((pl.col("symbol") == symbol) & (pl.col("date") == date)).row(0, named=True)


@pytest.fixture(scope="module")
def bars():
    return made_up_bars(symbols=5, sessions=200)


@pytest.fixture(scope="module")
def measures(bars):
    return measured(bars)


def test_measures_agree_with_a_slow_version(bars, measures):
    """Return, volatility, range, volume and excursion of one bar equal the definitions written out."""
    own = bars.filter(pl.col("symbol") == "S2")
    row = 150
    close, high, low = (own[name].to_numpy() for name in ("close", "high", "low"))
    returns = np.diff(np.log(close))
    volatility = 1.4826 * np.median(np.abs(returns[row - 1 - 63 : row - 1]))
    log_volume = np.log(own["volume"].to_numpy())
    ratios = np.array([log_volume[i] - np.median(log_volume[i - 63 : i]) for i in range(63, row + 1)])
    ranges = np.log(high / low)
    found = one(measures, "S2", own["date"][row])
    assert found["return_log"] == pytest.approx(returns[row - 1])
    assert found["volatility_1d"] == pytest.approx(volatility)
    assert found["return_zscore"] == pytest.approx(returns[row - 1] / volatility)
    assert found["range_zscore"] == pytest.approx(np.log(ranges[row] / np.median(ranges[row - 63 : row])))
    assert found["volume_log_ratio"] == pytest.approx(ratios[-1])
    assert found["volume_scale"] == pytest.approx(1.4826 * np.median(np.abs(ratios[-64:-1])))
    beyond = max(
        np.log(high[row] / max(close[row], close[row - 1])), np.log(min(close[row], close[row - 1]) / low[row]), 0
    )
    assert found["excursion_zscore"] == pytest.approx(beyond / volatility / found["turbulence"])


def test_the_market_is_the_median_of_the_others(bars, measures):
    """The market's part and the turbulence come from the other symbols of the session alone."""
    date = bars["date"][150]
    day = measures.filter(pl.col("date") == date).sort("symbol")
    own = one(measures, "S1", date)
    others = day.filter(pl.col("symbol") != "S1")
    assert own["market_zscore"] == pytest.approx(np.median(others["return_zscore"]))
    assert own["turbulence"] == pytest.approx(max(1.0, np.exp(np.median(others["range_zscore"])) / 1.5))


def test_nothing_looks_ahead(bars, measures):
    """Measures of the first 150 sessions are the same, to the last digit, without the sessions after them."""
    last = bars["date"].unique().sort()[149]
    early = measured(bars.filter(pl.col("date") <= last))
    assert early.equals(measures.filter(pl.col("date") <= last))


def test_a_bar_needs_no_more_history_than_stated(bars, measures):
    """With the stated number of earlier bars a measure is what it is with all of them."""
    dates = bars["date"].unique().sort()
    late = measured(bars.filter(pl.col("date") >= dates[len(dates) - 1 - HISTORY_BARS]))
    for symbol in ("S0", "S4"):
        assert one(late, symbol, dates[-1]) == one(measures, symbol, dates[-1])


def test_a_day_on_which_everything_moves_accuses_nobody(bars):
    """A common fall of ten per cent leaves small residuals; the same fall of one symbol alone does not."""
    date = bars["date"][150]
    fall = (pl.col("date") >= date, 0.9)
    prices = ("open", "high", "low", "close")
    common = bars.with_columns(
        pl.when(fall[0]).then(pl.col(name) * fall[1]).otherwise(name).alias(name) for name in prices
    )
    alone = bars.with_columns(
        pl.when(fall[0] & (pl.col("symbol") == "S3")).then(pl.col(name) * fall[1]).otherwise(name).alias(name)
        for name in prices
    )
    assert measured(common).filter(pl.col("date") == date)["residual_zscore"].abs().max() < 3
    assert one(measured(alone), "S3", date)["residual_zscore"] < -5


def test_a_wrong_bar_of_one_symbol_does_not_accuse_the_others(bars, measures):
    """An index shifted a hundredfold leaves the residuals of sound bars no larger than they were."""
    date = bars["date"][150]
    wrong = changed(bars, "S0", date, **{n: pl.col(n) * 100 for n in ("open", "high", "low", "close")})
    before, after = (
        frame.filter((pl.col("date") == date) & (pl.col("symbol") != "S0"))["residual_zscore"].abs().max()
        for frame in (measures, measured(wrong))
    )
    assert after < before + 1.5


def test_a_universe_of_one_symbol_has_no_market(bars):
    """Without other symbols nothing is excused: the residual is the plain z-score."""
    alone = measured(bars.filter(pl.col("symbol") == "S0")).drop_nulls("residual_zscore")
    assert alone["market_zscore"].null_count() == len(alone)
    assert (alone["residual_zscore"] - alone["return_zscore"]).abs().max() == 0.0


def test_a_young_symbol_has_no_measures(bars):
    """With fewer than 20 earlier returns nothing is said about size; with volume nothing before 20 volumes."""
    young = measured(bars.filter(pl.col("date") <= bars["date"][19]))
    assert young["residual_zscore"].null_count() == len(young)
    assert young["volume_zscore"].null_count() == len(young)


def test_a_day_without_a_volume_feed_has_no_volume_score(bars):
    """A zero or missing volume gives null, never a score, and the prices are measured as ever."""
    date, other = bars["date"][150], bars["date"][151]
    silent = changed(changed(bars, "S1", date, volume=0), "S1", other, volume=None)
    found = measured(silent)
    for day in (date, other):
        assert one(found, "S1", day)["volume_zscore"] is None
        assert one(found, "S1", day)["residual_zscore"] is not None


def test_a_hole_widens_the_scale(bars):
    """After a hole the move is judged against the sessions that passed: the scale grows with their root."""
    dates = bars["date"].unique().sort()
    holed = bars.filter(~((pl.col("symbol") == "S1") & pl.col("date").is_between(dates[140], dates[142])))
    found = one(measured(holed), "S1", dates[143])
    assert found["sessions_since"] == 4
    assert found["return_zscore"] == pytest.approx(found["return_log"] / found["volatility_1d"] / 2)


def test_a_split_with_its_factor_leaves_the_measures_alone(bars, measures):
    """Prices halved and volume doubled, with the factors that undo it, measure as before."""
    date = bars["date"][150]
    later = pl.col("date") >= date
    prices = ("open", "high", "low", "close")
    split = bars.with_columns(
        *(pl.when(later).then(pl.col(name) / 2).otherwise(name).alias(name) for name in prices),
        pl.when(later).then(pl.col("volume") * 2).otherwise("volume").alias("volume"),
        pl.when(later).then(1.0).otherwise(0.5).alias("price_factor"),
        pl.when(later).then(1.0).otherwise(2.0).alias("volume_factor"),
    )
    found = bar_measures(split, new_york_calendar())
    for name in set(MEASURES) - {"level", "session_number"}:
        difference = (found[name] - measures[name]).abs().max()
        assert difference == pytest.approx(0.0, abs=1e-9), name


def test_a_bar_after_a_withheld_one_is_measured_against_the_accepted_one(bars, measures):
    """Taking another reference gives the measures of a history without the bar between, its scales kept."""
    dates = bars["date"].unique().sort()
    wrong = changed(bars, "S1", dates[150], **{n: pl.col(n) * 10 for n in ("open", "high", "low", "close")})
    found = measured(wrong)
    references = pl.DataFrame({"symbol": ["S1"], "date": [dates[151]], "reference_date": [dates[149]]})
    rows = measured_against(found.filter(pl.col("date") == dates[151]), references, found)
    assert rows["symbol"].to_list() == ["S0", "S1", "S2", "S3", "S4"]
    own, truth = one(rows, "S1", dates[151]), one(measures, "S1", dates[151])
    before = one(measures, "S1", dates[149])
    assert own["return_log"] == pytest.approx(truth["level"] - before["level"])
    assert own["sessions_since"] == 2
    assert abs(own["residual_zscore"]) < 4 < abs(one(found, "S1", dates[151])["residual_zscore"])
    assert measured_against(rows, references.clear(), found).equals(rows)


def test_sessions_are_counted_on_the_calendar():
    """A weekend is no hole: Friday to Monday is one session."""
    found = measured(made_up_bars(symbols=1, sessions=30, start=dt.date(2012, 3, 1)))
    assert found["sessions_since"].drop_nulls().unique().to_list() == [1]
