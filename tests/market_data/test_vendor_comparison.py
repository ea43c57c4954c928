"""Our adjusted closes beside the vendor's."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.market_data.action_inference import infer_actions
from quant_assets.market_data.adjustment import Convention, adjustment_factors
from quant_assets.market_data.vendor_comparison import compare_with_vendor

DAYS = [dt.date(2020, 1, 6) + dt.timedelta(days=n) for n in range(6)]
CLOSES = [100.0, 101.0, 99.0, 98.0, 97.0, 99.0]
NO_ACTIONS = pl.DataFrame(
    schema={"symbol": pl.String, "effective_date": pl.Date, "kind": pl.String, "value": pl.Float64}
)


def bars_of(adjusted: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame({"symbol": "X", "date": DAYS, "close": CLOSES, "adjusted_close": adjusted})


def dividend_of(day: int, value: float) -> pl.DataFrame:
    return pl.DataFrame({"symbol": ["X"], "effective_date": [DAYS[day]], "kind": ["dividend"], "value": [value]})


def compared(bars: pl.DataFrame, actions: pl.DataFrame) -> dict:
    return compare_with_vendor(bars, adjustment_factors(bars, actions, as_of=DAYS[-1])).row(0, named=True)


def adjusted_by(day: int, factor: float) -> list[float]:
    return [close * (factor if n < day else 1.0) for n, close in enumerate(CLOSES)]


def test_packaged_history_matches_the_vendor(packaged_bars):
    """Over 13 years and 95 events our closes equal the packaged adjusted ones as far as their digits reach."""
    actions = infer_actions(packaged_bars, NO_ACTIONS).actions
    factors = adjustment_factors(packaged_bars, actions, as_of=dt.date(2013, 3, 1))
    vendor = compare_with_vendor(packaged_bars, factors)
    # Twelve decimals of closes above 4 leave 1.25e-13 on each of the two that the comparison divides.
    assert vendor["max_relative_difference"].max() < 2.5e-13
    assert vendor.select("events_apart", "borders").sum().row(0) == (0, 0)
    crsp = adjustment_factors(packaged_bars, actions, as_of=dt.date(2013, 3, 1), convention=Convention.CRSP)
    by_symbol = dict(compare_with_vendor(packaged_bars, crsp).select("symbol", "max_relative_difference").iter_rows())
    assert 1e-4 < by_symbol["IBM"] < 1e-3


def test_other_factor_for_an_event_is_a_difference():
    """A dividend that the vendor adjusts by 2 % and we by 1 % shows as one event apart and in the level before it."""
    bars, ours = bars_of(adjusted_by(2, 0.98)), dividend_of(2, 1.0)
    found = compared(bars, ours)
    assert found["max_relative_difference"] == pytest.approx(1 - 0.98 / 0.99)
    assert (found["rows"], found["at_date"], found["events_apart"], found["borders"]) == (6, DAYS[0], 1, 0)


def test_border_between_vintages_is_no_difference():
    """Older rows that lack a later dividend differ by a constant, which is a border and not a disagreement."""
    whole = adjusted_by(4, 97 / 98)
    stale = [CLOSES[0], CLOSES[1], *whole[2:]]
    found = compared(bars_of(stale), dividend_of(4, 1.0))
    assert found["max_relative_difference"] == pytest.approx(0.0, abs=1e-12)
    assert (found["events_apart"], found["borders"]) == (0, 1)


def test_rows_without_an_adjusted_close_are_left_out():
    """Bars of the plain function have nothing to compare."""
    found = compared(bars_of([None, None, *adjusted_by(4, 97 / 98)[2:]]), dividend_of(4, 1.0))
    assert found["rows"] == 4
    nothing = bars_of([None] * 6).with_columns(pl.col("adjusted_close").cast(pl.Float64))
    assert compare_with_vendor(nothing, adjustment_factors(nothing, NO_ACTIONS, as_of=DAYS[-1])).is_empty()
