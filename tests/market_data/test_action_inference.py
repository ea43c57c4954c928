"""Actions read from an adjusted close that moves without a recorded event."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.market_data.action_inference import infer_actions

DAYS = [dt.date(2020, 1, 6) + dt.timedelta(days=n) for n in range(30)]
NOTHING = pl.DataFrame(schema={"symbol": pl.String, "effective_date": pl.Date, "kind": pl.String, "value": pl.Float64})


def bars_of(closes: list[float], adjusted: list[float]) -> pl.DataFrame:
    return pl.DataFrame(
        {"symbol": "X", "date": DAYS[: len(closes)], "close": closes, "adjusted_close": adjusted},
        schema_overrides={"close": pl.Float64, "adjusted_close": pl.Float64},
    )


def adjusted_for(closes: list[float], day: int, factor: float, decimals: int) -> list[float]:
    """Closes with those before ``day`` multiplied by ``factor``, as a vendor prints them."""
    return [round(close * (factor if n < day else 1.0), decimals) for n, close in enumerate(closes)]


def recorded(kind: str, value: float, day: int = 2, source: str = "vendor_bars") -> pl.DataFrame:
    return pl.DataFrame(
        {"symbol": ["X"], "effective_date": [DAYS[day]], "kind": [kind], "value": [value], "source": [source]}
    )


CLOSES = [27.1, 27.39, 26.2, 25.93, 26.4, 26.11]


def test_packaged_history_gives_its_events(packaged_bars):
    """The packaged adjusted closes yield every split, dividend and the special one of MSFT, and nothing else."""
    evidence = infer_actions(packaged_bars, NOTHING)
    kinds = evidence.actions.group_by("symbol", "kind").len().rows()
    assert set(kinds) == {
        ("AAPL", "dividend", 3),
        ("AAPL", "split", 2),
        ("IBM", "dividend", 52),
        ("MSFT", "dividend", 36),
        ("MSFT", "special_dividend", 1),
        ("MSFT", "split", 1),
    }
    special = evidence.actions.filter(pl.col("kind") == "special_dividend")
    # Microsoft paid 3.00 beside its regular 0.08 (its announcement of 2004-07-20).
    assert special.select("effective_date", "value").rows() == [(dt.date(2004, 11, 15), 3.08)]
    assert evidence.unexplained.is_empty()


def test_recorded_events_leave_nothing_to_infer():
    """A ratio that moves as the recorded dividend says is explained."""
    bars = bars_of(CLOSES, adjusted_for(CLOSES, 2, 26.2 / (26.2 + 0.5), 6))
    assert infer_actions(bars, recorded("dividend", 0.5)).actions.is_empty()
    assert infer_actions(bars, NOTHING).actions["value"].to_list() == [0.5]


def test_an_inference_does_not_explain_itself():
    """Rows that were inferred before are not taken for recorded ones."""
    bars = bars_of(CLOSES, adjusted_for(CLOSES, 2, 26.2 / (26.2 + 0.5), 6))
    again = infer_actions(bars, recorded("dividend", 0.5, source="inferred"))
    assert again.actions["value"].to_list() == [0.5]


def test_inferred_cash_is_the_whole_amount():
    """With a regular dividend recorded, the inferred amount still is that of the whole date."""
    bars = bars_of(CLOSES, adjusted_for(CLOSES, 2, 26.2 / (26.2 + 3.08), 6))
    found = infer_actions(bars, recorded("dividend", 0.08)).actions
    assert found.select("kind", "value").rows() == [("special_dividend", 3.08)]


def test_split_is_inferred_as_split():
    """A move by a simple ratio is a split, not a dividend of the price."""
    closes = [52.4, 54.0, 27.3, 27.1]
    found = infer_actions(bars_of(closes, adjusted_for(closes, 2, 0.5, 8)), NOTHING).actions
    assert found.select("effective_date", "kind", "value").rows() == [(DAYS[2], "split", 2.0)]


def test_reverse_split_is_inferred():
    """A ratio that falls to a tenth is a one-for-ten reverse split."""
    closes = [1.1, 1.2, 11.5, 11.3]
    found = infer_actions(bars_of(closes, adjusted_for(closes, 2, 10.0, 8)), NOTHING).actions
    assert found.select("kind", "value").rows() == [("split", 0.1)]


def test_noisy_recorded_split_leaves_no_dividend():
    """The vendor adjusts by 7.000007 where 7 is recorded; the difference is no dividend."""
    closes = [702.6, 681.81, 98.13, 115.81]
    bars = bars_of(closes, adjusted_for(closes, 2, 1 / 7.00000700001, 7))
    evidence = infer_actions(bars, recorded("split", 7.0))
    assert evidence.actions.is_empty()
    assert evidence.unexplained.is_empty()


def test_move_that_no_action_explains_is_reported():
    """An adjusted close that falls against the raw one is listed and is no action."""
    evidence = infer_actions(bars_of(CLOSES, adjusted_for(CLOSES, 2, 1.03, 6)), NOTHING)
    assert evidence.actions.is_empty()
    assert evidence.unexplained.select("symbol", "date").rows() == [("X", DAYS[2])]


def test_missing_bar_dates_the_inference_on_the_next_one():
    """With the ex-date's bar missing, a recorded dividend still explains the next bar's move."""
    bars = bars_of(CLOSES, adjusted_for(CLOSES, 2, 25.93 / (25.93 + 0.5), 6)).filter(pl.col("date") != DAYS[2])
    assert infer_actions(bars, recorded("dividend", 0.5)).actions.is_empty()
    assert infer_actions(bars, NOTHING).actions.select("effective_date", "value").rows() == [(DAYS[3], 0.5)]


@given(decimals=st.integers(2, 12), level=st.floats(2, 800), factor=st.floats(0.05, 1.0))
def test_rounding_is_never_an_action(decimals, level, factor):
    """Adjusted closes that differ from a constant multiple by their rounding alone yield nothing."""
    closes = [round(level * (1 + 0.01 * ((7 * n) % 5 - 2)), 2) for n in range(30)]
    bars = bars_of(closes, [round(close * factor, decimals) for close in closes])
    evidence = infer_actions(bars, NOTHING)
    assert evidence.actions.is_empty()
    assert evidence.unexplained.is_empty()


@given(cents=st.integers(5, 400), close=st.integers(1000, 20000))
def test_dividend_is_recovered_in_both_conventions(cents, close):
    """The amount comes back to the cent from six decimals, whichever way the closes were adjusted."""
    cash, closes = cents / 100, [close / 100 * (1 + 0.01 * (n % 3)) for n in range(6)]
    closes = [round(value, 2) for value in closes]
    vendor = adjusted_for(closes, 3, closes[3] / (closes[3] + cash), 6)
    crsp = adjusted_for(closes, 3, 1 - cash / closes[2], 6)
    by_vendor = infer_actions(bars_of(closes, vendor), NOTHING)
    by_crsp = infer_actions(bars_of(closes, crsp), NOTHING, is_reinvested_at_ex_close=False)
    for evidence in (by_vendor, by_crsp):
        assert evidence.actions["effective_date"].to_list() == [DAYS[3]]
        if evidence.actions["kind"].item() != "split":  # a quarter of the price looks like a split of 5 for 4
            assert evidence.actions["value"].item() == pytest.approx(cash, abs=1e-9)


def test_single_precision_noise_is_no_action():
    """Closes and adjusted closes kept in single precision, as Yahoo's files have them, yield nothing."""
    closes = pl.Series([100 + 1.37 * n for n in range(30)]).cast(pl.Float32).cast(pl.Float64).round(6)
    adjusted = (closes * 0.731).cast(pl.Float32).cast(pl.Float64).round(6)
    evidence = infer_actions(bars_of(closes.to_list(), adjusted.to_list()), NOTHING)
    assert evidence.actions.is_empty()
    assert evidence.unexplained.is_empty()


def test_bars_without_adjusted_closes_infer_nothing():
    """Null adjusted closes say nothing about any date."""
    bars = bars_of(CLOSES, CLOSES).with_columns(adjusted_close=pl.lit(None, pl.Float64))
    evidence = infer_actions(bars, NOTHING)
    assert evidence.actions.is_empty()
    assert evidence.looked_at.is_empty()
