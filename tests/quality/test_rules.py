"""The rules that need no statistics, one fixture per kind of bad bar."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.quality.findings import FINDINGS_SCHEMA
from quant_assets.quality.rules import PriceLimits, price_sanity_findings

SESSION = dt.date(2012, 3, 1)
TODAY = dt.date(2012, 3, 30)
GOOD = {
    "symbol": "IBM",
    "date": SESSION,
    "open": 197.23,
    "high": 198.29,
    "low": 196.92,
    "close": 197.82,
    "volume": 3512000,
}
SCHEMA = {
    "symbol": pl.String,
    "date": pl.Date,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Int64,
}


def found(*changes: dict[str, object], **settings: object) -> pl.DataFrame:
    bars = pl.DataFrame([{**GOOD, **change} for change in changes], schema=SCHEMA)
    return price_sanity_findings(bars, new_york_calendar(), today=TODAY, **settings)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"close": None}, "missing_value", "no value for close"),
        ({"open": None, "low": float("nan")}, "missing_value", "no value for open, low"),
        ({"low": 0.0}, "non_positive_price", "low 0.0"),
        ({"low": -3.0}, "non_positive_price", "low -3.0"),
        ({"high": 3e7}, "absurd_price", "1e+07"),
        ({"low": 1e-5}, "absurd_price", "0.0001"),
        ({"high": float("inf")}, "absurd_price", "inf"),
        ({"high": 196.0, "open": 196.5, "close": 196.5}, "high_below_low", "high 196.0 is below low 196.92"),
        ({"open": 199.0}, "open_outside_range", "open 199.0 lies outside low 196.92 to high 198.29"),
        ({"close": 19.78}, "close_outside_range", "close 19.78 lies outside"),
        ({"volume": -1}, "negative_volume", "volume -1 is negative"),
        ({"date": dt.date(2012, 3, 3)}, "not_a_session", "closed on 2012-03-03"),
        ({"date": dt.date(2012, 2, 20)}, "not_a_session", "closed on 2012-02-20"),
        ({"date": dt.date(2012, 4, 2)}, "future_date", "after 2012-03-30"),
    ],
)
def test_each_impossible_bar_is_found_with_its_reason(change, kind, words):
    """A bar that breaks exactly one rule yields that finding alone, HIGH, with words naming the values."""
    result = found({}, {"symbol": "MSFT", **change})
    assert result["kind"].to_list() == [kind]
    assert result["symbol"].to_list() == ["MSFT"]
    assert result["severity"].to_list() == ["HIGH"]
    assert words in result["details"][0]


def test_a_doubled_bar_is_one_finding():
    """Two bars for one session are reported once, with their number."""
    result = found({}, {"close": 197.0}, {"date": dt.date(2012, 3, 2)})
    assert result.select("kind", "details").rows() == [("repeated_date", "2 bars for one session")]


def test_a_bar_can_break_several_rules():
    """Every broken rule is named, so that a person sees all that is wrong at once."""
    result = found({"volume": -5, "low": -1.0})
    assert result["kind"].to_list() == ["negative_volume", "non_positive_price"]


def test_a_missing_volume_is_no_error():
    """A day without a volume feed says nothing about the prices."""
    assert found({"volume": None}, {"symbol": "SPX", "volume": 0}).is_empty()


def test_bars_older_than_the_calendar_are_not_judged_by_it():
    """Imported history from before the calendar's first session is kept."""
    assert found({"date": dt.date(1987, 10, 19)}).is_empty()


def test_no_bars_give_an_empty_frame_of_the_right_shape():
    """Nothing in, nothing out, with the declared columns."""
    assert found().schema == pl.Schema(FINDINGS_SCHEMA)
    assert found({}).schema == pl.Schema(FINDINGS_SCHEMA)


def test_the_limits_of_absurd_prices_can_be_set():
    """A market quoted in another unit can state its own limits."""
    assert found({}, limits=PriceLimits(lowest=1.0, highest=100.0))["kind"].to_list() == ["absurd_price"]


prices = st.floats(min_value=0.01, max_value=1e5)


@given(st.lists(prices, min_size=4, max_size=4), st.integers(0, 10**10))
def test_a_possible_bar_is_never_reported(values, volume):
    """Any four positive prices with the largest as high and the smallest as low pass."""
    low, opened, close, high = sorted(values)
    assert found({"open": opened, "high": high, "low": low, "close": close, "volume": volume}).is_empty()


@given(st.lists(prices, min_size=4, max_size=4, unique=True))
def test_the_verdict_agrees_with_the_definition(values):
    """For any order of four prices the rules agree with the definition of a bar written out."""
    opened, high, low, close = values
    slack = 1e-6
    inside = all(low * (1 - slack) <= price <= high * (1 + slack) for price in (opened, close))
    valid = high >= low * (1 - slack) and (high < low or inside)
    assert found({"open": opened, "high": high, "low": low, "close": close}).is_empty() == valid
