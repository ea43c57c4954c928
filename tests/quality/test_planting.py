"""Planting bad bars, and scoring who finds them."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.quality.planting import CATALOGUE, PLANTED_SCHEMA, plant_bad_bars
from quant_assets.quality.scoring import jump_rule_flags, score_detection, sigma_rule_flags
from tests.support.quality_panels import made_up_bars


@pytest.fixture(scope="module")
def bars():
    return made_up_bars(symbols=6, sessions=600)


def test_planting_touches_only_what_it_says(bars):
    """Outside the planted sessions every bar is as it was; inside each plant something changed or is gone."""
    planted, truth = plant_bad_bars(bars, seed=1)
    assert truth.schema == pl.Schema(PLANTED_SCHEMA)
    differing = bars.join(planted, on=bars.columns, how="anti", nulls_equal=True).select("symbol", "date")
    inside = differing.join(truth.rename({"date": "first"}), on="symbol").filter(
        pl.col("date").is_between(pl.col("first"), pl.col("last_date"))
    )
    assert inside.select("symbol", "date").unique().height == differing.height
    assert inside.select("symbol", "first").unique().height == len(truth)


def test_planting_is_a_function_of_its_seed(bars):
    """Same seed, same plants; another seed, others."""
    first, again, other = (plant_bad_bars(bars, seed=seed)[1] for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_avoided_days_are_left_alone(bars):
    """No plant comes near a day with a corporate action."""
    everything = bars.select("symbol", "date").filter(pl.col("date") > dt.date(2011, 6, 1))
    _, truth = plant_bad_bars(bars, seed=1, avoid=everything)
    assert truth["last_date"].max() < dt.date(2011, 6, 1)


def test_the_catalogue_covers_what_the_goal_counts():
    """Every kind that the goal names is planted as material."""
    material = {plant.kind for plant in CATALOGUE if plant.is_material}
    assert material >= {"scale_shift", "missed_split", "spike", "volume", "stale_run", "hole"}
    assert {plant.size for plant in CATALOGUE if plant.kind == "spike" and plant.is_material} == {
        "8 sigma",
        "10 sigma",
        "15 sigma",
        "25 sigma",
    }


def truth_of(*rows):
    return pl.DataFrame(rows, schema=PLANTED_SCHEMA, orient="row")


def test_scores_count_nights_hindsight_and_false_alarms():
    """Found by the bar itself, by the session after, or not at all; the rest of the flags are false."""
    dates = [dt.date(2012, 3, day) for day in (1, 2, 5, 6, 7, 8, 9, 12, 13, 14)]
    bars = pl.DataFrame({"symbol": ["A"] * 10, "date": dates})
    truth = truth_of(
        ("A", dates[1], dates[1], "spike", "8 sigma", True),
        ("A", dates[4], dates[4], "spike", "8 sigma", True),
        ("A", dates[7], dates[8], "stale_run", "2 sessions", True),
        ("A", dates[9], dates[9], "wick", "4 sigma", False),
    )
    flags = pl.DataFrame({"symbol": ["A"] * 4, "date": [dates[1], dates[5], dates[8], dates[3]]})
    score = score_detection(truth, flags, bars)
    assert score.material_recall == pytest.approx(2 / 3)
    assert score.material_recall_with_hindsight == 1.0
    assert score.precision == 0.5
    assert score.false_per_10_000 == pytest.approx(2000.0)
    by_kind = {row[0]: row[3:] for row in score.by_kind.iter_rows()}
    assert by_kind == {"spike": (2, 0.5, 1.0), "stale_run": (1, 1.0, 1.0), "wick": (1, 0.0, 0.0)}


def test_the_naive_rules_are_what_they_say():
    """One flags a move beyond 20 %, the other one beyond five plain deviations of the quarter before."""
    close = [100.0, 101.0] * 20 + [100.0, 130.0, 100.0]
    dates = [dt.date(2012, 1, 2) + dt.timedelta(days=i) for i in range(len(close))]
    bars = pl.DataFrame({"symbol": ["A"] * len(close), "date": dates, "close": close})
    assert jump_rule_flags(bars)["date"].to_list() == [dates[41], dates[42]]
    # The jump enters the plain deviation (0.048), so that its own return (0.23) hides behind it.
    assert sigma_rule_flags(bars)["date"].to_list() == [dates[41]]
