from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.foundation.errors import TableContractError
from quant_assets.foundation.tables import Column, Table

BARS = Table(
    schema="demo",
    name="bars",
    key=("symbol", "date"),
    description="One row per symbol and date.",
    columns=(
        Column("symbol", "VARCHAR", "Symbol."),
        Column("date", "DATE", "Session."),
        Column("close", "DOUBLE", "Close.", nullable=True),
    ),
)


def bars(**changes: list) -> pl.DataFrame:
    columns = {"symbol": ["A", "B"], "date": [dt.date(2020, 1, 2)] * 2, "close": [1.0, None]} | changes
    return pl.DataFrame(columns, schema_overrides={"close": pl.Float64})


def test_valid_frame_comes_back_in_storage_order():
    """A frame with the declared columns in another order is returned in the declared one."""
    assert BARS.validate(bars().select("close", "symbol", "date")).columns == ["symbol", "date", "close"]


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        (bars().drop("close"), "close"),
        (bars().with_columns(extra=1), "extra"),
        (bars().with_columns(pl.col("close").cast(pl.Float32)), "Float32"),
        (bars(symbol=["A", None]), "null in 1 rows"),
        (bars(symbol=["A", "A"]), "repeated key"),
    ],
    ids=["missing column", "undeclared column", "wrong type", "null in the key", "repeated key"],
)
def test_bad_frame_is_refused_by_name(frame, named):
    """A frame that breaks the declaration is refused with the table and the culprit named."""
    with pytest.raises(TableContractError, match=named) as error:
        BARS.validate(frame)
    assert "demo.bars" in str(error.value)


def test_declaration_checks_itself():
    """A key that is no column, a column declared twice and an unknown type are refused at declaration."""
    with pytest.raises(TableContractError, match="key column"):
        Table(schema="s", name="t", columns=BARS.columns, key=("missing",), description="")
    with pytest.raises(TableContractError, match="twice"):
        Table(schema="s", name="t", columns=(BARS.columns[0], BARS.columns[0]), key=(), description="")
    with pytest.raises(TableContractError, match="BLOB"):
        Column("x", "BLOB", "")
