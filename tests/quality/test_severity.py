"""What scores raise, and in which words."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.quality.findings import FINDINGS_SCHEMA, Severity
from quant_assets.quality.severity import score_findings
from quant_assets.quality.thresholds import (
    EXCURSION,
    ISOLATION,
    PRICE_LOUD,
    PRICE_QUIET,
    VOLUME_DOWN,
    VOLUME_UP,
    Thresholds,
)

DAY = dt.date(2012, 3, 1)
THRESHOLDS = Thresholds(
    DAY,
    {
        (measure, level): value
        for measure, low, medium in (
            (PRICE_QUIET, 3.0, 5.0),
            (PRICE_LOUD, 5.0, 7.0),
            (EXCURSION, 4.0, 6.0),
            (VOLUME_UP, 4.0, 5.0),
            (VOLUME_DOWN, 4.0, 5.0),
            (ISOLATION, 0.7, 0.8),
        )
        for level, value in (("LOW", low), ("MEDIUM", medium))
    },
)
CALM = {
    "symbol": "IBM",
    "date": DAY,
    "close": 197.82,
    "volume": 3_512_000,
    "prophet_score": 0.1,
    "residual_zscore": 0.2,
    "volume_zscore": 0.3,
    "volume_log_ratio": 0.1,
    "excursion_zscore": 0.5,
    "isolation_score": 0.45,
    "return_log": 0.001,
    "is_judged": False,
    "is_fresh_level": False,
    "expects_volume": True,
}
SCHEMA = {
    "symbol": pl.String,
    "date": pl.Date,
    "close": pl.Float64,
    "volume": pl.Int64,
    "return_log": pl.Float64,
    "is_judged": pl.Boolean,
    "is_fresh_level": pl.Boolean,
    "expects_volume": pl.Boolean,
}
SCORES = (
    "prophet_score",
    "residual_zscore",
    "volume_zscore",
    "volume_log_ratio",
    "excursion_zscore",
    "isolation_score",
)


def raised(*changes):
    bars = pl.DataFrame([{**CALM, **change} for change in changes], schema_overrides=SCHEMA)
    bars = bars.with_columns(pl.col(name).cast(pl.Float64) for name in SCORES)
    return score_findings(bars, THRESHOLDS)


@pytest.mark.parametrize(
    ("change", "kind", "severity", "pattern"),
    [
        ({"prophet_score": -3.5}, "price_jump", "LOW", "price_jump:down"),
        ({"prophet_score": 5.5}, "price_jump", "MEDIUM", "price_jump:up"),
        ({"prophet_score": None, "residual_zscore": 5.5}, "price_jump", "MEDIUM", "price_jump:up"),
        ({"prophet_score": 6.0, "volume_log_ratio": 1.5}, "news_move", "LOW", "news_move:up"),
        ({"prophet_score": -8.0, "volume_zscore": 9.0}, "news_move", "MEDIUM", "news_move:down"),
        ({"excursion_zscore": 6.5}, "price_spike_in_bar", "MEDIUM", "price_spike_in_bar"),
        ({"volume_zscore": 4.5}, "volume_spike", "LOW", "volume_spike"),
        ({"volume_zscore": -5.5}, "volume_drop", "MEDIUM", "volume_drop"),
        (
            {"volume_zscore": 9.0, "prophet_score": 4.0, "volume_log_ratio": 4.0},
            "volume_spike",
            "MEDIUM",
            "volume_spike",
        ),
        ({"isolation_score": 0.85}, "odd_bar", "MEDIUM", "odd_bar"),
    ],
)
def test_each_score_raises_its_kind(change, kind, severity, pattern):
    """One score beyond its threshold is one finding with direction and words."""
    found = raised(change)
    assert found.select("kind", "severity", "pattern").rows() == [(kind, severity, pattern)]
    assert found["details"][0]


def test_an_ordinary_bar_raises_nothing():
    """No score beyond its threshold, no finding, and the frame has its shape."""
    assert raised({}).schema == pl.Schema(FINDINGS_SCHEMA)
    assert raised({}).is_empty()


def test_a_null_score_raises_nothing():
    """A detector that could not say something is not a detector that found something."""
    assert raised(dict.fromkeys(SCORES)).is_empty()


def test_news_moves_price_and_volume_and_is_judged_once():
    """Heavy volume with a large move is one news event, not a volume event too."""
    assert raised({"prophet_score": 8.0, "volume_zscore": 9.0, "volume_log_ratio": 2.0})["kind"].to_list() == [
        "news_move"
    ]


def test_what_the_gate_has_judged_is_left_alone():
    """A bar with a certain verdict gets no further finding."""
    assert raised({"prophet_score": 50.0, "isolation_score": 0.9, "is_judged": True}).is_empty()


def test_volume_at_a_fresh_level_is_not_judged():
    """After a missed split the volume moves for good; its scale follows within a quarter."""
    assert raised({"volume_zscore": 9.0, "is_fresh_level": True}).is_empty()


def test_the_forest_speaks_only_where_nothing_else_did():
    """A combination is odd only where no single measure explains it."""
    assert raised({"excursion_zscore": 6.5, "isolation_score": 0.9})["kind"].to_list() == ["price_spike_in_bar"]


def test_one_symbol_without_volume_is_raised_and_a_day_without_a_feed_is_not():
    """A lone missing volume is a bad bar; if most symbols lack it there was no feed."""
    silent = {"volume": 0, "volume_zscore": None, "volume_log_ratio": None}
    others = [{"symbol": name} for name in ("A", "B")]
    assert raised(silent, *others)["kind"].to_list() == ["no_volume"]
    assert raised(silent, *({**silent, **other} for other in others)).is_empty()
    assert raised({**silent, "expects_volume": False}, *others).is_empty()


def test_the_words_name_the_figures():
    """Details say the close, the move, the score and the volume."""
    details = raised({"prophet_score": 5.5, "return_log": 0.0953, "volume_log_ratio": 0.0})["details"][0]
    assert "close 197.82 moved 10.0 %" in details
    assert "5.5 volatilities more than the market, on 1.0 times the usual volume" in details


@settings(max_examples=40)
@given(st.fixed_dictionaries({name: st.one_of(st.none(), st.floats(-50, 50)) for name in SCORES}))
def test_more_is_never_less_severe(change):
    """Scores alone never raise HIGH, and doubling every score raises at least as much."""
    order = ["LOW", "MEDIUM", "HIGH"]
    once = raised(change)["severity"].to_list()
    assert Severity.HIGH.value not in once
    # Heavier volume turns a jump into news, which is judged more mildly: keep that apart.
    doubled = {n: None if v is None else 2 * v for n, v in change.items() if not n.startswith("volume")}
    twice = raised({**change, **doubled})["severity"].to_list()
    if once:
        assert max(map(order.index, twice), default=-1) >= max(map(order.index, once))
