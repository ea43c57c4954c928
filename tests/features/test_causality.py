from __future__ import annotations

import copy
import datetime as dt
from types import ModuleType

import duckdb
import numpy as np
import polars as pl
import pytest

from quant_assets.features import causality, parameters, windows
from quant_assets.features.causality import (
    compare,
    compare_ranks,
    evaluate_mart,
    late_start,
    look_ahead,
    truncated_inputs,
    truncation,
)
from quant_assets.features.changes import StoredVersion
from quant_assets.features.columns import column_set
from quant_assets.features.cross_section import RANKED_COLUMNS, cross_sectional_ranks
from quant_assets.features.dbt_project import load_project
from quant_assets.features.panel import computed
from quant_assets.features.versions import BAR_COLUMNS, stored_versions
from quant_assets.foundation.point_in_time import corrupted_after


@pytest.fixture(scope="module")
def real_inputs(real_bars, aligned):
    return aligned(real_bars, market="IBM")


def marts(connection, version, windowed):
    return evaluate_mart(connection, load_project().manifest, version, windowed)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("cut", [1, 20, 500, 2000])
def test_earlier_rows_do_not_know_the_newest_sessions(connection, real_inputs, version, cut):
    """Without the newest sessions of real history every earlier row of every symbol is the same to the last bit."""
    stored = marts(connection, version, computed(stored_versions()[version], real_inputs))
    again = marts(connection, version, truncation(stored_versions()[version], real_inputs, cut))
    assert again.height == stored.height - 3 * cut
    assert compare(stored, again, exactly=True).differences.height == 0


@pytest.mark.parametrize("version", [1, 2])
def test_earlier_rows_do_not_know_a_wrong_future(connection, real_inputs, version):
    """Where everything after a session is corrupted, rows up to it are the same to the last bit."""
    session = dt.date(2008, 9, 12)
    wrong = corrupted_after(real_inputs, session, rng=np.random.default_rng(5))
    stored = marts(connection, version, computed(stored_versions()[version], real_inputs))
    again = marts(connection, version, computed(stored_versions()[version], wrong)).filter(pl.col("date") <= session)
    assert again.height > 6000
    assert compare(stored, again, exactly=True).differences.height == 0


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("left_out", [1, 250, 1500])
def test_rows_past_the_warm_up_do_not_know_where_history_begins(connection, real_inputs, version, left_out):
    """From a later start every row past the stated warm-up is the same to 1e-9, but for on-balance volume."""
    stored = marts(connection, version, computed(stored_versions()[version], real_inputs))
    again = marts(connection, version, late_start(stored_versions()[version], real_inputs, left_out))
    assert again.height > 3000
    assert compare(stored, again, exactly=False).differences.height == 0


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("length", "left_out"), [(60, 255), (200, 210), (360, 200), (900, 210)])
@pytest.mark.parametrize("still", ["close", "open, high, low, close", "high, low"])
def test_the_warm_up_holds_where_prices_stood_still(
    connection, make_bars, aligned, *, version, length, left_out, still
):
    """A close, a whole bar or a range that does not move, for weeks or years, and may move again, keeps the warm-up."""
    bars = make_bars(("A", "M"), count=1300).with_columns(number=pl.int_range(pl.len()).over("symbol"))
    inside = (pl.col("symbol") == "A") & pl.col("number").is_between(200, 199 + length)
    price = bars.filter(symbol="A")["close"][199]
    at = {"open": price, "high": 1.01 * price, "low": 0.99 * price, "close": price}
    at |= {name: price for name in ("high", "low") if "open" in still}
    others = 1.0 + 0.004 * pl.col("number").sin()
    moved = {name: pl.lit(at[name]) * (1.0 if name in still.split(", ") else others) for name in at}
    bars = bars.with_columns(pl.when(inside).then(value).otherwise(name).alias(name) for name, value in moved.items())
    inputs = aligned(bars.drop("number"))
    stored = marts(connection, version, computed(stored_versions()[version], inputs))
    again = marts(connection, version, late_start(stored_versions()[version], inputs, left_out))
    assert again.height > 500
    assert compare(stored, again, exactly=False).differences.height == 0


def test_ranks_of_a_session_come_from_that_session_alone(connection, real_inputs):
    """Stored ranks equal those made from each session's values by itself."""
    windowed = computed(stored_versions()[2], real_inputs)
    ranks = pl.concat([windowed["symbol", "date"], cross_sectional_ranks(windowed, RANKED_COLUMNS)], how="horizontal")
    store(connection, windowed, ranks)
    sessions = windowed["date"].unique().sort().gather_every(97).to_list()
    assert compare_ranks(connection, sessions).rows == 3 * len(sessions)
    assert compare_ranks(connection, sessions).is_equal
    connection.execute(
        "UPDATE features_intermediate.int_symbols_ranked SET drawdown_252d_rank = 0.25 WHERE symbol = 'IBM'"
    )
    assert set(compare_ranks(connection, sessions).differences["column"]) == {"drawdown_252d_rank"}


def store(connection, windowed, ranks):
    connection.register("windowed", windowed)
    connection.register("ranks", ranks)
    connection.execute("CREATE TABLE features_intermediate.int_bars_measured AS FROM windowed")
    connection.execute("INSERT INTO features_intermediate.int_symbols_ranked SELECT *, 0 FROM ranks")


def next_close(close, rows):
    """Reads the bar after."""
    return windows.lag(np.ascontiguousarray(close[::-1]), 1, rows)[::-1]


def distance_from_the_mean_of_all(close):
    """Reads the whole history."""
    return close - close.mean()


def share_of_the_highest_of_all(close):
    """Reads the whole history."""
    return close / close.max()


@pytest.mark.parametrize("peek", [next_close, distance_from_the_mean_of_all, share_of_the_highest_of_all])
def test_a_column_that_looks_ahead_is_found(real_inputs, peek):
    """Truncation tells a column that reads the next bar, or a statistic of the whole history."""
    module = ModuleType(peek.__module__)
    module.__file__ = parameters.__file__
    setattr(module, peek.__name__, peek)
    columns = column_set([module], inputs=BAR_COLUMNS, code=[])
    version = StoredVersion("peeking", columns, BAR_COLUMNS, BAR_COLUMNS, context_bars=1, warm_up_bars=1)
    one = real_inputs.filter(pl.col("symbol") == "IBM")
    found = compare(computed(version, one), truncation(version, one, 1500), exactly=True)
    assert set(found.differences["column"]) == {peek.__name__}


def test_a_warm_up_that_is_stated_too_short_is_found(connection, real_inputs):
    """A warm-up of 60 bars is not true for Wilder's averages, and the comparison says so."""
    honest = stored_versions()[1]
    hasty = StoredVersion(honest.table, honest.columns, BAR_COLUMNS, BAR_COLUMNS, context_bars=50, warm_up_bars=60)
    stored = marts(connection, 1, computed(honest, real_inputs))
    found = compare(stored, marts(connection, 1, late_start(hasty, real_inputs, 250)), exactly=False)
    assert {"rsi_14", "ema_26", "macd"} <= set(found.differences["column"])
    assert not {"sma_50", "obv", "bb_width", "price_change_20d"} & set(found.differences["column"])


PEEKING_JOINS = {
    "market_close": (
        "int_bars_aligned",
        "left join market_bars on market_bars.date = bars.date",
        "asof left join market_bars on bars.date < market_bars.date",
    ),
    "dollar_volume": ("int_bars_traded", "traded.date = bars.date", "traded.date = bars.date + 1"),
}


@pytest.mark.parametrize("name", PEEKING_JOINS)
def test_a_join_that_looks_ahead_is_found(built_warehouse, name):
    """A store built with the market's next close, or the next day's value traded, fails; the honest one passes."""
    version, symbols = stored_versions()[2], ["A", "B", "M"]
    honest = load_project().manifest
    model, honest_join, peeking_join = PEEKING_JOINS[name]
    peeking = copy.deepcopy(honest)
    node = peeking["nodes"][f"model.dbt_features.{model}"]
    assert honest_join in node["raw_code"]
    node["raw_code"] = node["raw_code"].replace(honest_join, peeking_join)
    with duckdb.connect(str(built_warehouse)) as connection:
        found = look_ahead(connection, honest, 2, version, symbols=symbols, sessions=(1, 60))
        assert (found.rows, found.is_equal) == (2 * 3 * (299 + 240), True)
        inputs = truncated_inputs(connection, peeking, version, symbols, dt.date(2100, 1, 1))
        connection.register("peeked", computed(version, inputs))
        connection.execute("CREATE OR REPLACE TABLE features_intermediate.int_bars_measured AS FROM peeked")
        found = look_ahead(connection, peeking, 2, version, symbols=symbols, sessions=(1, 60))
    assert name in found.differences["column"].to_list()


PRICE_LEVEL = {"open", "high", "low", "close", "macd", "macd_signal", "macd_hist", "bb_upper", "bb_middle", "bb_lower"}
PRICE_LEVEL |= {"sma_5", "sma_10", "sma_20", "sma_50", "ema_12", "ema_26"}


@pytest.mark.parametrize("prices_are", ["adjusted", "as traded"])
def test_a_later_dividend_rescales_prices_and_nothing_else(connection, real_bars, traded_bars, aligned, prices_are):
    """A dividend after the fact multiplies all earlier prices by its factor, and only price-level features follow it.

    Rounding of the rescaled prices alone moves a value by a few units of the last place of what it is divided by:
    everything else stays to 1e-12 of 1 or of itself, CCI of its unit (a 0.015th of the mean deviation). As-traded
    prices tie in ticks, and a tie must not be broken by that rounding.
    """
    factor = 0.98765
    real_inputs = aligned(real_bars if prices_are == "adjusted" else traded_bars, market="IBM")
    prices = ("open", "high", "low", "close")
    rescaled = real_inputs.with_columns(pl.col(*prices, "market_close") * factor)
    before = marts(connection, 2, computed(stored_versions()[2], real_inputs))
    after = marts(connection, 2, computed(stored_versions()[2], rescaled))
    for name, kind in before.schema.items():
        if name in ("symbol", "date"):
            continue
        if kind != pl.Float64:
            assert after[name].equals(before[name], null_equal=True), name
            continue
        was, is_ = before[name].to_numpy(), after[name].to_numpy()
        if name in PRICE_LEVEL:
            np.testing.assert_allclose(is_, was * factor, rtol=1e-12, atol=1e-12 * 100, err_msg=name)
        else:
            unit = 1 / 0.015 if name == "cci_20" else 1.0
            np.testing.assert_allclose(is_, was, rtol=1e-12, atol=1e-12 * unit, err_msg=name)


def test_what_starts_with_the_history_is_named():
    """On-balance volume alone is exempt from the warm-up; version 2 carries its change, which is not."""
    assert causality.START_DEPENDENT == ("obv",)
    assert "obv_change_20d" in {column.name for column in stored_versions()[2].columns.columns}
