"""The goals of the sentinel, on real packaged history and on a synthetic market."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from quant_assets.quality.isolation_detector import IsolationSettings
from quant_assets.quality.planting import plant_bad_bars
from quant_assets.quality.rules import UNUSABLE_KINDS
from quant_assets.quality.scan import scan_bars
from quant_assets.quality.scan_gate import GATE_KINDS
from quant_assets.quality.scan_state import ScanSettings, SentinelState
from quant_assets.quality.scoring import jump_rule_flags, score_detection, sigma_rule_flags
from quant_assets.replay.synthetic.market import SyntheticHistory
from quant_assets.replay.synthetic.parameters import EventRates
from tests.support.quality_panels import as_stored, packaged, scan_input

# Prophet moves a score by its expected step alone, a few hundredths; 340 fits are left to the scorecard.
SETTINGS = ScanSettings(prophet=None)


def flags(result):
    return result.events.filter(pl.col("severity") != "LOW").select("symbol", "date").unique()


@pytest.fixture(scope="module")
def clean():
    bars, actions = packaged()
    return scan_bars(scan_input(bars, actions), SentinelState(), SETTINGS)


@pytest.fixture(scope="module")
def planted():
    bars, actions = packaged()
    days = actions.select("symbol", pl.col("effective_date").alias("date"))
    wrong, truth = plant_bad_bars(bars, seed=11, avoid=days)
    return wrong, truth, scan_bars(scan_input(wrong, actions), SentinelState(), SETTINGS)


def test_few_bars_of_real_history_are_flagged(clean):
    """At most 0.5 % of real bars are flagged MEDIUM or above, October 2008 and March 2000 included."""
    bars, _ = packaged()
    assert len(flags(clean)) <= 0.005 * len(bars)
    for start in (dt.date(2008, 10, 1), dt.date(2000, 4, 3)):
        month = pl.col("date").is_between(start, start + dt.timedelta(days=30))
        assert len(flags(clean).filter(month)) <= 0.01 * len(bars.filter(month))


def test_no_true_crash_is_quarantined(clean):
    """Of all packaged bars only the one that repeats the bar before is withheld; the crash of AAPL passes as news."""
    assert clean.quarantined.select("symbol", "date").rows() == [("AAPL", dt.date(2003, 1, 29))]
    crash = clean.events.filter((pl.col("symbol") == "AAPL") & (pl.col("date") == dt.date(2000, 9, 29)))
    assert crash.select("kind", "severity").rows() == [("news_move", "MEDIUM")]


def test_planted_anomalies_of_material_size_are_found(planted):
    """More than 95 % are found on their night, at no more than 0.5 % of bars raised falsely."""
    wrong, truth, result = planted
    score = score_detection(truth, flags(result), wrong)
    assert truth["is_material"].sum() > 200
    assert score.material_recall > 0.95
    assert score.material_recall_with_hindsight >= score.material_recall
    assert score.false_per_10_000 <= 50
    assert score.precision > 0.9


def test_the_sentinel_beats_the_naive_rules(planted):
    """A fixed 20 % rule and a plain five-sigma rule find less and raise more."""
    wrong, truth, result = planted
    own = score_detection(truth, flags(result), wrong)
    for naive in (jump_rule_flags(wrong), sigma_rule_flags(wrong)):
        other = score_detection(truth, naive, wrong)
        assert other.material_recall < own.material_recall
        assert other.false_per_10_000 > own.false_per_10_000


def test_no_good_bar_stays_withheld_among_planted_ones(planted):
    """What is withheld and never released lies in a planted stretch, but for the one real repeat."""
    _, truth, result = planted
    withheld = result.quarantined.filter(pl.col("released_at").is_null()).select("symbol", "date")
    inside = withheld.join(truth.rename({"date": "first"}), on="symbol").filter(
        pl.col("date").is_between(pl.col("first"), pl.col("last_date"))
    )
    stray = withheld.join(inside.select("symbol", "date"), on=["symbol", "date"], how="anti")
    assert stray.filter(pl.col("date") != dt.date(2003, 1, 29)).rows() == []


def test_every_kind_that_is_raised_is_explained(clean, planted):
    """The guide says what each kind means and what to do about it."""
    guide = (Path(__file__).parents[2] / "docs" / "data-quality.md").read_text(encoding="utf-8")
    kinds = {*clean.events["kind"], *planted[2].events["kind"], *GATE_KINDS, *UNUSABLE_KINDS}
    assert len(kinds) > 15
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in guide] == []


def test_the_synthetic_market_agrees():
    """The same recall on a market whose clean bars are known, and as few false alarms on them."""
    market = SyntheticHistory(seed=4, symbols=7, years=4, rates=EventRates.none())
    clean = as_stored(pl.concat([market.bars(s).with_columns(pl.lit(s).alias("symbol")) for s in market.symbols()]))
    clean = clean.sort("symbol", "date")
    wrong, truth = plant_bad_bars(clean, seed=4, every_sessions=32)
    quick = dataclasses.replace(SETTINGS, isolation=IsolationSettings(trees=25))
    score = score_detection(truth, flags(scan_bars(scan_input(wrong), SentinelState(), quick)), wrong)
    assert score.material_recall > 0.95
    quiet = flags(scan_bars(scan_input(clean), SentinelState(), quick))
    assert len(quiet) <= 0.005 * len(clean)
