"""One table of actions out of several sources."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.action_reconciliation import ActionSetting, reconcile_actions, update_actions
from quant_assets.market_data.corporate_actions import (
    FOUND_SCHEMA,
    actions_from_bars,
    actions_from_dividend_list,
    actions_from_split_list,
)
from quant_assets.market_data.ports import ACTIONS_SCHEMA

FRI, SAT, MON, TUE, WED = (dt.date(2020, 1, day) for day in (3, 4, 6, 7, 8))
FRI_LATER = dt.date(2020, 1, 10)
SEEN = dt.datetime(2020, 2, 1, tzinfo=dt.UTC)
LATER = dt.datetime(2020, 2, 2, tzinfo=dt.UTC)
STORED_SCHEMA = {**FOUND_SCHEMA, "first_seen_at": pl.Datetime("us", "UTC")}
NO_BARS = pl.DataFrame(schema={"symbol": pl.String, "date": pl.Date, "close": pl.Float64, "adjusted_close": pl.Float64})


def bars_of(*rows: tuple[dt.date, float, float]) -> pl.DataFrame:
    schema = {
        "symbol": pl.String,
        "date": pl.Date,
        "dividend_amount": pl.Float64,
        "split_coefficient": pl.Float64,
        "close": pl.Float64,
    }
    return pl.DataFrame([("X", *row, 100.0) for row in rows], schema=schema, orient="row")


def list_of(kind: str, *rows: tuple[dt.date, float]) -> pl.DataFrame:
    return pl.DataFrame([("X", date, kind, value) for date, value in rows], schema=ACTIONS_SCHEMA, orient="row")


def splits_of(*rows: tuple[dt.date, float]):
    return actions_from_split_list(list_of("split", *rows), ["X"])


def dividends_of(*rows: tuple[dt.date, float]):
    return actions_from_dividend_list(list_of("dividend", *rows), ["X"])


def stored_of(*rows: tuple[dt.date, str, float, str]) -> pl.DataFrame:
    return pl.DataFrame([("X", *row, SEEN) for row in rows], schema=STORED_SCHEMA, orient="row")


def setting_of(bars: pl.DataFrame = NO_BARS, at: dt.datetime = LATER) -> ActionSetting:
    return ActionSetting(bars, new_york_calendar(), at)


def rows_of(actions: pl.DataFrame) -> list[tuple]:
    return actions.select("effective_date", "kind", "value", "source").rows()


def test_one_event_from_two_sources_counts_once():
    """Bars and lists that agree give one row, under the name of the bars."""
    bars = bars_of((MON, 0.8, 1.0), (TUE, 0.0, 2.0))
    evidence = [actions_from_bars(bars), splits_of((TUE, 2.0)), dividends_of((MON, 0.8))]
    reconciled = reconcile_actions(evidence, stored_of(), setting_of(bars))
    assert rows_of(reconciled.actions) == [(MON, "dividend", 0.8, "vendor_bars"), (TUE, "split", 2.0, "vendor_bars")]
    assert reconciled.new.equals(reconciled.actions)
    assert reconciled.conflicts.is_empty()


def test_date_that_is_no_session_moves_to_the_next_one():
    """A Saturday's dividend becomes Monday's, and then is the one that the bars have."""
    bars = bars_of((MON, 0.8, 1.0))
    alone = reconcile_actions([dividends_of((SAT, 0.8))], stored_of(), setting_of())
    assert rows_of(alone.actions) == [(MON, "dividend", 0.8, "vendor_dividends")]
    both = reconcile_actions([actions_from_bars(bars), dividends_of((SAT, 0.8))], stored_of(), setting_of(bars))
    assert rows_of(both.actions) == [(MON, "dividend", 0.8, "vendor_bars")]


def test_date_beyond_the_calendar_stays():
    """A date after the calendar's last session is kept as it is."""
    far = dt.date(2199, 1, 5)
    reconciled = reconcile_actions([splits_of((far, 2.0))], stored_of(), setting_of())
    assert rows_of(reconciled.actions) == [(far, "split", 2.0, "vendor_splits")]


def test_equal_events_a_session_apart_are_one():
    """The same split on two neighbouring dates is the believed source's, and the disagreement is listed."""
    bars = bars_of((MON, 0.0, 2.0))
    reconciled = reconcile_actions([actions_from_bars(bars), splits_of((FRI, 2.0))], stored_of(), setting_of(bars))
    assert rows_of(reconciled.actions) == [(MON, "split", 2.0, "vendor_bars")]
    conflict = reconciled.conflicts.row(0, named=True)
    assert (conflict["effective_date"], conflict["other_date"], conflict["other_source"]) == (
        MON,
        FRI,
        "vendor_splits",
    )


def test_weekly_dividends_of_one_amount_stay_apart():
    """Equal dividends five sessions apart are two events."""
    week = [FRI, FRI_LATER]
    bars = bars_of((week[0], 0.1, 1.0))
    evidence = [actions_from_bars(bars), dividends_of((week[0], 0.1), (week[1], 0.1))]
    reconciled = reconcile_actions(evidence, stored_of(), setting_of(bars))
    assert reconciled.actions["effective_date"].to_list() == week


def test_different_values_are_a_conflict():
    """Where sources disagree on an amount the bars are believed and the other is listed."""
    bars = bars_of((MON, 0.8, 1.0))
    reconciled = reconcile_actions([actions_from_bars(bars), dividends_of((MON, 0.9))], stored_of(), setting_of(bars))
    assert rows_of(reconciled.actions) == [(MON, "dividend", 0.8, "vendor_bars")]
    assert reconciled.conflicts.select("value", "other_value", "other_source").rows() == [
        (0.8, 0.9, "vendor_dividends")
    ]


def test_action_without_its_bar_is_kept():
    """A stored action stays when no bar of its day is among the evidence."""
    stored = stored_of((TUE, "split", 2.0, "vendor_bars"))
    bars = bars_of((MON, 0.0, 1.0), (WED, 0.0, 1.0))
    reconciled = reconcile_actions([actions_from_bars(bars)], stored, setting_of(bars))
    assert reconciled.actions.equals(stored)
    assert reconciled.withdrawn.is_empty()


def test_action_that_its_source_no_longer_has_is_withdrawn():
    """A bar that now has no split, or a list without the event, takes the action back."""
    stored = stored_of((MON, "dividend", 0.8, "vendor_dividends"), (TUE, "split", 2.0, "vendor_bars"))
    bars = bars_of((TUE, 0.0, 1.0))
    reconciled = reconcile_actions([actions_from_bars(bars), dividends_of()], stored, setting_of(bars))
    assert reconciled.actions.is_empty()
    assert reconciled.withdrawn.equals(stored)


def test_other_sources_do_not_withdraw():
    """An empty list of splits says nothing against a split of the bars, nor a bar against the list."""
    stored = stored_of((MON, "split", 3.0, "vendor_splits"), (TUE, "split", 2.0, "vendor_bars"))
    reconciled = reconcile_actions([actions_from_bars(bars_of((MON, 0.0, 1.0)))], stored, setting_of())
    assert reconciled.actions.equals(stored)
    again = reconcile_actions([splits_of((MON, 3.0))], stored, setting_of())
    assert again.actions.equals(stored)


def test_change_of_value_keeps_the_first_sight():
    """A corrected amount changes the row and keeps the instant at which the event was first seen."""
    stored = stored_of((MON, "dividend", 0.8, "vendor_dividends"))
    reconciled = reconcile_actions([dividends_of((MON, 0.9))], stored, setting_of())
    assert rows_of(reconciled.changed) == [(MON, "dividend", 0.9, "vendor_dividends")]
    assert reconciled.actions["first_seen_at"].to_list() == [SEEN]
    assert reconciled.new.is_empty()


def test_new_action_is_dated_by_the_clock():
    """A new event is first seen at the source's clock."""
    reconciled = reconcile_actions([splits_of((MON, 2.0))], stored_of(), setting_of())
    assert reconciled.actions["first_seen_at"].to_list() == [LATER]


def test_renaming_by_size_is_a_change_and_not_a_second_event():
    """Once the close is known a large dividend is called special, under its first sight and once."""
    stored = stored_of((MON, "dividend", 30.0, "vendor_dividends"))
    reconciled = reconcile_actions([], stored, setting_of(bars_of((MON, 0.0, 1.0))))
    assert rows_of(reconciled.actions) == [(MON, "special_dividend", 30.0, "vendor_dividends")]
    assert reconciled.actions["first_seen_at"].to_list() == [SEEN]
    assert (reconciled.new.height, reconciled.changed.height, reconciled.withdrawn.height) == (0, 1, 0)


def test_regular_and_special_dividend_of_one_date():
    """Two listed amounts of one date are two rows by size; two of the same size are added."""
    bars = bars_of((MON, 0.0, 1.0)).with_columns(dividend_amount=pl.lit(None, pl.Float64))
    two_kinds = reconcile_actions([dividends_of((MON, 0.08), (MON, 30.0))], stored_of(), setting_of(bars))
    assert two_kinds.actions.select("kind", "value").rows() == [("dividend", 0.08), ("special_dividend", 30.0)]
    same_kind = reconcile_actions([dividends_of((MON, 0.5), (MON, 0.25))], stored_of(), setting_of(bars))
    assert same_kind.actions.select("kind", "value").rows() == [("dividend", 0.75)]


REPLY = pl.DataFrame(
    {
        "symbol": "MSFT",
        "date": [FRI, MON, TUE, WED],
        "close": [29.97, 27.39, 27.0, 26.8],
        "adjusted_close": [round(29.97 * 27.39 / (27.39 + 3.08), 8), 27.39, 27.0, 26.8],
    }
)


def msft_dividends(*rows: tuple[dt.date, float]):
    listed = list_of("dividend", *rows).with_columns(symbol=pl.lit("MSFT"))
    return actions_from_dividend_list(listed, ["MSFT"])


def test_inferred_rest_stands_beside_the_recorded_dividend():
    """Of 3.08 implied, 0.08 recorded leaves a special dividend of 3.00, whichever night each became known."""
    together = update_actions([msft_dividends((MON, 0.08))], stored_of(), setting_of(REPLY), REPLY)
    expected = [(MON, "dividend", 0.08, "vendor_dividends"), (MON, "special_dividend", 3.0, "inferred")]
    assert rows_of(together.actions) == [(*row[:2], pytest.approx(row[2]), row[3]) for row in expected]
    first = update_actions([], stored_of(), setting_of(REPLY), REPLY)
    assert rows_of(first.actions) == [(MON, "special_dividend", 3.08, "inferred")]
    second = update_actions([msft_dividends((MON, 0.08))], first.actions, setting_of(REPLY), NO_BARS)
    assert rows_of(second.actions) == rows_of(together.actions)


def test_recorded_amount_replaces_the_inferred_one():
    """When the list comes to have the whole amount, nothing inferred is left."""
    first = update_actions([], stored_of(), setting_of(REPLY, SEEN), REPLY)
    second = update_actions([msft_dividends((MON, 3.08))], first.actions, setting_of(REPLY), NO_BARS)
    assert rows_of(second.actions) == [(MON, "special_dividend", 3.08, "vendor_dividends")]
    assert second.actions["first_seen_at"].to_list() == [SEEN]


def test_small_disagreement_is_listed_and_not_a_second_dividend():
    """An implied 0.81 beside a recorded 0.80 is one dividend on which the two disagree."""
    reply = REPLY.with_columns(adjusted_close=pl.Series([round(29.97 * 27.39 / (27.39 + 0.81), 8), 27.39, 27.0, 26.8]))
    reconciled = update_actions([msft_dividends((MON, 0.8))], stored_of(), setting_of(reply), reply)
    assert rows_of(reconciled.actions) == [(MON, "dividend", 0.8, "vendor_dividends")]
    assert reconciled.conflicts.select("value", "other_value").rows() == [(0.8, pytest.approx(0.81))]


def test_packaged_history_is_stable(packaged_bars, no_actions, calendar, seen_at):
    """Reading the packaged history twice gives the same table and no news the second time."""
    setting = ActionSetting(packaged_bars, calendar, seen_at)
    first = update_actions([], no_actions, setting, packaged_bars)
    assert first.new.height == 95
    second = update_actions([], first.actions, ActionSetting(packaged_bars, calendar, LATER), packaged_bars)
    assert second.actions.equals(first.actions)
    assert [second.new.height, second.changed.height, second.withdrawn.height, second.conflicts.height] == [0] * 4


EVENTS = st.lists(
    st.tuples(st.sampled_from([FRI, SAT, MON, TUE, WED, FRI_LATER]), st.sampled_from([2.0, 1.5, 1.046, 0.1])),
    max_size=4,
    unique_by=lambda event: event[0],
)
CASH = st.lists(
    st.tuples(st.sampled_from([FRI, SAT, MON, TUE, WED]), st.sampled_from([0.1, 0.25, 0.8, 30.0])), max_size=4
)


@given(splits=EVENTS, dividends=CASH, bar_cash=CASH)
def test_a_second_night_changes_nothing(splits, dividends, bar_cash):
    """Whatever the sources say, saying it again leaves the table as it is, with one row per key."""
    by_date = dict(bar_cash)
    bars = bars_of(*((date, by_date.get(date, 0.0), 1.0) for date in (FRI, MON, TUE, WED)))
    evidence = [actions_from_bars(bars), splits_of(*splits), dividends_of(*dividends)]
    first = reconcile_actions(evidence, stored_of(), setting_of(bars, SEEN))
    second = reconcile_actions(evidence, first.actions, setting_of(bars))
    assert second.actions.equals(first.actions)
    assert second.new.is_empty()
    assert second.changed.is_empty()
    assert second.withdrawn.is_empty()
    assert not first.actions.select("symbol", "effective_date", "kind").is_duplicated().any()
