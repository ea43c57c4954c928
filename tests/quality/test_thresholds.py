"""Thresholds calibrated to a budget of false alarms."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from quant_assets.quality.findings import Severity
from quant_assets.quality.tables import THRESHOLDS
from quant_assets.quality.thresholds import (
    EXCURSION,
    ISOLATION,
    PRICE_LOUD,
    PRICE_QUIET,
    VOLUME_DOWN,
    VOLUME_UP,
    Thresholds,
    calibrated_thresholds,
    is_loud,
    thresholds_from,
    unexplained_volume,
    weissman_quantile,
)

DAY = dt.date(2012, 1, 3)


def scores(rows, *, seed=0, tail=4.0, loud_share=0.1):
    """Scores with Pareto tails of a known index, and volume that is heavy on some bars."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "price_score": rng.pareto(tail, rows) * rng.choice([-1.0, 1.0], rows),
            "volume_zscore": rng.pareto(tail, rows) * 0.2,
            "volume_log_ratio": np.where(rng.random(rows) < loud_share, 1.0, 0.0),
            "excursion_zscore": rng.pareto(tail, rows),
            "isolation_score": rng.uniform(0.4, 0.6, rows),
        }
    )


def threshold(frame, measure, severity):
    return frame.filter((pl.col("measure") == measure) & (pl.col("severity") == severity))["threshold"].item()


def test_the_tail_estimator_is_exact_for_a_pareto_tail():
    """On exact Pareto quantiles with tail index 1/3 it extrapolates to the true quantile."""
    n, gamma = 20_000, 1 / 3
    exact = ((np.arange(n) + 0.5) / n) ** -gamma
    for share in (1e-3, 1e-4, 1e-5):
        assert weissman_quantile(exact, share, n) == pytest.approx(share**-gamma, rel=0.05)


def test_the_share_is_of_all_bars_not_of_the_sample():
    """A measure that only exists on some bars is allowed its budget of all of them."""
    sample = np.random.default_rng(1).pareto(3.0, 5_000) + 1
    assert weissman_quantile(sample, 1e-3, 50_000) < weissman_quantile(sample, 1e-3, 5_000)


def test_with_few_bars_the_ceilings_hold():
    """Below a thousand bars nothing is calibrated, and the record says so."""
    frame = calibrated_thresholds(scores(900), DAY)
    assert frame["rows"].unique().to_list() == [0]
    assert THRESHOLDS.validate(frame).height == 13
    assert threshold(frame, PRICE_QUIET, "MEDIUM") == 5.0
    assert threshold(frame, PRICE_QUIET, "HIGH") == 8.0
    assert Thresholds(DAY, {}).at(PRICE_QUIET, Severity.HIGH) == np.inf


def test_good_bars_stay_within_the_budget():
    """Of fresh bars of the same kind, about the budgeted share or less is raised."""
    frame = calibrated_thresholds(scores(30_000, seed=1), DAY)
    fresh = scores(200_000, seed=2)
    for measure, column in ((EXCURSION, "excursion_zscore"), (PRICE_QUIET, "price_score")):
        limit = threshold(frame, measure, "MEDIUM")
        budget = frame.filter((pl.col("measure") == measure) & (pl.col("severity") == "MEDIUM"))["budget"].item()
        share = (fresh.filter(~is_loud())[column].abs() >= limit).mean()
        # The floor of the threshold can only make it rarer; the estimate has sampling error.
        assert share <= 3 * budget


def test_a_window_full_of_bad_bars_does_not_blind():
    """However wild the window, a threshold stays under its ceiling, and above its floor however calm."""
    wild = calibrated_thresholds(scores(5_000, tail=0.5), DAY)
    calm = calibrated_thresholds(scores(5_000, tail=50.0), DAY)
    assert threshold(wild, PRICE_QUIET, "MEDIUM") == 5.0
    assert threshold(wild, VOLUME_UP, "MEDIUM") <= 4.25
    assert threshold(calm, PRICE_QUIET, "MEDIUM") == 4.0
    assert threshold(calm, PRICE_LOUD, "MEDIUM") == 5.0


def test_a_measure_without_any_value_keeps_its_ceiling():
    """No volume feed and no fit: those thresholds stay at the ceiling, and the forest raises nothing."""
    frame = calibrated_thresholds(
        scores(5_000).with_columns(
            pl.lit(None, dtype=pl.Float64).alias(name)
            for name in ("volume_zscore", "volume_log_ratio", "isolation_score")
        ),
        DAY,
    )
    assert threshold(frame, VOLUME_DOWN, "MEDIUM") == 5.0
    assert threshold(frame, ISOLATION, "MEDIUM") == 1.0


def test_heavy_volume_is_twice_the_median_or_two_deviations():
    """Either makes a bar loud; an unknown volume does not."""
    frame = pl.DataFrame(
        {"volume_log_ratio": [np.log(2.01), 0.1, 0.1, None], "volume_zscore": [0.0, 2.1, 1.9, None]},
        schema={"volume_log_ratio": pl.Float64, "volume_zscore": pl.Float64},
    )
    assert frame.select(is_loud().alias("x"))["x"].to_list() == [True, True, False, False]


def test_a_price_move_explains_volume_and_a_still_price_none():
    """One deviation of volume per volatility of move beyond the first is expected."""
    frame = pl.DataFrame(
        {"price_score": [0.5, -4.0, None], "volume_zscore": [3.0, 5.0, 2.0]},
        schema={"price_score": pl.Float64, "volume_zscore": pl.Float64},
    )
    assert frame.select(unexplained_volume().alias("x"))["x"].to_list() == [3.0, 2.0, 2.0]


def test_stored_thresholds_are_taken_up_as_they_were():
    """Rows of the table become thresholds per calibration date, oldest first."""
    first, second = calibrated_thresholds(scores(3_000), DAY), calibrated_thresholds(scores(900), dt.date(2012, 4, 2))
    taken = thresholds_from(pl.concat([second, first]))
    assert [item.calibrated_on for item in taken] == [DAY, dt.date(2012, 4, 2)]
    assert taken[0].at(VOLUME_UP, Severity.MEDIUM) == threshold(first, VOLUME_UP, "MEDIUM")
    assert taken[0].at(VOLUME_UP, Severity.HIGH) == np.inf
