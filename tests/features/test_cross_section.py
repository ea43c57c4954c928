from __future__ import annotations

import datetime as dt

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from quant_assets.features.cross_section import RANKED_COLUMNS, changed_ranks, cross_sectional_ranks

DAY = dt.date(2020, 1, 2)


def ranks_of(values):
    frame = pl.DataFrame({"date": [DAY] * len(values), "x": values}, schema_overrides={"x": pl.Float64})
    return cross_sectional_ranks(frame, ["x"])["x_rank"].to_list()


def test_ranks_run_from_0_to_1():
    """The lowest value has 0, the highest 1, those between the share of others that are lower."""
    assert ranks_of([5.0, 1.0, 3.0]) == [1.0, 0.0, 0.5]


def test_equal_values_share_the_lowest_rank():
    """Ties do not depend on the order of rows."""
    assert ranks_of([2.0, 2.0, 7.0]) == [0.0, 0.0, 1.0]


def test_unknown_and_lonely_values_have_no_rank():
    """A null has no rank and does not count among the others; a symbol alone has none."""
    assert ranks_of([None, 4.0, 9.0, None]) == [None, 0.0, 1.0, None]
    assert ranks_of([4.0, None]) == [None, None]


def test_rounding_is_no_difference():
    """Returns of 0 that an adjustment left with a rounding error tie with those it left exact."""
    assert ranks_of([1e-16, 0.0, -1e-16, 0.5, -0.5]) == [0.25, 0.25, 0.25, 1.0, 0.0]


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.one_of(st.none(), st.integers(-3, 3).map(float)), min_size=2, max_size=12))
def test_ranks_equal_scipy(values):
    """Ranks are SciPy's minimum ranks, scaled to the known values of the session."""
    known = [value for value in values if value is not None]
    expected = iter((rankdata(known, method="min") - 1) / max(1, len(known) - 1))
    wanted = [None if value is None or len(known) < 2 else next(expected) for value in values]
    assert ranks_of(values) == wanted


def test_only_changed_sessions_are_ranked_again():
    """A changed value ranks its session again, a lost session is named, the others are left alone."""
    days = [DAY + dt.timedelta(days=i) for i in range(3)]
    measured = pl.DataFrame(
        [
            {"symbol": symbol, "date": day, **{name: float(i + n) for n, name in enumerate(RANKED_COLUMNS)}}
            for day in days
            for i, symbol in enumerate("ABC")
        ]
    )
    with duckdb.connect() as connection:
        connection.register("measured", measured)
        first = pl.from_arrow(changed_ranks(connection, measured="measured", stored=None))
        assert first.height == 9
        connection.register("stored", first)
        assert changed_ranks(connection, measured="measured", stored="stored").num_rows == 0
        hit = (pl.col("symbol") == "A") & (pl.col("date") == days[1])
        revised = measured.with_columns(momentum_12_1=pl.when(hit).then(99.0).otherwise("momentum_12_1"))
        connection.register("measured", revised.filter(pl.col("date") < days[2]))
        again = pl.from_arrow(changed_ranks(connection, measured="measured", stored="stored"))
    assert again.filter(pl.col("symbol").is_not_null()).select("symbol", "date").rows() == [(s, days[1]) for s in "ABC"]
    assert again.filter(pl.col("symbol").is_null())["date"].to_list() == [days[2]]
    assert again.filter(symbol="A")["momentum_12_1_rank"].to_list() == [1.0]


@pytest.mark.parametrize("name", RANKED_COLUMNS)
def test_symbols_that_change_places_are_ranked_again(name):
    """A session in which two symbols swapped their values of any one column is a changed session."""
    measured = pl.DataFrame(
        [{"symbol": symbol, "date": DAY, **dict.fromkeys(RANKED_COLUMNS, float(i))} for i, symbol in enumerate("ABC")]
    )
    swapped = measured.with_columns(pl.Series(name, [1.0, 0.0, 2.0]))
    with duckdb.connect() as connection:
        connection.register("measured", measured)
        connection.register("stored", changed_ranks(connection, measured="measured", stored=None))
        connection.register("measured", swapped)
        again = pl.from_arrow(changed_ranks(connection, measured="measured", stored="stored"))
    assert again.sort("symbol")[f"{name}_rank"].to_list() == [0.5, 0.0, 1.0]


def test_a_change_of_the_last_bit_ranks_nothing_again():
    """Values that move by the last bit of double precision, as ratios of a rescaled history do, leave all as it is."""
    measured = pl.DataFrame(
        [{"symbol": symbol, "date": DAY, **dict.fromkeys(RANKED_COLUMNS, i / 3)} for i, symbol in enumerate("ABC")]
    )
    moved = measured.with_columns(pl.col(RANKED_COLUMNS) * (1 + 2**-52))
    assert not moved.equals(measured)
    with duckdb.connect() as connection:
        connection.register("measured", measured)
        connection.register("stored", changed_ranks(connection, measured="measured", stored=None))
        connection.register("measured", moved)
        assert changed_ranks(connection, measured="measured", stored="stored").num_rows == 0


def test_stored_ranks_of_other_columns_are_made_again():
    """A stored table without the columns of today is no evidence that a session did not change."""
    measured = pl.DataFrame({"symbol": ["A", "B"], "date": [DAY, DAY], **{name: [1.0, 2.0] for name in RANKED_COLUMNS}})
    with duckdb.connect() as connection:
        connection.register("measured", measured)
        ranks = pl.from_arrow(changed_ranks(connection, measured="measured", stored=None))
        connection.register("stored", ranks.drop("momentum_12_1_rank"))
        again = pl.from_arrow(changed_ranks(connection, measured="measured", stored="stored"))
    assert again.equals(ranks)
