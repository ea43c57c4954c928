"""The Isolation Forest as arrays."""

from __future__ import annotations

import datetime as dt
import warnings

import numpy as np
import polars as pl
import pytest

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.quality.isolation_detector import (
    FEATURES,
    IsolationForest,
    IsolationSettings,
    fit_isolation_forest,
    half_year_start,
    quarter_start,
)

REFIT = dt.date(2012, 1, 3)
SETTINGS = IsolationSettings(trees=30, minimum_rows=300)


def measures(rows=900, *, seed=0, last=dt.date(2011, 12, 30)):
    rng = np.random.default_rng(seed)
    sessions = new_york_calendar().sessions_between(dt.date(2010, 6, 1), last)
    dates = np.resize(np.array(sessions, dtype="datetime64[D]"), rows)
    return pl.DataFrame(
        {"symbol": [f"S{i // len(sessions)}" for i in range(rows)], "date": pl.Series(dates).cast(pl.Date)}
        | {name: rng.standard_t(4, rows) for name in FEATURES}
    ).with_columns(pl.lit(value=False).alias("is_withheld"))


def fitted(frame, settings=SETTINGS):
    return fit_isolation_forest(
        frame, REFIT, calendar=new_york_calendar(), serves_to=dt.date(2012, 6, 29), settings=settings
    )


def test_scores_equal_the_librarys():
    """The arrays give what PyOD's forest of the same seed gives, up to its constant offset."""
    from pyod.models.iforest import IForest

    frame = measures()
    _, forest = fitted(frame)
    matrix = frame.sort("date", "symbol").select(FEATURES).to_numpy().astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = IForest(n_estimators=SETTINGS.trees, max_samples=SETTINGS.tree_samples, random_state=SETTINGS.seed)
        library.fit(matrix)
        expected = library.decision_function(matrix) - library.detector_.offset_
    assert forest.score(frame.sort("date", "symbol")).to_numpy() == pytest.approx(expected, abs=1e-9)


def test_same_window_and_seed_same_scores():
    """A fit is a function of its window and seed."""
    frame = measures()
    assert fitted(frame)[1].score(frame).equals(fitted(frame)[1].score(frame))


def test_a_fit_sees_nothing_of_its_refit_date_or_later_and_nothing_withheld():
    """Bars from the refit date on, and withheld bars, do not change the fit."""
    frame = measures()
    later = measures(50, seed=9).with_columns(pl.lit(REFIT).alias("date"), pl.lit(100.0).alias("return_zscore"))
    withheld = measures(50, seed=8).with_columns(pl.lit(value=True).alias("is_withheld"))
    record, forest = fitted(pl.concat([frame, later, withheld]))
    assert record.rows == len(frame)
    assert record.fitted_to < REFIT
    assert forest.score(frame).equals(fitted(frame)[1].score(frame))


def test_an_odd_bar_scores_higher_than_ordinary_ones():
    """A bar far out in several measures is odder than 99 % of the window."""
    frame = measures()
    _, forest = fitted(frame)
    odd = frame.head(1).with_columns(pl.lit(15.0).alias(name) for name in FEATURES)
    assert forest.score(odd)[0] > forest.score(frame).quantile(0.99)


def test_too_little_history_is_a_recorded_failure():
    """With too few bars there is no forest, and the record says how many were needed."""
    record, forest = fitted(measures(100))
    assert forest is None
    assert (record.status, record.rows) == ("failed", 100)
    assert record.reason == "100 bars in the window, 300 needed"


def test_a_fit_that_breaks_is_a_recorded_failure():
    """What the library raises becomes the reason of the record."""
    record, forest = fitted(measures(), IsolationSettings(trees=0, minimum_rows=300))
    assert forest is None
    assert record.status == "failed"
    assert "n_estimators" in record.reason


def test_a_bar_without_volume_or_range_is_scored_and_one_without_return_is_not():
    """Missing volume and range count as ordinary; without a return there is no score, never one of 0."""
    frame = measures()
    _, forest = fitted(frame)
    bars = frame.head(2).with_columns(
        pl.lit(None, dtype=pl.Float64).alias("volume_zscore"),
        pl.lit(None, dtype=pl.Float64).alias("range_zscore"),
        pl.Series("residual_zscore", [0.1, None]),
    )
    scored = forest.score(bars)
    assert 0 < scored[0] < 1
    assert scored[1] is None
    assert forest.score(bars.clear()).to_list() == []


def test_stored_trees_score_as_the_fit_did():
    """A forest taken up from its table gives the same scores."""
    frame = measures()
    _, forest = fitted(frame)
    stored = forest.nodes.with_columns(pl.lit("isolation-forest-20120103").alias("model_version"))
    assert IsolationForest.from_trees(stored, SETTINGS.tree_samples).score(frame).equals(forest.score(frame))


@pytest.mark.parametrize(
    ("date", "quarter", "half"),
    [
        (dt.date(2012, 1, 3), dt.date(2012, 1, 3), dt.date(2012, 1, 3)),
        (dt.date(2012, 6, 29), dt.date(2012, 4, 2), dt.date(2012, 1, 3)),
        (dt.date(2012, 12, 31), dt.date(2012, 10, 1), dt.date(2012, 7, 2)),
    ],
)
def test_refit_dates_are_fixed_calendar_dates(date, quarter, half):
    """Quarters and half-years start on their first session, whatever history there is."""
    assert quarter_start(date, new_york_calendar()) == quarter
    assert half_year_start(date, new_york_calendar()) == half


def test_a_large_panel_is_thinned_the_same_way_every_time():
    """More bars than the limit are thinned by the seed."""
    frame = measures()
    thinned = IsolationSettings(trees=10, minimum_rows=300, most_rows=400)
    assert fitted(frame, thinned)[1].score(frame).equals(fitted(frame, thinned)[1].score(frame))
