from __future__ import annotations

import datetime as dt

import duckdb
import polars as pl
import pytest

from quant_assets.foundation.errors import StorageError
from quant_assets.foundation.tables import Column, Table
from resources.warehouse import TABLE_CHANGES, Warehouse

SYMBOL, DATE = Column("symbol", "VARCHAR", "Symbol."), Column("date", "DATE", "Session.")
CLOSE, GONE = Column("close", "DOUBLE", "Close."), Column("gone", "DOUBLE", "Of the past.")
NOTE = Column("note", "VARCHAR", "New.", nullable=True)
SEEN = Column("seen_at", "TIMESTAMPTZ", "When.", nullable=True)


def table(*columns: Column) -> Table:
    return Table("demo", "bars", columns, ("symbol", "date"), "One row per symbol and date.")


def view(*names: str) -> Table:
    columns = tuple(column for column in (SYMBOL, DATE, CLOSE, NOTE) if column.name in names)
    return Table("demo", "seen", columns, (), "The same rows.", view_sql=f"SELECT {', '.join(names)} FROM demo.bars")


@pytest.fixture
def warehouse(tmp_path):
    """Made by an earlier revision, with one row and a view on it."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", run_id="run-1")
    former = table(SYMBOL, DATE, GONE, CLOSE)
    warehouse.ensure([former, view("symbol", "close")])
    row = pl.DataFrame([("A", dt.date(2020, 1, 2), 9.0, 1.5)], schema=former.polars_schema, orient="row")
    warehouse.replace(former, row)
    warehouse.note_computed(former)
    return warehouse


def test_columns_come_and_go_and_rows_stay(warehouse):
    """A new nullable column is null in the rows that are there; one that is not declared any more is gone."""
    today = table(SYMBOL, DATE, NOTE, CLOSE, SEEN)
    warehouse.ensure([today, view("symbol", "note", "close")])
    with warehouse.connect() as connection:
        described = connection.execute('SELECT column_name, column_type, "null" FROM (DESCRIBE demo.bars)').fetchall()
        assert connection.execute("FROM demo.seen").fetchall() == [("A", None, 1.5)]
        assert connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'demo'").fetchall() == [
            ("bars",)
        ]
    assert described == [
        ("symbol", "VARCHAR", "NO"),
        ("date", "DATE", "NO"),
        ("note", "VARCHAR", "YES"),
        ("close", "DOUBLE", "NO"),
        ("seen_at", "TIMESTAMP WITH TIME ZONE", "YES"),
    ]
    assert warehouse.read(today).rows() == [("A", dt.date(2020, 1, 2), None, 1.5, None)]
    warehouse.replace(today, warehouse.read(today).with_columns(note=pl.lit("x")))
    assert warehouse.read(today, ["note", "close"]).rows() == [("x", 1.5)]


def test_upgraded_table_counts_as_never_computed(warehouse):
    """What decides whether a table is current sees the change, so that the next run fills the new column."""
    former, today = table(SYMBOL, DATE, GONE, CLOSE), table(SYMBOL, DATE, CLOSE, NOTE)
    assert warehouse.is_current(former, ["demo.other"])
    before = warehouse.read(TABLE_CHANGES, ["changed_at"], "table_name = 'demo.bars'").item()
    warehouse.ensure([today])
    assert not warehouse.is_current(today, ["demo.other"])
    assert warehouse.read(TABLE_CHANGES, ["changed_at"], "table_name = 'demo.bars'").item() > before


def test_table_as_declared_is_left_alone(warehouse):
    """A second look at an upgraded table changes nothing and notes nothing."""
    today = table(SYMBOL, DATE, CLOSE, NOTE)
    warehouse.ensure([today])
    noted = warehouse.read(TABLE_CHANGES)
    warehouse.ensure([today])
    assert warehouse.read(TABLE_CHANGES).equals(noted)


def test_column_that_cannot_be_filled_is_refused_in_one_sentence(warehouse):
    """A new column without nulls has no value for old rows: nothing changes and the message says what to do."""
    wanted = table(SYMBOL, DATE, CLOSE, Column("source", "VARCHAR", "New and never null."))
    with pytest.raises(StorageError, match=r"demo\.bars of this home .* has no source; go on with that version"):
        warehouse.ensure([wanted])
    assert warehouse.read(table(SYMBOL, DATE, GONE, CLOSE)).rows() == [("A", dt.date(2020, 1, 2), 9.0, 1.5)]


def test_value_without_a_place_in_the_new_type_is_refused(warehouse):
    """A type that cannot hold what is stored is no upgrade."""
    with pytest.raises(StorageError, match="cannot hold"):
        warehouse.ensure([table(Column("symbol", "DATE", "Symbol."), DATE, CLOSE)])
    with warehouse.connect() as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("FROM demo.bars__former")


def test_empty_table_takes_any_declaration(tmp_path):
    """Without rows there is nothing to fill."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    warehouse.ensure([table(SYMBOL, DATE)])
    wanted = table(SYMBOL, DATE, CLOSE)
    warehouse.ensure([wanted])
    assert warehouse.read(wanted).columns == ["symbol", "date", "close"]
