"""Cleaning of split factors, and jumps that ask for the vendor's list of splits."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.market_data.split_factors import (
    SplitFactor,
    read_split_factor,
    suspect_jumps,
    suspect_split_symbols,
)

NO_ACTIONS = pl.DataFrame(schema={"symbol": pl.String, "effective_date": pl.Date, "kind": pl.String})
START = dt.date(2020, 1, 6)


def bars_of(closes: list[float], symbol: str = "X") -> pl.DataFrame:
    dates = [START + dt.timedelta(days=n) for n in range(len(closes))]
    return pl.DataFrame({"symbol": symbol, "date": dates, "open": closes, "close": closes})


@pytest.mark.parametrize(
    ("factor", "ratio"),
    [
        (7.00000700001, 7.0),
        (2.0, 2.0),
        (1.5, 1.5),
        (1.3333, 4 / 3),
        (1.333, 4 / 3),
        (0.1, 0.1),
        (0.3333, 1 / 3),
        (0.0667, 1 / 15),
        (0.0333, 1 / 30),
        (0.125, 0.125),
        (1.05, 1.05),
        (1.1, 1.1),
        (20.0, 20.0),
        (50.0, 50.0),
    ],
)
def test_near_simple_factor_is_split(factor, ratio):
    """A factor within the printed decimals of a simple ratio is a split with exactly that ratio."""
    assert read_split_factor(factor) == SplitFactor("split", ratio)


@pytest.mark.parametrize("factor", [1.046, 1.1124, 1.281, 1.324, 2.376])
def test_other_factor_above_one_is_spin_off(factor):
    """A factor above 1 that is no simple ratio is a spin-off and keeps its value."""
    assert read_split_factor(factor) == SplitFactor("spin_off", factor)


def test_other_factor_below_one_is_reverse_split():
    """A factor below 1 is never a spin-off, since a spin-off does not raise the price."""
    assert read_split_factor(0.0067) == SplitFactor("split", 0.0067)


@pytest.mark.parametrize("factor", [1.0, 1.00002, 0.0, -2.0, float("nan"), float("inf")])
def test_factor_without_event(factor):
    """One, and values that cannot be factors, mean that nothing happened."""
    assert read_split_factor(factor) is None


@given(p=st.integers(1, 10), q=st.integers(1, 10), noise=st.floats(-4e-5, 4e-5))
def test_simple_ratio_survives_noise(p, q, noise):
    """Every p/q with small terms is recovered from four printed decimals."""
    ratio = Fraction(p, q)
    read = read_split_factor(float(ratio) + noise)
    assert read == (None if ratio == 1 else SplitFactor("split", float(ratio)))


def test_unexplained_halving_is_suspect():
    """A price that halves overnight without a known action is listed with its ratio, on its date."""
    found = suspect_jumps(bars_of([100.0, 101.0, 50.0, 50.5]), NO_ACTIONS)
    assert found.rows() == [("X", START + dt.timedelta(days=2), pytest.approx(2.0))]


def test_recorded_split_explains_the_jump():
    """A split dated after the bar before and up to the bar explains it, also when its own bar is missing."""
    bars = bars_of([100.0, 101.0, 50.0, 50.5]).filter(pl.col("date") != START + dt.timedelta(days=1))
    for days in (1, 2):
        split = pl.DataFrame({"symbol": ["X"], "effective_date": [START + dt.timedelta(days=days)], "kind": ["split"]})
        assert suspect_jumps(bars, split).is_empty()
    dividend = split.with_columns(kind=pl.lit("dividend"))
    assert suspect_jumps(bars, dividend).height == 1


def test_ordinary_moves_are_not_suspect():
    """Moves of up to 15 % and a fall of 56 %, between two ratios, raise no suspicion."""
    assert suspect_jumps(bars_of([100.0, 115.0, 98.0, 100.0, 44.0]), NO_ACTIONS).is_empty()


def test_split_on_a_wild_day_is_seen_at_the_open():
    """A split shows at the open when the day's own move carries the close away from the ratio."""
    bars = bars_of([100.0, 43.0]).with_columns(open=pl.Series([100.0, 49.5]))
    assert suspect_jumps(bars, NO_ACTIONS)["ratio"].to_list() == [pytest.approx(2.0)]


def test_borders_between_symbols_are_no_jumps():
    """The last bar of one symbol is not the bar before the first one of the next, in whatever order they come."""
    bars = pl.concat([bars_of([100.0, 101.0], "A"), bars_of([50.0, 50.0], "B")])
    assert suspect_jumps(bars, NO_ACTIONS).is_empty()
    assert suspect_jumps(bars.reverse(), NO_ACTIONS).is_empty()


def test_packaged_splits_are_suspect_until_known(packaged_bars):
    """Each of the three splits of the packaged history is found, at under one false alarm in two symbol years."""
    found = suspect_jumps(packaged_bars, NO_ACTIONS).select("symbol", "date").rows()
    splits = [("AAPL", dt.date(2000, 6, 21)), ("AAPL", dt.date(2005, 2, 28)), ("MSFT", dt.date(2003, 2, 18))]
    assert set(splits) <= set(found)
    assert len(found) - 3 < packaged_bars.height / 252 / 2


def test_asked_once_per_jump():
    """A jump dated after the last look at the list asks for it; one that the list did not explain does not again."""
    bars = bars_of([100.0, 50.0])
    jump = START + dt.timedelta(days=1)
    assert suspect_split_symbols(bars, NO_ACTIONS, {}) == ("X",)
    assert suspect_split_symbols(bars, NO_ACTIONS, {"X": START}) == ("X",)
    assert suspect_split_symbols(bars, NO_ACTIONS, {"X": jump}) == ()


def test_suspicion_does_not_look_ahead():
    """Jumps up to a date are the same whatever comes after it."""
    closes = [100.0, 50.0, 51.0, 102.0, 20.0]
    whole = suspect_jumps(bars_of(closes), NO_ACTIONS)
    for kept in range(1, len(closes)):
        cut = suspect_jumps(bars_of(closes[:kept]), NO_ACTIONS)
        assert cut.equals(whole.filter(pl.col("date") < START + dt.timedelta(days=kept)))
