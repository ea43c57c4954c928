from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from quant_assets.foundation.errors import ConfigurationError, DataError
from quant_assets.foundation.tables import Table
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.regimes.evaluation_run import store_evaluation
from quant_assets.regimes.night import run_night
from quant_assets.regimes.night_proof import prove_night
from quant_assets.regimes.tables import (
    EVALUATION,
    MARKET_FEATURES,
    MARKET_REGIMES,
    MODELS,
    REGIME_CHANGES,
    SYMBOL_REGIMES,
    TABLES,
)
from resources.warehouse import Warehouse
from tests.support.regime_markets import MARKET, reference_history

NOW = dt.datetime(2013, 3, 2, 11, tzinfo=dt.UTC)
NIGHTLY = (MARKET_FEATURES, MARKET_REGIMES, SYMBOL_REGIMES, REGIME_CHANGES, MODELS)
PRICES = Table("market_data", "adjusted_prices", ADJUSTED_PRICES.columns, ADJUSTED_PRICES.key, "As a plain table.")


def add_prices(store, closes):
    """Put closes into the place of the view, every bar flat."""
    flat = {name: pl.col("close") for name in ("open", "high", "low")}
    bars = closes.with_columns(**flat, volume=pl.lit(1000.0)).select(PRICES.column_names)
    with store.transaction() as connection:
        store.append_within(connection, PRICES, bars)


@pytest.fixture(scope="module")
def closes():
    return reference_history(800, symbols=2, seed=6)[0]


@pytest.fixture
def store(tmp_path):
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", run_id="test")
    warehouse.ensure([*TABLES, PRICES])
    return warehouse


def changed_at(store):
    return store.query("SELECT * FROM ops.table_changes ORDER BY table_name").rows()


def test_night_after_night_equals_one_night(store, tmp_path, closes):
    """Eight nights, a month's first among them, store the bits that one night over everything stores."""
    dates = closes["date"].unique().sort()
    first = int((dates.dt.month() != dates.dt.month().shift(1)).arg_true()[-2])
    closes = closes.filter(pl.col("date") <= dates[first + 2])
    add_prices(store, closes.filter(pl.col("date") < dates[first - 5]))
    run_night(store, MARKET, now=NOW)
    fits = 0
    for date in dates[first - 5 : first + 3]:
        add_prices(store, closes.filter(pl.col("date") == date))
        report = run_night(store, MARKET, now=NOW)
        fits += len(report.fits)
        assert (report.market_sessions, report.symbol_sessions) == (1, 3)
    assert fits >= 1
    whole = Warehouse(tmp_path / "whole.duckdb", run_id="test")
    whole.ensure([*TABLES, PRICES])
    add_prices(whole, closes)
    run_night(whole, MARKET, now=NOW)
    for table in NIGHTLY:
        assert_frame_equal(store.read(table), whole.read(table), check_exact=True)


def test_a_night_without_new_sessions_changes_nothing(store, closes):
    """Running again stores nothing and marks no table as changed."""
    add_prices(store, closes)
    run_night(store, MARKET, now=NOW)
    store_evaluation(store, MARKET, now=NOW)
    before = changed_at(store)
    report = run_night(store, MARKET, now=NOW + dt.timedelta(days=1))
    store_evaluation(store, MARKET, now=NOW + dt.timedelta(days=1))
    assert (report.market_sessions, report.symbol_sessions, report.fits) == (0, 0, ())
    assert changed_at(store) == before


def test_restated_prices_change_no_stored_label_until_a_full_refresh(store, closes):
    """What was known then stays; a full refresh makes it again from the prices as they are now."""
    add_prices(store, closes)
    run_night(store, MARKET, now=NOW)
    before = store.read(MARKET_REGIMES)
    with store.connect() as connection:
        connection.execute("UPDATE market_data.adjusted_prices SET close = close * (1 + 0.05 * random())")
    run_night(store, MARKET, now=NOW)
    assert_frame_equal(store.read(MARKET_REGIMES), before, check_exact=True)
    assert run_night(store, MARKET, now=NOW, is_full_refresh=True).is_rebuilt
    after = store.read(MARKET_REGIMES)
    assert after["date"].to_list() == before["date"].to_list()
    assert not after.equals(before)


def test_another_market_symbol_rebuilds_what_hangs_on_it(store, closes):
    """When another symbol stands for the market, its labels are made from the start; the symbols' stay."""
    add_prices(store, closes)
    run_night(store, MARKET, now=NOW)
    symbols = store.read(SYMBOL_REGIMES)
    assert run_night(store, "S01", now=NOW).is_rebuilt
    assert set(store.read(MARKET_FEATURES)["symbol"]) == {"S01"}
    assert set(store.read(REGIME_CHANGES)["scope"]) <= {"market", "MARKET", "S01", "S02"}
    assert_frame_equal(store.read(SYMBOL_REGIMES), symbols, check_exact=True)
    assert store.read(MODELS).filter(pl.col("kind") == "market").height > 0


def test_a_symbol_that_joins_later_is_labelled_from_its_start(store, closes):
    """A symbol added to the universe gets its whole history in one night; the others get nothing new."""
    add_prices(store, closes.filter(pl.col("symbol") != "S02"))
    run_night(store, MARKET, now=NOW)
    add_prices(store, closes.filter(pl.col("symbol") == "S02"))
    report = run_night(store, MARKET, now=NOW)
    assert report.market_sessions == 0
    assert report.symbol_sessions == 801 - 20


def test_missing_market_symbols_are_refused_with_the_fix(store, closes):
    """No market, or one without prices, stops with a sentence that says what to do, and stores nothing."""
    add_prices(store, closes)
    with pytest.raises(ConfigurationError, match="add one of its symbols as 'market'"):
        run_night(store, None, now=NOW)
    with pytest.raises(DataError, match="SPY has no prices"):
        run_night(store, "SPY", now=NOW)
    assert store.read(SYMBOL_REGIMES).is_empty()


def test_the_nightly_proof_compares_and_finds_nothing(store, closes):
    """The proof labels past sessions of the market and the symbols again, with a refit, and finds no difference."""
    add_prices(store, closes)
    run_night(store, MARKET, now=NOW)
    finding = prove_night(store, MARKET, rng=np.random.default_rng(0))
    assert finding.rows_compared == 25 * 4
    assert finding.refits >= 1
    assert finding.rows_different == 0


def test_a_short_history_has_nothing_to_prove(store, closes):
    """With fewer sessions than the stretch and its future, no row is compared."""
    add_prices(store, closes.filter(pl.col("date") <= closes["date"].unique().sort()[60]))
    run_night(store, MARKET, now=NOW)
    assert prove_night(store, MARKET, rng=np.random.default_rng(0)).rows_compared == 0


def test_models_tell_window_transition_and_stays(store, closes):
    """Each fitted row has its window before its date, a transition matrix and expected stays."""
    add_prices(store, closes)
    run_night(store, MARKET, now=NOW)
    rows = store.read(MODELS)
    assert set(rows["status"]) == {"fitted"}
    assert (rows["fitted_to"] < rows["effective_from"]).all()
    for row in rows.iter_rows(named=True):
        transition = np.array(pl.Series([row["transition"]]).str.json_decode(pl.List(pl.List(pl.Float64)))[0].to_list())
        assert transition.sum(axis=1) == pytest.approx(np.ones(4))
        assert row["expected_stay_bullish"] == pytest.approx(1 / (1 - transition[0, 0]))


def test_evaluation_of_the_history_is_stored(store, closes):
    """The nightly evaluation holds the models and the quick baseline on the stored history."""
    add_prices(store, closes)
    run_night(store, MARKET, now=NOW)
    store_evaluation(store, MARKET, now=NOW)
    rows = store.read(EVALUATION)
    assert set(rows["source"]) == {"history"}
    assert set(rows["method"]) == {"hmm", "threshold"}
    assert {"next_20d_volatility", "next_20d_drawdown", "flips_per_year"} <= set(rows["measure"])
