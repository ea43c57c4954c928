from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from quant_assets.foundation.errors import DataError
from quant_assets.regimes.causality import _compared, differing_market_rows
from quant_assets.regimes.market import MarketSettings, label_market, market_features
from quant_assets.regimes.path import Standing
from quant_assets.regimes.persistence import confirmed_states
from quant_assets.regimes.refits import RefitEvery
from quant_assets.regimes.scores import score_labels
from quant_assets.regimes.states import PROBABILITY_COLUMNS, STATES
from quant_assets.regimes.threshold import THRESHOLD_VERSION
from tests.support.regime_markets import MARKET, random_close, reference_history, series_frame

YEARLY = MarketSettings(every=RefitEvery.YEAR)


@pytest.fixture(scope="module")
def closes():
    """A reference market of 800 sessions with three symbols."""
    return reference_history(800, symbols=3)[0]


@pytest.fixture(scope="module")
def path(closes):
    return label_market(market_features(closes, MARKET))


def test_every_session_has_a_label_and_probabilities(closes, path):
    """From the 21st session on there is one row per session, with probabilities that sum to one."""
    own = closes.filter(pl.col("symbol") == MARKET).sort("date")
    assert path.rows["date"].to_list() == own["date"].to_list()[20:]
    total = path.rows.select(pl.sum_horizontal(PROBABILITY_COLUMNS)).to_series()
    assert total.to_numpy() == pytest.approx(np.ones(len(total)), abs=1e-12)
    assert set(path.rows["regime"]) <= set(STATES)


def test_labels_follow_the_stored_probabilities(path):
    """Labels under models are the persistence rule on the stored probabilities."""
    by_model = path.rows.filter(pl.col("model_version") != THRESHOLD_VERSION)
    before = path.rows.filter(pl.col("model_version") == THRESHOLD_VERSION)["regime"][-1]
    states = confirmed_states(by_model.select(PROBABILITY_COLUMNS).to_numpy(), STATES.index(before))
    assert [str(STATES[state]) for state in states] == by_model["regime"].to_list()


def test_a_session_is_labelled_by_the_model_of_its_month(path):
    """Models change on the first session of a month and nowhere else."""
    by_model = path.rows.filter(pl.col("model_version") != THRESHOLD_VERSION)
    expected = by_model.select(pl.format("regime-market-{}", pl.col("date").dt.strftime("%Y-%m"))).to_series()
    assert by_model["model_version"].to_list() == expected.to_list()


@pytest.mark.parametrize("end_row", [560, 640])
def test_the_future_changes_no_bit_of_the_past(closes, end_row):
    """With later closes cut off or corrupted, features, refits, probabilities and labels come out identical."""
    end = closes["date"].unique().sort()[end_row]
    rng = np.random.default_rng(end_row)
    empty = market_features(closes, MARKET).clear()
    finding = differing_market_rows(closes, MARKET, empty, (), before=None, end=end, rng=rng)
    assert finding.rows_compared == end_row - 19
    assert finding.refits > 0
    assert finding.rows_different == 0


def test_the_comparison_counts_every_row_that_differs(path):
    """A row that changes, disappears or becomes empty counts, so a clean finding means something."""
    whole = (path.rows, 0)
    moved = path.rows.with_columns(
        pl.when(pl.col("date") == path.rows["date"][5]).then(0.5).otherwise(pl.col("p_bullish")).alias("p_bullish")
    )
    emptied = path.rows.with_columns(pl.when(pl.int_range(pl.len()) > 1).then(pl.col("regime")).alias("regime"))
    assert _compared(whole, (moved, 0), whole).rows_different == 1
    assert _compared(whole, whole, (emptied, 0)).rows_different == 2
    assert _compared(whole, (path.rows.head(10), 0), whole).rows_different == path.rows.height - 10
    assert _compared(whole, whole, whole).rows_different == 0


def test_night_after_night_equals_one_pass(closes, path):
    """Going on from the stored row, features and models gives the bits of labelling everything at once."""
    features = market_features(closes, MARKET)
    cut = features["date"][700]
    first = label_market(features.filter(pl.col("date") <= cut))
    reports, standing, rows = list(first.reports), Standing.of_row(first.rows.row(-1, named=True)), [first.rows]
    for date in features["date"].filter(features["date"] > cut):
        step = label_market(features.filter(pl.col("date") <= date), reports, standing)
        reports += step.reports
        rows.append(step.rows)
        standing = Standing.of_row(step.rows.row(-1, named=True))
    assert_frame_equal(pl.concat(rows), path.rows, check_exact=True)
    assert tuple(reports) == path.reports


def test_features_of_the_tail_equal_those_of_the_whole(closes):
    """A night that reads only the tail computes the rows of a full rebuild."""
    whole = market_features(closes, MARKET)
    after = whole["date"][700]
    assert_frame_equal(market_features(closes, MARKET, after), whole.filter(pl.col("date") > after), check_exact=True)


def test_fewer_than_500_sessions_are_labelled_by_the_rule():
    """A short history gets the threshold rule, and every row says so."""
    closes, _ = reference_history(480, symbols=1)
    short = label_market(market_features(closes, MARKET))
    assert set(short.rows["model_version"]) == {THRESHOLD_VERSION}
    assert short.reports == ()
    assert short.rows.height == 481 - 20


def test_a_market_without_prices_is_refused_with_the_fix(closes):
    """A market symbol that is not among the prices stops with one sentence that says what to do."""
    with pytest.raises(DataError, match="SPY has no prices; add it to 'symbols'"):
        market_features(closes, "SPY")


def test_one_symbol_alone_is_enough(closes):
    """Without other symbols the cross-section is empty and the models do without it."""
    alone = closes.filter(pl.col("symbol") == MARKET)
    features = market_features(alone, MARKET)
    assert features["correlation_60d"].null_count() == features.height
    found = label_market(features, settings=YEARLY)
    assert found.reports[-1].model is not None
    assert "correlation_60d" not in found.reports[-1].model.features


def test_constant_prices_are_labelled_by_the_rule_and_the_failure_recorded():
    """A market that never moves has no model; each refit date says why."""
    closes = series_frame(MARKET, np.full(800, 100.0))
    found = label_market(market_features(closes, MARKET), settings=YEARLY)
    assert set(found.rows["model_version"]) == {THRESHOLD_VERSION}
    assert set(found.rows["regime"]) == {"sideways"}
    assert found.reports
    assert all("did not move" in report.reason for report in found.reports)


def test_a_failed_refit_keeps_the_model_before():
    """When trading stops for two years the model before stays in force, and the failure is on record."""
    close = np.concatenate([random_close(900, seed=5), np.full(800, 100.0)])
    settings = MarketSettings(every=RefitEvery.YEAR, window_sessions=300)
    found = label_market(market_features(series_frame(MARKET, close), MARKET), settings=settings)
    failed = [report.model_version for report in found.reports if report.model is None]
    fitted = [report.model_version for report in found.reports if report.model is not None]
    assert failed
    assert found.rows["model_version"][-1] == fitted[-1] < failed[0]


def test_gaps_and_late_symbols_are_taken_as_they_are(closes):
    """Missing sessions of the market are simply not there; a symbol that starts late joins when it has a window."""
    dates = closes["date"].unique().sort()
    gappy = closes.filter(~pl.col("date").is_in(dates[300:310].implode()))
    gappy = gappy.filter((pl.col("symbol") != "S01") | (pl.col("date") > dates[650]))
    features = market_features(gappy, MARKET)
    assert features.height == 801 - 10 - 20
    assert np.isfinite(features.drop("date", "rule_regime").fill_null(0.0).to_numpy()).all()
    assert label_market(features, settings=YEARLY).rows.height == features.height


def test_changes_are_the_rows_whose_label_moved(path):
    """There is one change row per label change, with the probability of the new label."""
    moved = path.rows.with_columns(pl.col("regime").shift(1).alias("before")).filter(
        pl.col("before").is_not_null() & (pl.col("before") != pl.col("regime"))
    )
    assert (
        path.changes.select("date", "before", pl.col("after").alias("regime")).rows()
        == moved.select("date", "before", "regime").rows()
    )
    assert set(path.changes["scope"]) == {"market"}


def test_labels_beat_the_two_rules_on_a_known_market():
    """On a reference market of ten years the models are right far more often than the threshold rule."""
    closes, truth = reference_history(2520, symbols=3, seed=7)
    features = market_features(closes, MARKET)
    rows = label_market(features, settings=MarketSettings(every=RefitEvery.QUARTER)).rows
    by_model = (rows["model_version"] != THRESHOLD_VERSION).to_numpy()
    truth = truth[-rows.height :][by_model]
    ours, rule = (
        np.array([STATES.index(label) for label in labels])[by_model]
        for labels in (rows["regime"], features["rule_regime"])
    )
    assert score_labels(truth, ours).accuracy > score_labels(truth, rule).accuracy + 0.2
