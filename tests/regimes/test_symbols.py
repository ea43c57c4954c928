from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from quant_assets.regimes.causality import differing_symbol_rows
from quant_assets.regimes.changes import CONTEXT
from quant_assets.regimes.features import LOOKBACK
from quant_assets.regimes.path import Standing
from quant_assets.regimes.states import PROBABILITY_COLUMNS
from quant_assets.regimes.symbols import SymbolSettings, label_symbols
from quant_assets.regimes.threshold import THRESHOLD_VERSION
from tests.support.regime_markets import random_close, reference_history, series_frame

SESSIONS = 1100


@pytest.fixture(scope="module")
def closes():
    """Three symbols of a reference market, one that starts late, one that is new, one that never moves."""
    history = reference_history(SESSIONS, symbols=3, seed=2)[0].filter(pl.col("symbol") != "MARKET")
    late = series_frame("LATE", random_close(500 + 120, seed=1), first=SESSIONS - 500 - 120)
    new = series_frame("NEW", random_close(15, seed=2), first=SESSIONS - 15)
    still = series_frame("STILL", np.full(SESSIONS, 20.0))
    return pl.concat([history, late, new, still])


@pytest.fixture(scope="module")
def path(closes):
    return label_symbols(closes)


def standings(rows):
    """Where each symbol stands after the given rows."""
    last = rows.group_by("symbol", maintain_order=True).last()
    return {row["symbol"]: Standing.of_row(row) for row in last.iter_rows(named=True)}


def test_each_symbol_has_its_own_row_per_session(closes, path):
    """A symbol is labelled from its 21st session on; one with fewer has no row."""
    counts = dict(path.rows.group_by("symbol").len().rows())
    lengths = dict(closes.group_by("symbol").len().rows())
    assert counts == {symbol: length - 20 for symbol, length in lengths.items() if symbol != "NEW"}
    total = path.rows.select(pl.sum_horizontal(PROBABILITY_COLUMNS)).to_series()
    assert total.to_numpy() == pytest.approx(np.ones(len(total)), abs=1e-12)


def test_one_pooled_model_a_year_labels_them_all(path):
    """Every symbol with 500 sessions is labelled by the pooled model of the calendar year."""
    by_model = path.rows.filter(pl.col("model_version") != THRESHOLD_VERSION)
    expected = by_model.select(pl.format("regime-symbols-{}", pl.col("date").dt.year())).to_series()
    assert by_model["model_version"].to_list() == expected.to_list()
    assert {report.model_version for report in path.reports} >= set(by_model["model_version"])


def test_short_and_constant_histories_are_labelled_by_the_rule(closes, path):
    """A symbol's first 500 sessions, and one that never moves, carry the threshold rule's version."""
    first = closes.filter(pl.col("symbol") == "LATE").sort("date")["date"][500]
    late = path.rows.filter(pl.col("symbol") == "LATE")
    assert set(late.filter(pl.col("date") < first)["model_version"]) == {THRESHOLD_VERSION}
    assert THRESHOLD_VERSION not in set(late.filter(pl.col("date") >= first)["model_version"])
    still = path.rows.filter(pl.col("symbol") == "STILL")
    assert set(still.select("model_version", "regime").rows()) == {(THRESHOLD_VERSION, "sideways")}


def test_the_level_of_prices_does_not_matter(closes, path):
    """Prices a thousand times as high have the same regimes."""
    scaled = closes.with_columns(pl.col("close") * 1024.0)
    assert_frame_equal(label_symbols(scaled).rows, path.rows, abs_tol=1e-6)


def test_volatility_is_judged_by_the_symbols_own(closes, path):
    """A symbol whose every return is doubled has the same regimes, once a model labels it."""
    doubled = closes.with_columns((pl.col("close").log() * 2).exp())
    rows = label_symbols(doubled).rows.filter(pl.col("model_version") != THRESHOLD_VERSION)
    expected = path.rows.filter(pl.col("model_version") != THRESHOLD_VERSION)
    # The one session where the model takes over remembers the rule's label, which knows no scale.
    agree = (rows["regime"] == expected["regime"]).mean()
    assert agree > 0.99


def test_other_symbols_do_not_disturb_one_that_has_a_model(closes, path):
    """With the models given, a symbol is labelled alone as it is among others."""
    alone = label_symbols(closes.filter(pl.col("symbol") == "S02"), path.reports)
    assert alone.reports == ()
    assert_frame_equal(alone.rows, path.rows.filter(pl.col("symbol") == "S02"), check_exact=True)


def test_night_after_night_equals_one_pass(closes, path):
    """Going on from stored rows with the look-back alone gives the bits of labelling everything at once."""
    dates = closes["date"].unique().sort()
    cut = dates[-8]
    first = label_symbols(closes.filter(pl.col("date") <= cut))
    rows, reports, changes = [first.rows], list(first.reports), [first.changes]
    for date in dates.filter(dates > cut):
        known = standings(pl.concat(rows).sort("symbol", "date"))
        tail = closes.filter(pl.col("date") <= date).group_by("symbol").tail(LOOKBACK + CONTEXT + 1)
        step = label_symbols(tail, reports, known)
        rows.append(step.rows)
        changes.append(step.changes)
        reports += step.reports
    assert_frame_equal(pl.concat(rows).sort("symbol", "date"), path.rows, check_exact=True)
    assert_frame_equal(pl.concat(changes).sort("scope", "date"), path.changes.sort("scope", "date"), check_exact=True)


def test_the_future_changes_no_bit_of_the_past(closes):
    """With later closes cut off or corrupted, pooled refits and every symbol's labels come out identical."""
    end = closes["date"].unique().sort()[900]
    finding = differing_symbol_rows(closes, (), before={}, end=end, rng=np.random.default_rng(0))
    assert finding.rows_compared > 3 * 880
    assert finding.refits > 0
    assert finding.rows_different == 0


def test_pooled_fits_respect_their_limits(closes):
    """A fit takes no more rows than allowed, in segments of no more than the stated length."""
    settings = SymbolSettings(row_limit=500, segment=200)
    fitted = [report.model for report in label_symbols(closes, settings=settings).reports if report.model]
    assert fitted
    assert all(model.sessions <= 500 for model in fitted)
    assert all(model.fitted_to < model.effective_from for model in fitted)


def test_a_universe_without_long_histories_has_no_model(closes):
    """Fewer than 500 sessions everywhere: all labels are the rule's and nothing is fitted."""
    recent = closes.filter(pl.col("date") > closes["date"].unique().sort()[-450])
    path = label_symbols(recent)
    assert set(path.rows["model_version"]) == {THRESHOLD_VERSION}
    assert path.reports == ()
