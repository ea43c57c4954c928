"""New, changed and unchanged bars, and revisions of stored values."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.foundation.errors import DataError
from quant_assets.market_data.ports import BARS_SCHEMA
from quant_assets.market_data.price_merge import REVISED_FIELDS, merge_bars, rows_to_store
from quant_assets.market_data.tables import DAILY_PRICES

DAYS = [dt.date(2020, 1, 6) + dt.timedelta(days=n) for n in range(4)]
FIRST = dt.datetime(2020, 1, 10, tzinfo=dt.UTC)
SECOND = dt.datetime(2020, 1, 11, tzinfo=dt.UTC)
VALUES = list(BARS_SCHEMA)[2:]


def bar(day: int = 0, symbol: str = "X", **values) -> dict:
    base = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 100, "adjusted_close": 5.25}
    return {"symbol": symbol, "date": DAYS[day]} | base | {"dividend_amount": 0.0, "split_coefficient": 1.0} | values


def bars_of(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=BARS_SCHEMA)


def stored_of(*rows: dict) -> pl.DataFrame:
    return bars_of(*rows).with_columns(source=pl.lit("vendor"), first_seen_at=pl.lit(FIRST), updated_at=pl.lit(FIRST))


def test_same_bars_change_nothing():
    """Merging what is stored finds every bar unchanged and writes nothing."""
    rows = [bar(0), bar(1), bar(0, "Y")]
    merge = merge_bars(stored_of(*rows), bars_of(*rows))
    assert (merge.new.height, merge.changed.height, merge.unchanged, merge.revisions.height) == (0, 0, 3, 0)


def test_first_bars_are_new():
    """On an empty table every bar is new, sorted by symbol and date."""
    merge = merge_bars(stored_of(), bars_of(bar(1), bar(0), bar(0, "A")))
    assert merge.new.select("symbol", "date").rows() == [("A", DAYS[0]), ("X", DAYS[0]), ("X", DAYS[1])]
    assert (merge.changed.height, merge.unchanged) == (0, 0)


def test_changed_value_is_a_revision():
    """Each changed value of a stored bar is listed with the old and the new one."""
    merge = merge_bars(stored_of(bar(0), bar(1)), bars_of(bar(0, close=10.6, volume=120), bar(1)))
    assert merge.revisions.rows() == [("X", DAYS[0], "close", 10.5, 10.6), ("X", DAYS[0], "volume", 100.0, 120.0)]
    assert merge.changed["close"].to_list() == [10.6]
    assert merge.unchanged == 1


def test_moved_adjusted_close_is_stored_and_is_no_revision():
    """The vendor's adjusted close moves with every later event, so it is updated without a revision."""
    merge = merge_bars(stored_of(bar(0)), bars_of(bar(0, adjusted_close=5.0)))
    assert merge.changed["adjusted_close"].to_list() == [5.0]
    assert merge.revisions.is_empty()
    assert merge.per_symbol.select("changed", "restated").row(0) == (1, 0)


def test_null_never_erases():
    """Plain bars after adjusted ones leave the stored dividend, split and adjusted close as they are."""
    plain = bar(0, adjusted_close=None, dividend_amount=None, split_coefficient=None)
    merge = merge_bars(stored_of(bar(0, dividend_amount=0.5)), bars_of(plain))
    assert merge.unchanged == 1
    restated = merge_bars(stored_of(bar(0, dividend_amount=0.5)), bars_of(plain | {"close": 10.6}))
    assert restated.changed.select("close", "dividend_amount", "adjusted_close").row(0) == (10.6, 0.5, 5.25)


def test_filled_value_is_stored_and_is_no_revision():
    """A dividend that comes where none was told fills the bar; one that replaces another is a restatement."""
    plain = bar(0, adjusted_close=None, dividend_amount=None, split_coefficient=None)
    filled = merge_bars(stored_of(plain), bars_of(bar(0, dividend_amount=0.5)))
    assert filled.changed["dividend_amount"].to_list() == [0.5]
    assert filled.revisions.is_empty()
    replaced = merge_bars(stored_of(bar(0, dividend_amount=0.5)), bars_of(bar(0, dividend_amount=0.6)))
    assert replaced.revisions["field"].to_list() == ["dividend_amount"]


def test_counts_per_symbol():
    """New, changed, restated and unchanged bars are counted per symbol, with the dates that came."""
    stored = stored_of(bar(0), bar(1), bar(2))
    merge = merge_bars(stored, bars_of(bar(0), bar(1, close=1.0), bar(2, adjusted_close=1.0), bar(3), bar(1, "Y")))
    assert merge.per_symbol.rows() == [
        ("X", 4, 1, 2, 1, 1, DAYS[0], DAYS[3]),
        ("Y", 1, 1, 0, 0, 0, DAYS[1], DAYS[1]),
    ]


def test_repeated_bar_is_refused():
    """Two bars of one symbol and date in a batch are an error that names them."""
    with pytest.raises(DataError, match="X has two bars dated 2020-01-06"):
        merge_bars(stored_of(), bars_of(bar(0), bar(0, close=9.0)))


def test_rows_to_store_fit_the_table():
    """New bars are first seen now; changed ones keep their first sight and take the new source."""
    merge = merge_bars(stored_of(bar(0), bar(1)), bars_of(bar(1, close=10.6), bar(2)))
    rows = DAILY_PRICES.validate(rows_to_store(merge, source="import", seen_at=SECOND))
    assert rows.select("date", "source", "first_seen_at", "updated_at").rows() == [
        (DAYS[1], "import", FIRST, SECOND),
        (DAYS[2], "import", SECOND, SECOND),
    ]


def test_stored_without_further_columns():
    """Bars alone, without source and instants, can be compared too."""
    merge = merge_bars(bars_of(bar(0)), bars_of(bar(0, close=10.6)))
    assert merge.changed.columns == list(BARS_SCHEMA)


ROWS = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(["A", "B", "ZZ", "a"]),
        "date": st.sampled_from(DAYS),
        **{name: st.sampled_from([None, 1.0, 2.0]) for name in VALUES if name != "volume"},
        "volume": st.sampled_from([None, 1, 2]),
    }
)
FRAMES = st.lists(ROWS, max_size=10, unique_by=lambda row: (row["symbol"], row["date"]))


@given(stored=FRAMES, incoming=FRAMES)
def test_merge_equals_a_walk_over_rows(stored, incoming):
    """Storing the merge gives the table, the revisions and the counts of a row by row comparison."""
    table = {(row["symbol"], row["date"]): dict(row) for row in stored}
    revisions, unchanged = set(), 0
    for row in incoming:
        key = (row["symbol"], row["date"])
        old = table.get(key)
        if old is None:
            table[key] = dict(row)
            continue
        values = {name: row[name] for name in VALUES if row[name] is not None}
        revisions |= {
            (*key, name, float(old[name]), float(value))
            for name, value in values.items()
            if name in REVISED_FIELDS and old[name] is not None and old[name] != value
        }
        unchanged += all(old[name] == value for name, value in values.items())
        old.update(values)
    before = stored_of(*stored)
    merge = merge_bars(before, bars_of(*incoming))
    written = rows_to_store(merge, source="s", seen_at=SECOND)
    after = pl.concat([before.join(written, on=["symbol", "date"], how="anti"), written]).sort("symbol", "date")
    assert after.select(BARS_SCHEMA.keys()).equals(bars_of(*table.values()).sort("symbol", "date"))
    assert set(merge.revisions.rows()) == revisions
    assert merge.unchanged == unchanged
    assert merge_bars(after, bars_of(*incoming)).unchanged == len(incoming)
