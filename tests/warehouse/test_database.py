from __future__ import annotations

import datetime as dt

import duckdb
import polars as pl
import pytest

from quant_assets.foundation.errors import CorruptDatabaseError, StorageError, TableContractError
from quant_assets.foundation.tables import Column, Table
from resources.warehouse import TABLE_CHANGES, MergeCounts, Warehouse

BARS = Table(
    schema="demo",
    name="bars",
    key=("symbol", "date"),
    description="One row per symbol and date.",
    columns=(
        Column("symbol", "VARCHAR", "Symbol."),
        Column("date", "DATE", "Session."),
        Column("close", "DOUBLE", "Close.", nullable=True),
        Column("updated_at", "TIMESTAMPTZ", "Clock."),
    ),
)
NOON = dt.datetime(2020, 1, 2, 12, tzinfo=dt.UTC)


def bars(*rows: tuple[str, int, float | None], at: dt.datetime = NOON) -> pl.DataFrame:
    return pl.DataFrame(
        [(symbol, dt.date(2020, 1, day), close, at) for symbol, day, close in rows],
        schema=BARS.polars_schema,
        orient="row",
    )


@pytest.fixture
def warehouse(tmp_path):
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", run_id="run-1")
    warehouse.ensure([BARS])
    return warehouse


def changes(warehouse: Warehouse) -> list[tuple]:
    return warehouse.read(TABLE_CHANGES).select("table_name", "run_id").rows()


def test_merge_counts_new_changed_and_unchanged(warehouse):
    """A merge inserts, updates and leaves alone, and says how many of each."""
    assert warehouse.merge(BARS, bars(("A", 1, 1.0), ("A", 2, 2.0))) == MergeCounts(2, 0, 0)
    assert warehouse.merge(BARS, bars(("A", 2, 2.5), ("A", 3, None), ("A", 1, 1.0))) == MergeCounts(1, 1, 1)
    assert warehouse.read(BARS, ["close"])["close"].to_list() == [1.0, 2.5, None]


def test_merging_again_changes_nothing(warehouse):
    """The same rows a second time are all unchanged, nulls included, and no change is noted."""
    frame = bars(("A", 1, 1.0), ("A", 2, None))
    warehouse.merge(BARS, frame)
    with warehouse.transaction() as connection:
        connection.execute("DELETE FROM ops.table_changes")
    assert warehouse.merge(BARS, frame) == MergeCounts(0, 0, 2)
    assert changes(warehouse) == []


def test_ignored_columns_alone_are_no_change(warehouse):
    """A later clock on equal values is no change; with another value the clock is stored too."""
    warehouse.merge(BARS, bars(("A", 1, 1.0)))
    later = NOON + dt.timedelta(days=1)
    assert warehouse.merge(BARS, bars(("A", 1, 1.0), at=later), ignore=["updated_at"]) == MergeCounts(0, 0, 1)
    assert warehouse.read(BARS)["updated_at"].to_list() == [NOON]
    assert warehouse.merge(BARS, bars(("A", 1, 3.0), at=later), ignore=["updated_at"]) == MergeCounts(0, 1, 0)
    assert warehouse.read(BARS)["updated_at"].to_list() == [later]


def test_replace_writes_only_where_rows_differ(warehouse):
    """Replacing by equal rows in another order changes nothing; a condition limits what is replaced."""
    assert warehouse.replace(BARS, bars(("A", 1, 1.0), ("B", 1, 5.0)))
    assert not warehouse.replace(BARS, bars(("B", 1, 5.0), ("A", 1, 1.0)))
    assert warehouse.replace(BARS, bars(("A", 9, 2.0)), "symbol = ?", ["A"])
    assert warehouse.read(BARS, ["symbol", "close"]).rows() == [("A", 2.0), ("B", 5.0)]
    assert changes(warehouse) == [("demo.bars", "run-1")]


def test_refused_frame_leaves_the_table_as_it_was(warehouse):
    """A frame that breaks the declaration is refused before anything is written."""
    warehouse.replace(BARS, bars(("A", 1, 1.0)))
    with pytest.raises(TableContractError, match="repeated key"):
        warehouse.replace(BARS, bars(("A", 1, 1.0), ("A", 1, 2.0)))
    assert warehouse.read(BARS)["close"].to_list() == [1.0]


def test_failed_transaction_is_rolled_back(warehouse):
    """An exception inside a transaction leaves no part of it behind."""
    warehouse.replace(BARS, bars(("A", 1, 1.0)))
    with pytest.raises(RuntimeError), warehouse.transaction() as connection:
        connection.execute("DELETE FROM demo.bars")
        raise RuntimeError
    assert warehouse.read(BARS).height == 1


def test_damaged_file_is_named_and_kept(tmp_path):
    """A file that is no database raises one sentence and is left untouched."""
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(CorruptDatabaseError, match="damaged") as error:
        Warehouse(path).read(BARS)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == b"not a database" * 1000


def test_overwritten_blocks_are_noticed(warehouse):
    """A database whose header is overwritten is reported as damaged, not rebuilt."""
    warehouse.replace(BARS, bars(("A", 1, 1.0)))
    damaged = bytearray(warehouse.path.read_bytes())
    damaged[4096:12288] = b"\xff" * 8192
    warehouse.path.write_bytes(bytes(damaged))
    with pytest.raises(CorruptDatabaseError, match="damaged"):
        warehouse.read(BARS)


def test_missing_folder_is_a_storage_error(tmp_path):
    """A path that cannot be opened says so in one sentence."""
    with pytest.raises(StorageError):
        Warehouse(tmp_path / "none" / "warehouse.duckdb").read(BARS)


def test_instants_come_back_in_utc(warehouse):
    """Whatever the machine's zone, an instant read is the instant written, in UTC."""
    warehouse.replace(BARS, bars(("A", 1, 1.0)))
    assert warehouse.read(BARS)["updated_at"].to_list() == [NOON]
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        assert connection.execute("SELECT epoch(updated_at) FROM demo.bars").fetchone() == (NOON.timestamp(),)


def test_table_is_current_until_an_input_changes(warehouse):
    """A table counts as current from its computation until an input changes; equal rows are no change."""
    other = Table("demo", "other", BARS.columns, BARS.key, "An input.")
    warehouse.ensure([other])
    assert not warehouse.is_current(BARS, ["demo.other"])
    warehouse.note_computed(BARS)
    assert warehouse.is_current(BARS, ["demo.other"])
    warehouse.replace(other, bars(("A", 1, 1.0)))
    assert not warehouse.is_current(BARS, ["demo.other"])
    warehouse.note_computed(BARS)
    warehouse.replace(other, bars(("A", 1, 1.0)))
    assert warehouse.is_current(BARS, ["demo.other"])
