"""Adjusting prices: the conventions, their edges, and what must never change."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.market_data.adjustment import (
    FIRST_DATE,
    LAST_DATE,
    Convention,
    adjusted_bars,
    adjustment_factors,
    unusable_actions,
)

DAYS = [dt.date(2020, 1, 6) + dt.timedelta(days=n) for n in range(12)]
END = DAYS[-1]


def bars_of(closes: list[float], symbol: str = "X") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": symbol,
            "date": DAYS[: len(closes)],
            "open": closes,
            "high": [close * 1.01 for close in closes],
            "low": [close * 0.99 for close in closes],
            "close": closes,
            "volume": [1000 + n for n in range(len(closes))],
        }
    )


def actions_of(*rows: tuple[dt.date, str, float], symbol: str = "X") -> pl.DataFrame:
    schema = {"symbol": pl.String, "effective_date": pl.Date, "kind": pl.String, "value": pl.Float64}
    return pl.DataFrame([(symbol, *row) for row in rows], schema=schema, orient="row")


def returns_of(bars: pl.DataFrame, actions: pl.DataFrame, **how) -> list[float]:
    adjusted = adjusted_bars(bars, adjustment_factors(bars, actions, as_of=END, **how))
    return adjusted["close"].pct_change().drop_nulls().to_list()


CLOSES = st.lists(st.floats(5, 500), min_size=4, max_size=12)
EVENTS = st.lists(
    st.tuples(
        st.integers(1, 11),
        st.one_of(
            st.tuples(st.just("split"), st.sampled_from([2.0, 3.0, 1.5, 0.1, 7.0])),
            st.tuples(st.just("spin_off"), st.sampled_from([1.046, 1.281])),
            st.tuples(st.just("dividend"), st.floats(0.01, 1.0)),
            st.tuples(st.just("special_dividend"), st.floats(0.5, 4.0)),
        ),
    ),
    max_size=6,
    unique_by=lambda event: (event[0], event[1][0]),
)


def dated(events: list[tuple[int, tuple[str, float]]]) -> pl.DataFrame:
    return actions_of(*((DAYS[day], kind, value) for day, (kind, value) in events))


def slow_adjusted_closes(
    closes: list[float], events: list[tuple[int, tuple[str, float]]], convention: Convention
) -> list[float]:
    """Walk back from the newest bar: each day's total return by the convention, applied to the day after."""
    adjusted = closes[-1:]
    for day in range(len(closes) - 1, 0, -1):
        today = [what for when, what in events if when == day]
        ratio, cash = 1.0, sum(value for kind, value in today if "dividend" in kind)
        for kind, value in today:
            ratio *= 1.0 if "dividend" in kind else value
        if convention is Convention.VENDOR:
            gross = ratio * (closes[day] + cash) / closes[day - 1]
        else:
            gross = closes[day] / (closes[day - 1] / ratio - cash)
        adjusted.insert(0, adjusted[0] / gross)
    return adjusted


def test_two_for_one_split():
    """Before a two-for-one split prices are halved and volume doubled; from the split on nothing changes."""
    bars = bars_of([100.0, 102.0, 50.0, 51.0])
    factors = adjustment_factors(bars, actions_of((DAYS[2], "split", 2.0)), as_of=END)
    assert factors.rows() == [
        ("X", FIRST_DATE, DAYS[1], 0.5, 2.0),
        ("X", DAYS[2], LAST_DATE, 1.0, 1.0),
    ]
    adjusted = adjusted_bars(bars, factors)
    assert adjusted["close"].to_list() == [50.0, 51.0, 50.0, 51.0]
    assert adjusted["high"].to_list() == pytest.approx([50.5, 51.51, 50.5, 51.51])
    assert adjusted["volume"].to_list() == [2000.0, 2002.0, 1002.0, 1003.0]


def test_dividend_conventions():
    """The vendor reinvests at the ex-date's close, CRSP at the close before."""
    bars, dividend = bars_of([100.0, 98.0]), actions_of((DAYS[1], "dividend", 2.0))
    vendor = adjustment_factors(bars, dividend, as_of=END)
    crsp = adjustment_factors(bars, dividend, as_of=END, convention=Convention.CRSP)
    assert vendor["price_factor"].to_list() == [98 / 100, 1.0]
    assert crsp["price_factor"].to_list() == [1 - 2 / 100, 1.0]
    assert vendor["volume_factor"].to_list() == [1.0, 1.0]


def test_spin_off_moves_prices_and_not_volume():
    """A spin-off lowers earlier prices and leaves the number of shares as it is."""
    bars = bars_of([104.6, 100.0])
    factors = adjustment_factors(bars, actions_of((DAYS[1], "spin_off", 1.046)), as_of=END)
    assert factors["price_factor"].to_list() == [1 / 1.046, 1.0]
    assert factors["volume_factor"].to_list() == [1.0, 1.0]


def test_split_and_dividend_on_one_day():
    """The split comes first, so the dividend is per new share in both conventions."""
    bars = bars_of([100.0, 49.0])
    both = actions_of((DAYS[1], "split", 2.0), (DAYS[1], "dividend", 1.0))
    # 100 before becomes two shares of 49 and two dividends of 1: nothing was won or lost.
    assert returns_of(bars, both) == [pytest.approx(0.0)]
    assert returns_of(bars, both, convention=Convention.CRSP) == [pytest.approx(49 / (50 - 1) - 1)]


def test_missing_ex_date_bar_uses_the_next_close():
    """With the ex-date's bar missing the first close on or after it stands in for it."""
    bars = bars_of([100.0, 99.0, 98.0, 97.0]).filter(pl.col("date") != DAYS[2])
    factors = adjustment_factors(bars, actions_of((DAYS[2], "dividend", 1.0)), as_of=END)
    assert factors.select("valid_to", "price_factor").row(0) == (DAYS[1], 97 / 98)


def test_split_between_the_ex_date_and_the_next_bar():
    """A close on the far side of a later split is put back to the units of the dividend."""
    bars = bars_of([100.0, 0.0, 0.0, 50.0]).filter(pl.col("close") > 0)
    actions = actions_of((DAYS[1], "dividend", 4.0), (DAYS[2], "split", 2.0))
    vendor = adjustment_factors(bars, actions, as_of=END)
    assert vendor["price_factor"].to_list() == pytest.approx([100 / 104 / 2, 1 / 2, 1.0])
    crsp = adjustment_factors(
        bars, actions_of((DAYS[1], "split", 2.0), (DAYS[2], "dividend", 4.0)), as_of=END, convention=Convention.CRSP
    )
    # The close before, 100, is 50 per new share.
    assert crsp["price_factor"].to_list() == pytest.approx([(1 - 4 / 50) / 2, 1 - 4 / 50, 1.0])


def test_withheld_close_is_not_used():
    """A null, zero or infinite close counts as a missing bar."""
    for bad in (None, 0.0, float("inf"), float("nan")):
        bars = bars_of([100.0, 99.0, 97.0]).with_columns(close=pl.Series([100.0, bad, 97.0]))
        factors = adjustment_factors(bars, actions_of((DAYS[1], "dividend", 1.0)), as_of=END)
        assert factors["price_factor"].to_list() == [97 / 98, 1.0]


def test_events_that_cannot_count_are_listed():
    """Each event that is left out is named with its reason, and leaves the factors as if it were absent."""
    bars = bars_of([100.0, 99.0, 98.0])
    actions = pl.concat(
        [
            actions_of(
                (DAYS[0], "dividend", 1.0), (DAYS[1], "split", -1.0), (DAYS[2], "dividend", 99.0), (END, "split", 2.0)
            ),
            actions_of((DAYS[1], "split", 2.0), symbol="UNKNOWN"),
        ]
    )
    left_out = unusable_actions(bars, actions, as_of=END, convention=Convention.CRSP)
    assert left_out.rows() == [
        ("UNKNOWN", DAYS[1], "no bar before it is stored"),
        ("X", DAYS[0], "no bar before it is stored"),
        ("X", DAYS[1], "its value is not a positive number"),
        ("X", DAYS[2], "the dividend is not below the close before it, which the crsp convention cannot express"),
        ("X", END, "no bar on or after it is stored yet"),
    ]
    assert adjustment_factors(bars, actions, as_of=END, convention=Convention.CRSP).is_empty()
    assert unusable_actions(bars.clear(), actions, as_of=END).height == 5


def test_symbols_without_events_are_absent_and_unchanged():
    """Bars of a symbol without a row among the factors come back as they are."""
    bars = pl.concat([bars_of([10.0, 11.0], "A"), bars_of([100.0, 50.0], "B")])
    factors = adjustment_factors(bars, actions_of((DAYS[1], "split", 2.0), symbol="B"), as_of=END)
    assert factors["symbol"].unique().to_list() == ["B"]
    adjusted = adjusted_bars(bars.reverse(), factors)
    assert adjusted["close"].to_list() == [10.0, 11.0, 50.0, 50.0]


@given(closes=CLOSES, events=EVENTS, convention=st.sampled_from(Convention))
def test_adjusted_returns_are_total_returns(closes, events, convention):
    """Adjusted closes equal a slow walk that applies each day's total return by the convention."""
    events = [event for event in events if event[0] < len(closes)]
    if convention is Convention.CRSP:
        closes = [close + 60 for close in closes]  # an event may hold 5 of cash on shares split ten ways
    bars = bars_of(closes)
    factors = adjustment_factors(bars, dated(events), as_of=END, convention=convention)
    adjusted = adjusted_bars(bars, factors)["close"].to_list()
    assert adjusted == pytest.approx(slow_adjusted_closes(closes, events, convention), rel=1e-12)
    assert adjusted[-1] == closes[-1]


@given(closes=CLOSES, events=EVENTS, cut=st.integers(1, 11))
def test_nothing_after_as_of_counts(closes, events, cut):
    """Factors as of a date are those of a world in which nothing happened after it."""
    bars, actions, as_of = bars_of(closes), dated(events), DAYS[cut]
    known = adjustment_factors(bars, actions, as_of=as_of)
    alone = adjustment_factors(
        bars.filter(pl.col("date") <= as_of), actions.filter(pl.col("effective_date") <= as_of), as_of=END
    )
    assert known.equals(alone)


@given(closes=CLOSES, events=EVENTS)
def test_a_later_event_rescales_the_past_by_one_constant(closes, events):
    """One more event at the end multiplies all earlier adjusted prices by the same number."""
    last = len(closes) - 1
    bars, earlier = bars_of(closes), [event for event in events if event[0] < last]
    before, after = (
        adjusted_bars(bars, adjustment_factors(bars, dated(those), as_of=END))["close"]
        for those in (earlier, [*earlier, (last, ("dividend", 0.5))])
    )
    scale = (after / before)[:last]
    assert scale.to_list() == pytest.approx([closes[last] / (closes[last] + 0.5)] * last, rel=1e-12)


@given(events=EVENTS)
def test_spans_cover_every_date_once(events):
    """The spans of a symbol start at the first date, end at the last, and follow each other without gap."""
    factors = adjustment_factors(bars_of([50.0 + n for n in range(12)]), dated(events), as_of=END)
    if not events:
        assert factors.is_empty()
        return
    starts, ends = factors["valid_from"].to_list(), factors["valid_to"].to_list()
    assert (starts[0], ends[-1]) == (FIRST_DATE, LAST_DATE)
    assert starts[1:] == [end + dt.timedelta(days=1) for end in ends[:-1]]
    assert factors.row(-1)[3:] == (1.0, 1.0)
