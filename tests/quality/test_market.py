"""The market as seen from one symbol."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from quant_assets.quality.market import excused, leave_one_out_median, median_of_others

values = st.one_of(st.floats(-100, 100), st.just(float("nan")))


@given(arrays.arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 7)), elements=values))
def test_median_of_the_others_agrees_with_leaving_each_out(matrix):
    """The vectorised median equals NumPy's over the other columns, one column at a time; NaN where there are none."""
    found = leave_one_out_median(matrix)
    for row, expected_row in zip(matrix, found, strict=True):
        for column, expected in enumerate(expected_row):
            others = np.delete(row, column)
            others = others[np.isfinite(others)]
            if len(others):
                assert np.isclose(np.median(others), expected)
            else:
                assert np.isnan(expected)


def test_median_of_others_keeps_the_rows_in_order():
    """Each row gets the median over the other symbols of its own session; a lone symbol gets null."""
    day, next_day = dt.date(2012, 3, 1), dt.date(2012, 3, 2)
    frame = pl.DataFrame(
        [("B", day, 5.0), ("A", day, 1.0), ("C", day, 3.0), ("A", next_day, 9.0)],
        schema=["symbol", "date", "x"],
        orient="row",
    )
    assert median_of_others(frame, "x").to_list() == [2.0, 4.0, 3.0, None]
    assert median_of_others(frame.clear(), "x").to_list() == []


@given(st.floats(-50, 50), st.one_of(st.none(), st.floats(-50, 50)))
def test_the_market_excuses_and_never_accuses(value, market):
    """What is left has the sign of the move and is no larger; a market that moved the other way excuses nothing."""
    frame = pl.DataFrame({"value": [value], "market": [market]}, schema={"value": pl.Float64, "market": pl.Float64})
    left = frame.select(excused(pl.col("value"), pl.col("market")))["value"][0]
    assert abs(left) <= abs(value)
    assert left * value >= 0
    if market is None or market * value <= 0:
        assert left == value
    else:
        assert np.isclose(abs(left), max(0.0, abs(value) - abs(market)))
