"""Which bars are let through, one after the other."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from quant_assets.quality.gate import SymbolGate
from quant_assets.quality.gate_records import ANY_PRICE_KIND, GateHistory, Withheld
from quant_assets.quality.muting import MutedPatterns
from quant_assets.quality.reference import SymbolBars
from quant_assets.quality.scan_preparation import prepare_bars
from quant_assets.quality.tables import BAR_SCORES
from tests.support.quality_panels import actions_of, as_stored, changed, made_up_bars, packaged, scan_input

PRICES = ("open", "high", "low", "close")
HIGH_SCORE = 7.0
ROW = 200


@pytest.fixture(scope="module")
def bars():
    return made_up_bars(symbols=5, sessions=260)


@pytest.fixture(scope="module")
def dates(bars):
    return bars["date"].unique().sort().to_list()


def scaled(bars, symbol, dates, factor, *, volume=1.0):
    for date in dates:
        bars = changed(bars, symbol, date, **{n: pl.col(n) * factor for n in PRICES}, volume=pl.col("volume") * volume)
    return bars


def symbol_bars(bars, symbol, actions=None):
    scan = scan_input(as_stored(bars), actions)
    measures = prepare_bars(scan, BAR_SCORES.empty(), MutedPatterns()).measures
    own = measures.filter(pl.col("symbol") == symbol).with_columns(
        pl.lit(None, dtype=pl.Float64).alias("expected_step"), pl.lit(value=False).alias("is_stale")
    )
    return SymbolBars.from_frame(symbol, own)


def walk(bars, symbol="S1", actions=None, *, history=None, pending=None, note=None):
    own = symbol_bars(bars, symbol, actions)
    mask = np.ones(len(own.dates), dtype=bool) if pending is None else np.isin(own.dates, pending)
    return SymbolGate(own, history or GateHistory(), note).walk(mask, HIGH_SCORE)


def test_sound_bars_all_pass(bars):
    """Nothing is withheld of a market of sound bars."""
    for symbol in ("S0", "S1", "S2", "S3", "S4"):
        path = walk(bars, symbol)
        assert (path.verdicts, path.withheld, path.confirmations) == ({}, {}, [])


@pytest.mark.parametrize("factor", [0.01, 0.1, 10.0, 100.0])
def test_a_shifted_bar_is_withheld_and_confirmed_by_the_next(bars, dates, factor):
    """A 10x or 100x shift is named on its night; the next bar, back at the old level, confirms it and passes."""
    path = walk(scaled(bars, "S1", dates[ROW : ROW + 1], factor))
    assert list(path.withheld) == [dates[ROW]]
    assert path.verdicts[dates[ROW]].kind == "decimal_shift"
    assert (
        f"{max(factor, 1 / factor):g} times {'above' if factor > 1 else 'below'}" in path.verdicts[dates[ROW]].details
    )
    (confirmation,) = path.confirmations
    assert (confirmation.verdict, confirmation.event_date, confirmation.known_date) == (
        "confirmed",
        dates[ROW],
        dates[ROW + 1],
    )
    assert path.reference == {dates[ROW + 1]: dates[ROW - 1]}


@pytest.mark.parametrize("volume", [1.0, 2.0])
def test_a_missed_split_withholds_the_symbol_until_the_level_is_explained(bars, dates, volume):
    """Halved prices on ordinary volume, moved along or not, are withheld from there on as one event."""
    path = walk(scaled(bars, "S1", dates[ROW:], 0.5, volume=volume))
    assert list(path.verdicts) == [dates[ROW]]
    assert path.verdicts[dates[ROW]].pattern == "unadjusted_split:2"
    assert list(path.withheld) == dates[ROW:]
    assert {entry.event_date for entry in path.withheld.values()} == {dates[ROW]}


def test_a_jump_that_holds_inside_an_open_level_is_not_let_through(bars, dates):
    """After a missed split another jump holds: right by itself, it shares the level's fate, on later nights too."""
    wrong = scaled(scaled(bars, "S1", dates[ROW:], 0.5), "S1", dates[ROW + 20 :], 1.17)
    path = walk(wrong)
    assert path.verdicts[dates[ROW + 20]].kind == "price_jump"
    assert path.released == {}
    assert {date: entry.kind for date, entry in path.withheld.items()} == dict.fromkeys(dates[ROW:], "unadjusted_split")
    again = walk(wrong, history=GateHistory(path.withheld), pending=dates[ROW:])
    assert (again.withheld, again.released) == (path.withheld, {})
    held = dict(path.withheld)
    for count in (20, 21, 22):
        night = walk(wrong, history=GateHistory(held), pending=[d for d in dates[ROW:] if d <= dates[ROW + count]])
        assert night.released == {}
        held = {date: entry for date, entry in held.items() if date > dates[ROW + count]} | night.withheld
    assert held == path.withheld


def test_a_recorded_split_explains_the_level(bars, dates):
    """With the split on record nothing is withheld; bars that were, are found explained."""
    halved = scaled(bars, "S1", dates[ROW:], 0.5, volume=2.0)
    split = actions_of(("S1", dates[ROW], "split", 2.0))
    assert walk(halved, actions=split).withheld == {}
    history = GateHistory(walk(halved).withheld)
    late = walk(halved, actions=split, history=history, pending=dates[ROW:])
    assert late.withheld == {}
    assert late.verdicts == {}


def test_the_same_fall_on_heavy_volume_is_news(bars, dates):
    """Halved prices on twenty times the volume pass, and so does everything after."""
    crash = scaled(bars, "S1", dates[ROW:], 0.5)
    crash = changed(crash, "S1", dates[ROW], volume=pl.col("volume") * 20)
    assert walk(crash).withheld == {}


def test_an_unexplained_jump_that_holds_is_released(bars, dates):
    """A jump of 17 % on ordinary volume is withheld one night; the next bar holds the level and releases it."""
    path = walk(scaled(bars, "S1", dates[ROW:], 1.17))
    assert path.verdicts[dates[ROW]].kind == "price_jump"
    assert list(path.withheld) == [dates[ROW]]
    assert path.released[dates[ROW]][0] == dates[ROW + 1]
    assert [c.verdict for c in path.confirmations] == ["released"]


def test_an_unexplained_jump_that_returns_stays_withheld(bars, dates):
    """The same jump of one bar alone is confirmed wrong."""
    path = walk(scaled(bars, "S1", dates[ROW : ROW + 1], 1.17))
    assert list(path.withheld) == [dates[ROW]]
    assert path.released == {}
    assert [c.verdict for c in path.confirmations] == ["confirmed"]


def test_a_split_without_a_jump_is_withheld(bars, dates):
    """A recorded split on a day on which the price did not move withholds the symbol from there on."""
    path = walk(bars, actions=actions_of(("S1", dates[ROW], "split", 4.0)))
    assert path.verdicts[dates[ROW]].kind == "split_without_jump"
    assert "a split by 4 is recorded" in path.verdicts[dates[ROW]].details
    assert list(path.withheld) == dates[ROW:]


def test_a_dividend_of_half_the_price_without_a_fall_is_not_credible(bars, dates):
    """A recorded dividend that the price knows nothing of withholds the symbol; an ordinary one does not."""
    close = bars.filter((pl.col("symbol") == "S1") & (pl.col("date") == dates[ROW]))["close"].item()
    path = walk(bars, actions=actions_of(("S1", dates[ROW], "dividend", close / 2)))
    assert path.verdicts[dates[ROW]].kind == "dividend_not_credible"
    assert walk(bars, actions=actions_of(("S1", dates[ROW], "dividend", close / 100))).withheld == {}


def test_other_prices_under_the_same_ticker_are_a_broken_level(bars, dates):
    """Ten bars at four and a half times the price on a tenth of the volume are withheld; the return confirms it."""
    path = walk(scaled(bars, "S1", dates[ROW : ROW + 10], 4.6, volume=0.1))
    assert path.verdicts[dates[ROW]].kind == "level_break"
    assert list(path.withheld) == dates[ROW : ROW + 10]
    assert path.confirmations[-1].known_date == dates[ROW + 10]


def test_further_errors_show_inside_a_withheld_level(bars, dates):
    """A shift inside a missed split is an event of its own; the level goes on after it."""
    halved = scaled(bars, "S1", dates[ROW:], 0.5, volume=2.0)
    path = walk(scaled(halved, "S1", dates[ROW + 20 : ROW + 21], 100.0))
    assert {date: v.kind for date, v in path.verdicts.items()} == {
        dates[ROW]: "unadjusted_split",
        dates[ROW + 20]: "decimal_shift",
    }
    assert list(path.withheld) == dates[ROW:]
    assert path.withheld[dates[ROW + 21]].event_date == dates[ROW]


def test_a_long_withheld_level_closes_only_where_the_jump_is_taken_back(bars, dates):
    """After 40 sessions at half the price the return to the old level is recognised, and all before stays withheld."""
    path = walk(scaled(bars, "S1", dates[ROW : ROW + 40], 0.5, volume=2.0))
    assert list(path.withheld) == dates[ROW : ROW + 40]
    assert [(c.verdict, c.event_date, c.known_date) for c in path.confirmations] == [
        ("confirmed", dates[ROW], dates[ROW + 40])
    ]


def test_the_way_back_from_a_spike_that_had_passed_is_no_event(bars, dates):
    """A spike on heavy volume passes as news; the bar that takes it back confirms it and is no event itself."""
    spike = changed(
        bars, "S1", dates[ROW], high=pl.col("high") * 1.6, close=pl.col("close") * 1.6, volume=pl.col("volume") * 9
    )
    path = walk(spike)
    assert path.withheld == {}
    (confirmation,) = path.confirmations
    assert (confirmation.kind, confirmation.verdict) == (ANY_PRICE_KIND, "confirmed")
    assert path.reference == {dates[ROW + 1]: dates[ROW - 1]}


def test_a_level_that_had_passed_as_news_is_withheld_once_it_is_taken_back(bars, dates):
    """A missed split on a busy day passes; the bar that takes it back is no error, and shows that its bars were."""
    halved = scaled(bars, "S1", dates[ROW : ROW + 10], 0.5)
    halved = changed(halved, "S1", dates[ROW], volume=pl.col("volume") * 20)
    path = walk(halved)
    assert (path.verdicts, path.withheld) == ({}, {})
    assert list(path.hindsight) == dates[ROW : ROW + 10]
    assert [(c.verdict, c.event_date, c.known_date) for c in path.confirmations] == [
        ("confirmed", dates[ROW], dates[ROW + 10])
    ]


def test_news_there_and_back_is_left_alone(bars, dates):
    """Two moves of ordinary size in opposite directions, each on heavy volume, withhold nothing in hindsight."""
    moved = scaled(bars, "S1", dates[ROW : ROW + 10], 0.9)
    for date in (dates[ROW], dates[ROW + 10]):
        moved = changed(moved, "S1", date, volume=pl.col("volume") * 8)
    path = walk(moved)
    assert (path.withheld, path.hindsight) == ({}, {})


def test_a_stale_run_is_passed_over(bars, dates):
    """Bars flagged as stale are never a reference: the bar after them is compared with the one before them."""
    own = symbol_bars(scaled(bars, "S1", dates[ROW + 5 :], 1.1), "S1")
    own.is_stale[ROW : ROW + 5] = True
    path = SymbolGate(own, GateHistory()).walk(np.ones(len(own.dates), dtype=bool), HIGH_SCORE)
    assert path.reference[dates[ROW + 5]] == dates[ROW - 1]


def test_a_cleared_bar_passes_whatever_it_looks_like(bars, dates):
    """A bar that a person released is accepted, and so is the level it sets."""
    halved = scaled(bars, "S1", dates[ROW:], 0.5)
    path = walk(halved, history=GateHistory(passed=frozenset({dates[ROW]})))
    assert path.withheld == {}


def test_a_muted_pattern_is_not_withheld(bars, dates):
    """A dismissed pattern passes, and the walk remembers what it kept quiet."""
    halved = scaled(bars, "S1", dates[ROW:], 0.5)
    path = walk(halved, history=GateHistory(is_muted=lambda pattern, _: pattern == "unadjusted_split:2"))
    assert path.withheld == {}
    assert list(path.muted) == [dates[ROW]]


def test_a_night_takes_up_what_the_night_before_left_open(bars, dates):
    """Decided one session at a time, with what was withheld handed on, the outcome is that of one walk."""
    wrong = scaled(bars, "S1", dates[ROW : ROW + 1], 1.17)
    wrong = scaled(wrong, "S1", dates[ROW + 10 : ROW + 14], 0.01)
    at_once = walk(wrong)
    withheld, passed, confirmations = {}, set(), []
    for row in range(ROW - 5, ROW + 20):
        path = walk(
            wrong.filter(pl.col("date") <= dates[row]),
            history=GateHistory(dict(withheld), frozenset(passed)),
            # A level that is still open is decided again with every night's knowledge.
            pending=[dates[row], *(d for d, entry in withheld.items() if entry.kind == "decimal_shift")],
        )
        withheld |= path.withheld
        passed |= set(path.released)
        confirmations += path.confirmations
    assert withheld == at_once.withheld
    assert set(confirmations) == set(at_once.confirmations)


def test_decisions_do_not_look_ahead(bars, dates):
    """What is decided about a bar is the same without the bars after it."""
    wrong = scaled(scaled(bars, "S1", dates[ROW : ROW + 3], 100.0), "S1", dates[ROW + 20 :], 0.5)
    whole = walk(wrong)
    for row in (ROW, ROW + 1, ROW + 3, ROW + 20, ROW + 22):
        cut = walk(wrong.filter(pl.col("date") <= dates[row]))
        assert cut.withheld == {date: entry for date, entry in whole.withheld.items() if date <= dates[row]}
        assert cut.verdicts == {date: verdict for date, verdict in whole.verdicts.items() if date <= dates[row]}


def test_a_standing_verdict_outlives_a_change_of_the_neighbours(bars, dates):
    """A bar withheld on an earlier night stays so where only other symbols' bars came in since."""
    sound = Withheld(dates[ROW], dates[ROW], "level_break", "as it looked then")
    path = walk(bars, history=GateHistory({dates[ROW]: sound}), pending=dates[ROW:])
    assert path.withheld[dates[ROW]].reason == "as it looked then"


def test_the_vendors_list_of_splits_is_named(bars, dates):
    """The words of a missed split say what is known of the vendor's own list."""
    halved = scaled(bars, "S1", dates[ROW:], 0.5)
    path = walk(halved, note=lambda date: f"the list was asked on {date}")
    assert path.verdicts[dates[ROW]].details.endswith(f"the list was asked on {dates[ROW]}")


def test_a_young_symbol_is_only_judged_on_certain_shapes():
    """With 15 bars of history a hundredfold shift is still found, and ordinary moves pass."""
    young = made_up_bars(symbols=3, sessions=20)
    day = young["date"].unique().sort().to_list()
    assert walk(young).withheld == {}
    path = walk(scaled(young, "S1", day[15:16], 100.0))
    assert list(path.withheld) == [day[15]]


def test_without_a_volume_feed_a_jump_is_not_withheld_but_a_clean_split_is(bars, dates):
    """Nothing tells news from a bad tick then; halved prices in an otherwise ordinary bar still do."""
    silent = bars.with_columns(pl.lit(None, dtype=pl.Int64).alias("volume"))
    assert walk(scaled(silent, "S1", dates[ROW:], 1.17)).withheld == {}
    assert walk(scaled(silent, "S1", dates[ROW:], 0.5)).verdicts[dates[ROW]].kind == "unadjusted_split"


def test_true_crashes_of_the_packaged_history_pass():
    """No day of the five stocks is withheld as a jump, AAPL's halving of 2000-09-29 included."""
    bars, actions = packaged()
    assert ("AAPL", dt.date(2000, 9, 29)) in bars.select("symbol", "date").rows()
    for symbol in ("AAPL", "FB", "GOOG", "IBM", "MSFT"):
        assert walk(bars.select("symbol", "date", *PRICES, "volume"), symbol, actions).withheld == {}


def test_real_splits_are_missed_where_they_are_not_recorded():
    """Without the record, each of the three packaged splits is found on its day, and named two for one."""
    bars, actions = packaged()
    found = {}
    for symbol, date in (
        ("AAPL", dt.date(2000, 6, 21)),
        ("AAPL", dt.date(2005, 2, 28)),
        ("MSFT", dt.date(2003, 2, 18)),
    ):
        without = actions.filter(~((pl.col("symbol") == symbol) & (pl.col("effective_date") == date)))
        path = walk(bars.select("symbol", "date", *PRICES, "volume"), symbol, without)
        found[symbol, date] = path.verdicts[date].pattern
    assert set(found.values()) == {"unadjusted_split:2"}
