"""What each source says about corporate actions."""

from __future__ import annotations

import datetime as dt

import polars as pl

from quant_assets.market_data.corporate_actions import (
    FOUND_SCHEMA,
    actions_from_bars,
    actions_from_dividend_list,
    actions_from_split_list,
    named_by_size,
)
from quant_assets.market_data.ports import ACTIONS_SCHEMA

MON, TUE, WED = (dt.date(2020, 1, day) for day in (6, 7, 8))


def bars_of(*rows: tuple[dt.date, float | None, float | None]) -> pl.DataFrame:
    schema = {
        "symbol": pl.String,
        "date": pl.Date,
        "close": pl.Float64,
        "dividend_amount": pl.Float64,
        "split_coefficient": pl.Float64,
    }
    return pl.DataFrame([("X", date, 100.0, cash, split) for date, cash, split in rows], schema=schema, orient="row")


def list_of(*rows: tuple[dt.date | None, str, float | None]) -> pl.DataFrame:
    return pl.DataFrame([("X", *row) for row in rows], schema=ACTIONS_SCHEMA, orient="row")


def found_of(*rows: tuple[str, dt.date, str, float, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=FOUND_SCHEMA, orient="row")


def test_bars_carry_dividends_and_cleaned_splits():
    """Dividends and split coefficients of bars become dated actions; 0 and 1 mean none."""
    evidence = actions_from_bars(bars_of((MON, 0.0, 1.0), (TUE, 0.82, 1.0), (WED, 0.5, 7.00000700001)))
    assert evidence.actions.rows() == [
        ("X", TUE, "dividend", 0.82, "vendor_bars"),
        ("X", WED, "dividend", 0.5, "vendor_bars"),
        ("X", WED, "split", 7.0, "vendor_bars"),
    ]
    assert evidence.looked_at["date"].to_list() == [MON, TUE, WED]


def test_bars_of_the_plain_function_say_nothing():
    """Null columns are neither an action nor the news that there was none."""
    evidence = actions_from_bars(bars_of((MON, None, None)))
    assert evidence.actions.is_empty()
    assert evidence.looked_at.is_empty()


def test_impossible_values_of_bars_are_no_actions():
    """A negative or endless dividend and a coefficient of 0 are left out."""
    evidence = actions_from_bars(bars_of((MON, -1.0, 0.0), (TUE, float("inf"), float("nan"))))
    assert evidence.actions.is_empty()


def test_split_list_tells_spin_offs_from_splits():
    """A simple factor is a split, another one a spin-off, one of 1 nothing."""
    listed = list_of((MON, "split", 2.0), (TUE, "split", 1.046), (WED, "split", 1.0), (None, "split", 3.0))
    evidence = actions_from_split_list(listed, ["X", "Y"])
    assert evidence.actions.rows() == [
        ("X", MON, "split", 2.0, "vendor_splits"),
        ("X", TUE, "spin_off", 1.046, "vendor_splits"),
    ]
    assert evidence.looked_at.rows() == [("X",), ("Y",)]


def test_dividend_list_keeps_two_amounts_of_one_date():
    """A regular and a special dividend on one date both stay; rows without date or amount go."""
    listed = list_of((MON, "dividend", 0.08), (MON, "dividend", 3.0), (TUE, "dividend", None), (None, "dividend", 1.0))
    evidence = actions_from_dividend_list(listed, ["X"])
    assert evidence.actions["value"].to_list() == [0.08, 3.0]
    assert evidence.actions["source"].unique().to_list() == ["vendor_dividends"]


def test_empty_lists_are_evidence():
    """A list without events still says for which symbols it was received."""
    for read in (actions_from_split_list, actions_from_dividend_list):
        evidence = read(list_of(), ["X"])
        assert evidence.actions.schema == pl.Schema(FOUND_SCHEMA)
        assert evidence.looked_at.rows() == [("X",)]


def test_large_dividends_are_named_special():
    """Above 5 % of the close a dividend is special, on the next bar's close where its own is missing."""
    bars = bars_of((MON, None, None), (WED, None, None))
    actions = found_of(
        ("X", MON, "dividend", 5.0, "s"),
        ("X", TUE, "dividend", 5.1, "s"),
        ("X", WED, "special_dividend", 1.0, "s"),
        ("X", WED, "split", 20.0, "s"),
        ("X", dt.date(2020, 2, 3), "dividend", 50.0, "s"),
    )
    named = named_by_size(actions, bars).sort("effective_date", "kind")
    assert named["kind"].to_list() == ["dividend", "special_dividend", "dividend", "split", "dividend"]
    assert named["value"].to_list() == [5.0, 5.1, 1.0, 20.0, 50.0]
