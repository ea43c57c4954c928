from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from quant_assets.foundation.reference_market import REFERENCE
from quant_assets.regimes.baselines import BASELINES
from quant_assets.regimes.evaluation import evaluate_history, evaluate_market, summarise_markets
from quant_assets.regimes.evaluation_run import reference_rows
from quant_assets.regimes.market import MarketSettings, label_market, market_features
from quant_assets.regimes.refits import RefitEvery
from quant_assets.regimes.separation import next_volatility
from quant_assets.regimes.tables import EVALUATION
from quant_assets.regimes.threshold import THRESHOLD_VERSION
from tests.support.regime_markets import MARKET, reference_history


@pytest.fixture(scope="module")
def scores():
    """Ten years of a reference market, as nights would label it."""
    return evaluate_market(104, baselines=("threshold",), parameters=replace(REFERENCE, sessions=2520, symbols=3))


def test_no_filter_beats_the_ceiling(scores):
    """The filter with the true parameters is right at least as often as anything fitted."""
    assert scores["hmm"]["accuracy"] < scores["ceiling"]["accuracy"]
    assert scores["hmm_most_probable"]["accuracy"] < scores["ceiling"]["accuracy"]


def test_the_model_earns_its_place(scores):
    """Monthly refits over ten years are far better than the threshold rule, with fewer false switches."""
    assert scores["hmm"]["accuracy"] > scores["threshold"]["accuracy"] + 0.2
    assert scores["hmm"]["false_switches_per_year"] < scores["threshold"]["false_switches_per_year"]


def test_the_persistence_rule_saves_false_switches(scores):
    """Labels flip less often than the most probable state, on fitted and on true parameters."""
    assert scores["hmm"]["flips_per_year"] < scores["hmm_most_probable"]["flips_per_year"]
    assert scores["ceiling_labelled"]["flips_per_year"] < scores["ceiling"]["flips_per_year"]


def test_summary_averages_over_markets():
    """Means, errors of the mean, the median of delays, and accuracy relative to the ceiling."""
    measures = {"accuracy": 0.8, "median_delay": 10.0}
    markets = {
        0: {"hmm": measures, "ceiling": {"accuracy": 0.85, "median_delay": 7.0}},
        1: {"hmm": {"accuracy": 0.7, "median_delay": np.inf}, "ceiling": {"accuracy": 0.9, "median_delay": 8.0}},
        2: {"hmm": {"accuracy": 0.9, "median_delay": 12.0}, "ceiling": {"accuracy": 0.95, "median_delay": 9.0}},
    }
    rows = summarise_markets(markets).filter(pl.col("slice") == "all", pl.col("method") == "hmm")
    found = {row["measure"]: row for row in rows.iter_rows(named=True)}
    assert found["accuracy"]["value"] == pytest.approx(0.8)
    assert found["accuracy"]["standard_error"] == pytest.approx(0.1 / np.sqrt(3))
    assert found["median_delay"]["value"] == 12
    assert found["accuracy_to_ceiling"]["value"] == pytest.approx(0.8 / 0.9)
    by_seed = reference_rows(markets).filter(pl.col("slice") == "1", pl.col("measure") == "median_delay")
    assert by_seed.filter(pl.col("method") == "hmm")["value"].to_list() == [None]


def test_history_is_evaluated_where_models_label():
    """Figures of the stored history cover the sessions that a model labelled, for every method alike."""
    closes, _ = reference_history(1200, symbols=2, seed=3)
    features = market_features(closes, MARKET)
    rows = label_market(features, settings=MarketSettings(every=RefitEvery.YEAR)).rows
    own = closes.filter(pl.col("symbol") == MARKET).select("date", "close").sort("date")
    known = (rows["date"][-100], dt.date(1980, 1, 1), dt.date(2080, 1, 1))
    found = evaluate_history(own, features, rows, {"threshold": BASELINES["threshold"]}, known)
    assert set(found["method"]) == {"hmm", "threshold"}
    labels = found.filter(pl.col("measure") == "label")
    assert labels["slice"].to_list() == [str(known[0])] * 2
    assert labels["detail"][0] == rows["regime"][-100]
    by_model = (rows["model_version"] != THRESHOLD_VERSION).to_numpy()
    ahead = next_volatility(own["close"].to_numpy()[-rows.height :])
    quiet = by_model & (rows["regime"] == "sideways").to_numpy() & np.isfinite(ahead)
    value = found.filter(
        pl.col("method") == "hmm", pl.col("measure") == "next_20d_volatility", pl.col("slice") == "sideways"
    )["value"][0]
    assert value == (pytest.approx(ahead[quiet].mean()) if quiet.sum() >= 30 else None)
    assert set(found.columns) | {"source", "computed_at"} == set(EVALUATION.column_names)


def test_reference_prices_follow_the_returns():
    """A reference market's prices are its log returns added up, on exchange sessions."""
    closes, _ = reference_history(300, symbols=2)
    assert closes.group_by("symbol").len()["len"].to_list() == [301] * 3
    assert closes.filter(pl.col("symbol") == MARKET)["close"][0] == 100
