"""Planted anomalies: each kind does what it says, and the truth names all of them."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.replay.packaged import packaged_history
from quant_assets.replay.synthetic.anomalies import (
    AnomalyKind,
    Distortion,
    distort,
    draw_distortion,
    plant_anomalies,
)

OHLCV = ["open", "high", "low", "close", "volume"]


def planted(kind, sessions=1, magnitude=1.0, start=10):
    before = np.tile([10.0, 11.0, 9.0, 10.5, 1000.0], (30, 1)) + np.arange(30)[:, None]
    after, present = before.copy(), np.ones(30, dtype=bool)
    distort(after, present, start, Distortion(kind, sessions, magnitude))
    touched = sorted(set(np.flatnonzero((before != after).any(axis=1)).tolist()) | set(np.flatnonzero(~present)))
    return before, after, present, touched


def test_a_scale_shift_reverts():
    """Prices of three sessions times a hundred; volume and all other sessions untouched."""
    before, after, _, touched = planted(AnomalyKind.SCALE_SHIFT, 3, 100.0)
    assert touched == [10, 11, 12]
    np.testing.assert_allclose(after[10:13, :4], 100 * before[10:13, :4])
    np.testing.assert_array_equal(after[:, 4], before[:, 4])


def test_a_missed_split_stays():
    """Prices a third and volume threefold, to the end."""
    before, after, _, touched = planted(AnomalyKind.MISSED_SPLIT, 1, 3.0)
    assert touched == list(range(10, 30))
    np.testing.assert_allclose(after[10:, :4], before[10:, :4] / 3, atol=1e-4)
    np.testing.assert_allclose(after[10:, 4], 3 * before[10:, 4])


@pytest.mark.parametrize("magnitude", [0.3, -0.4])
def test_a_spike_is_one_close_within_its_own_range(magnitude):
    """The bar stays consistent, so only its move gives it away."""
    before, after, _, touched = planted(AnomalyKind.SPIKE, 1, magnitude)
    assert touched == [10]
    assert after[10, 3] == pytest.approx(before[10, 3] * (1 + magnitude), abs=1e-4)
    assert after[10, 2] <= after[10, 3] <= after[10, 1]


def test_a_volume_spike_touches_volume_alone():
    """Twentyfold for a day."""
    before, after, _, touched = planted(AnomalyKind.VOLUME_SPIKE, 1, 20.0)
    assert touched == [10]
    assert after[10, 4] == 20 * before[10, 4]
    np.testing.assert_array_equal(after[:, :4], before[:, :4])


def test_a_stale_run_repeats_the_bar_before():
    """Every column, for its length."""
    before, after, _, touched = planted(AnomalyKind.STALE_RUN, 6, 6.0)
    assert touched == list(range(10, 16))
    assert (after[10:16] == before[9]).all()


def test_a_hole_removes_bars_and_changes_none():
    """Missing is missing, not zero."""
    before, after, present, touched = planted(AnomalyKind.HOLE, 2, 2.0)
    assert touched == [10, 11]
    assert not present[10:12].any()
    np.testing.assert_array_equal(before, after)


def test_high_and_low_are_exchanged():
    """Also where the bar has no range."""
    before, after, _, _ = planted(AnomalyKind.HIGH_BELOW_LOW)
    assert (after[10, 1], after[10, 2]) == (before[10, 2], before[10, 1])
    flat, present = np.full((3, 5), 10.0), np.ones(3, dtype=bool)
    distort(flat, present, 1, Distortion(AnomalyKind.HIGH_BELOW_LOW, 1, 1.0))
    assert flat[1, 1] < flat[1, 2]


@settings(max_examples=80)
@given(draws=st.tuples(*[st.floats(0, 1, exclude_max=True)] * 3))
def test_drawn_anomalies_keep_to_their_ranges(draws):
    """Lengths and magnitudes as each kind says, for any draws."""
    drawn = draw_distortion(np.array(draws))
    lengths = {AnomalyKind.SCALE_SHIFT: (1, 5), AnomalyKind.STALE_RUN: (5, 10), AnomalyKind.HOLE: (1, 3)}
    shortest, longest = lengths.get(drawn.kind, (1, 1))
    assert shortest <= drawn.sessions <= longest
    if drawn.kind is AnomalyKind.SPIKE:
        assert 0.2 <= abs(drawn.magnitude) <= 0.5
    else:
        assert drawn.magnitude > 0


def packaged_bars(*symbols):
    history = packaged_history()
    return pl.concat([history.bars(symbol).with_columns(symbol=pl.lit(symbol)) for symbol in symbols]).select(
        "symbol", "date", *OHLCV
    )


def test_planting_into_real_bars_changes_exactly_the_rows_of_the_truth():
    """Every changed or missing row lies in a planted interval and every interval changed each of its rows."""
    bars = packaged_bars("IBM", "MSFT")
    kinds = tuple(kind for kind in AnomalyKind if kind is not AnomalyKind.MISSED_SPLIT)
    corrupted, truth = plant_anomalies(bars, seed=4, share_of_blocks=0.6, kinds=kinds)
    assert set(truth["kind"]) == set(map(str, kinds))
    joined = bars.join(corrupted, on=["symbol", "date"], how="left", suffix="_bad")
    same = pl.all_horizontal(pl.col(name) == pl.col(f"{name}_bad") for name in OHLCV).fill_null(value=False)
    changed = set(joined.filter(~same).select("symbol", "date").rows())
    stated = {
        row
        for symbol, first, last, *_ in truth.rows()
        for row in bars.filter((pl.col("symbol") == symbol) & pl.col("date").is_between(first, last))
        .select("symbol", "date")
        .rows()
    }
    assert changed == stated
    holes = truth.filter(pl.col("kind") == "hole")["magnitude"].sum()
    assert corrupted.height == bars.height - holes


def test_planting_is_reproducible_and_avoids_given_dates():
    """Same seed, same truth; nothing within five sessions of a dividend."""
    bars = packaged_bars("IBM")
    avoid = packaged_history().dividends("IBM").select(pl.lit("IBM").alias("symbol"), date="ex_dividend_date")
    first, again = (plant_anomalies(bars, seed=9, share_of_blocks=1.0, avoid=avoid) for _ in range(2))
    assert first[0].equals(again[0])
    assert first[1].equals(again[1])
    assert first[1].height > 10
    dates = bars["date"].to_list()
    for _, start, last, *_ in first[1].rows():
        near = set(dates[max(0, dates.index(start) - 4) : dates.index(last) + 5])
        assert not near & set(avoid["date"])


def test_planting_nothing_changes_nothing():
    """A share of zero returns the bars and an empty truth."""
    bars = packaged_bars("FB")
    same, truth = plant_anomalies(bars, seed=1, share_of_blocks=0.0)
    assert same.equals(bars)
    assert truth.is_empty()
    assert truth.schema["date"] == pl.Date
    assert bars.item(0, "date") == dt.date(2012, 5, 18)
