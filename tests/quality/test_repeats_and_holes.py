"""Stale bars and missing sessions."""

from __future__ import annotations

import polars as pl
import pytest

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.quality.holes import hole_findings
from quant_assets.quality.repeats import repeat_findings
from tests.support.quality_panels import changed, made_up_bars

PRICES = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def bars():
    return made_up_bars(symbols=3, sessions=320)


def repeated(bars, symbol, row, count, *, flat=False):
    """Bars in which ``count`` bars from a row on repeat the one before."""
    own = bars.filter(pl.col("symbol") == symbol)
    source = own.row(row - 1, named=True)
    for date in own["date"][row : row + count]:
        values = {name: source["close"] if flat else source[name] for name in PRICES}
        bars = changed(bars, symbol, date, **values)
    return bars, own["date"][row : row + count].to_list()


def test_sound_bars_repeat_nothing(bars):
    """Bars that move raise nothing."""
    assert repeat_findings(bars).is_empty()
    assert repeat_findings(bars.clear()).is_empty()


def test_a_repeated_bar_is_withheld(bars):
    """Four equal prices over a range of many ticks are HIGH on the first repeat."""
    stale, dates = repeated(bars, "S1", 300, 1)
    found = repeat_findings(stale)
    assert found.select("symbol", "date", "kind", "severity").rows() == [("S1", dates[0], "repeated_bar", "HIGH")]
    assert "all repeat the bar before" in found["details"][0]


def test_a_flat_run_is_found_by_its_improbability(bars):
    """Closes that stand still: nothing at first, MEDIUM once it is less likely than 1e-5, HIGH from 1e-7 on."""
    stale, dates = repeated(bars, "S1", 300, 5, flat=True)
    found = repeat_findings(stale).filter(pl.col("kind") == "stale_close")
    # The symbol's close hardly ever stands still, so the share is at its floor of 1 %: 0.01 ** 3 = 1e-6.
    assert found.select("date", "severity", "magnitude").rows() == [
        (dates[2], "MEDIUM", 3.0),
        (dates[3], "HIGH", 4.0),
        (dates[4], "HIGH", 5.0),
    ]
    assert found["details"][0].endswith("has not moved for 4 bars")


def test_a_symbol_that_hardly_trades_is_left_alone(bars):
    """Where half of the closes stand still, three in a row are nothing."""
    own = bars.filter(pl.col("symbol") == "S0").with_row_index()
    sleepy = own.with_columns(
        pl.when(pl.col("index") % 4 < 2).then(40.0).otherwise(40.01).alias("close"),
        pl.lit(40.0).alias("low"),
        pl.lit(40.01).alias("high"),
        pl.lit(40.0).alias("open"),
    ).drop("index")
    assert repeat_findings(sleepy.tail(100)).is_empty()


def test_repeats_do_not_look_ahead(bars):
    """What is said about a bar is said without the bars after it."""
    stale, dates = repeated(bars, "S1", 300, 5, flat=True)
    early = repeat_findings(stale.filter(pl.col("date") <= dates[3]))
    assert early.equals(repeat_findings(stale).filter(pl.col("date") <= dates[3]))


def test_a_hole_is_shown_by_the_bar_after_it(bars):
    """One finding per hole, dated its first missing session and known at the next bar; weekends are no holes."""
    dates = bars["date"].unique().sort()
    holed = bars.filter(~((pl.col("symbol") == "S2") & pl.col("date").is_between(dates[100], dates[102])))
    found = hole_findings(holed, new_york_calendar())
    assert found.select("symbol", "date", "kind", "severity", "magnitude", "known_date").rows() == [
        ("S2", dates[100], "missing_session", "MEDIUM", 3.0, dates[103])
    ]
    assert f"no bar for 3 session(s) after {dates[99]}" in found["details"][0]


def test_a_late_symbol_is_no_hole(bars):
    """A symbol whose newest bars are missing may be late; nothing is raised until a later bar arrives."""
    dates = bars["date"].unique().sort()
    late = bars.filter(~((pl.col("symbol") == "S2") & (pl.col("date") > dates[-4])))
    assert hole_findings(late, new_york_calendar()).is_empty()
    assert hole_findings(late.clear(), new_york_calendar()).is_empty()


def test_an_exchange_abroad_has_its_own_holidays(bars):
    """Holes of a foreign symbol are not judged by the New York calendar."""
    abroad = bars.filter(pl.col("symbol") == "S2").with_columns(pl.lit("TSCO.LON").alias("symbol"))
    assert hole_findings(abroad.gather_every(2), new_york_calendar()).is_empty()
