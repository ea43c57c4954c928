from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys

import duckdb
import polars as pl
import pytest

from quant_assets.foundation.errors import StorageError
from quant_assets.foundation.home import Home
from quant_assets.foundation.tables import Column, Table
from quant_assets.ops.tables import PUBLICATIONS, RUN_STATE
from quant_assets.ops.tables import TABLES as OPS_TABLES
from quant_assets.serving.publish import last_publication, publish
from resources.warehouse import TABLE_CHANGES, Warehouse

NUMBERS = Table("demo", "numbers", (Column("n", "BIGINT", "A number."),), ("n",), "One row per number.")
DOUBLED = Table(
    "demo",
    "doubled",
    (Column("n", "BIGINT", "Twice."),),
    ("n",),
    "A view.",
    view_sql="SELECT 2 * n AS n FROM demo.numbers",
)
TABLES = (*OPS_TABLES, NUMBERS, DOUBLED)
START = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def warehouse(home):
    warehouse = Warehouse(home.warehouse, run_id="run-1")
    warehouse.ensure(TABLES)
    state = {"as_of": [dt.date(2029, 12, 31)], "source": ["demo"], "source_clock": [START]}
    state["dividend_adjustment"] = ["vendor"]
    warehouse.replace(RUN_STATE, pl.DataFrame(state, schema=RUN_STATE.polars_schema))
    return warehouse


def write(warehouse: Warehouse, *numbers: int) -> None:
    warehouse.replace(NUMBERS, pl.DataFrame({"n": list(numbers)}, schema=NUMBERS.polars_schema))
    stamp_changes(warehouse, 9_999)


def publish_at(home: Home, warehouse: Warehouse, day: int, outcome: str = "success", **assets: str):
    return publish(
        home,
        warehouse,
        run_id="run-1",
        outcome=outcome,
        assets=assets,
        tables=TABLES,
        git_revision="abc",
        now=START + dt.timedelta(days=day),
    )


def stamp_changes(warehouse: Warehouse, day: float) -> None:
    with warehouse.transaction() as connection:
        connection.execute("UPDATE ops.table_changes SET changed_at = ?", [START + dt.timedelta(days=day)])


def read(path) -> list[int]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM demo.doubled ORDER BY n").fetchall()]


def rows_of(path, sql: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_publication_holds_tables_and_views_sorted(home, warehouse):
    """Readers find every table stored in key order, every view, and the publication's own row."""
    write(warehouse, 3, 1, 2)
    published = publish_at(home, warehouse, 0, **{"demo.numbers": "updated", "demo.lost": "failed"})
    assert read(home.readers_database) == [2, 4, 6]
    with duckdb.connect(str(home.readers_database), read_only=True) as connection:
        assert connection.execute("SELECT n FROM demo.numbers").fetchall() == [(1,), (2,), (3,)]
    row = last_publication(home).row(0, named=True)
    assert (row["run_id"], row["as_of"], row["git_revision"]) == ("run-1", dt.date(2029, 12, 31), "abc")
    report = json.loads(row["tables"])
    assert report["demo.numbers"] == {"rows": 3, "state": "updated"}
    assert report["demo.lost"] == {"rows": None, "state": "failed"}
    assert published.rows["demo.numbers"] == 3


def test_nothing_is_copied_when_nothing_changed(home, warehouse):
    """A second publication without a change writes nothing; a failed run still leaves its row."""
    write(warehouse, 1)
    publish_at(home, warehouse, 0)
    stamp_changes(warehouse, -1)
    target = home.readers_database.resolve()
    assert publish_at(home, warehouse, 1) is None
    assert home.readers_database.resolve() == target
    assert publish_at(home, warehouse, 2, outcome="failed") is not None
    assert last_publication(home)["outcome"].to_list() == ["failed"]


def test_last_three_are_kept(home, warehouse):
    """Older publications are removed, the symlink points at the newest."""
    for day in range(5):
        write(warehouse, day)
        publish_at(home, warehouse, day)
    assert len(list(home.published.iterdir())) == 3
    assert read(home.readers_database) == [8]


def test_reader_keeps_what_it_opened_and_a_new_one_sees_the_new(home, warehouse):
    """A process that holds the readers' database open through publications is neither blocked nor disturbed."""
    write(warehouse, 1)
    publish_at(home, warehouse, 0)
    hold = (
        "import duckdb, sys\n"
        "c = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print(c.execute('SELECT n FROM demo.doubled').fetchall(), flush=True)\n"
        "sys.stdin.readline()\n"
        "print(c.execute('SELECT n FROM demo.doubled').fetchall(), flush=True)\n"
        "d = duckdb.connect(sys.argv[1], read_only=True)\n"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", hold, str(home.readers_database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout.readline().strip() == "[(2,)]"
    for day in range(1, 6):
        write(warehouse, day + 1)
        publish_at(home, warehouse, day)
    assert read(home.readers_database) == [12]
    output, _ = reader.communicate("\n", timeout=30)
    assert output.strip() == "[(2,)]"
    assert reader.returncode == 0


def test_full_disk_keeps_the_former_publication(home, warehouse):
    """Where the copy cannot be written the former publication stays, nothing is left over, and the row is gone."""
    write(warehouse, 1)
    publish_at(home, warehouse, 0)
    write(warehouse, *range(400_000))
    script = (
        "import datetime as dt, resource, signal, sys\n"
        "from pathlib import Path\n"
        "from quant_assets.foundation.errors import StorageError\n"
        "from quant_assets.foundation.home import Home\n"
        "from quant_assets.serving.publish import publish\n"
        "from resources.warehouse import TABLE_CHANGES, Warehouse\n"
        "home = Home(Path(sys.argv[1]))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))\n"
        "try:\n"
        "    publish(home, Warehouse(home.warehouse), run_id='r', outcome='success', assets={}, tables=(),\n"
        "            git_revision='', now=dt.datetime(2031, 1, 1, tzinfo=dt.UTC))\n"
        "except StorageError as error:\n"
        "    print('StorageError', error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(home.path)], capture_output=True, text=True, check=False)
    assert "StorageError the readers' database could not be written" in done.stdout, done.stderr
    assert read(home.readers_database) == [2]
    assert not list(home.published.glob(".*"))
    assert publish_at(home, warehouse, 700) is not None
    assert warehouse.read(PUBLICATIONS).height == 2


def test_row_without_its_file_is_removed_by_the_next_publication(home, warehouse):
    """A run killed between noting a publication and swapping leaves a row that the next one takes back."""
    write(warehouse, 1)
    publish_at(home, warehouse, 0)
    orphan = last_publication(home).with_columns(published_at=pl.lit(START + dt.timedelta(hours=1)))
    warehouse.merge(PUBLICATIONS, orphan)
    (home.published / ".quant-leftover.duckdb.tmp").write_bytes(b"half")
    write(warehouse, 2)
    publish_at(home, warehouse, 1)
    assert warehouse.read(PUBLICATIONS)["published_at"].to_list() == [START, START + dt.timedelta(days=1)]
    assert not list(home.published.glob(".*"))


def test_failing_copy_raises_what_to_do(home, warehouse, tmp_path):
    """A folder of publications that is gone ends in one sentence."""
    write(warehouse, 1)
    home.published.rmdir()
    with pytest.raises(StorageError, match="free space there"):
        publish_at(home, warehouse, 0)


def test_undeclared_view_becomes_a_table(home, warehouse):
    """A view that no room declares is stored as a table in the copy, whatever it selects from."""
    write(warehouse, 2, 1)
    with warehouse.transaction() as connection:
        connection.execute("CREATE SCHEMA features_intermediate")
        connection.execute("CREATE TABLE features_intermediate.parts AS SELECT n + 1 AS n FROM demo.numbers")
        connection.execute("CREATE VIEW demo.mart AS FROM features_intermediate.parts")
    publish_at(home, warehouse, 0)
    with duckdb.connect(str(home.readers_database), read_only=True) as connection:
        assert sorted(connection.execute("FROM demo.mart").fetchall()) == [(2,), (3,)]
        schemas = connection.execute("SELECT DISTINCT schema_name FROM duckdb_tables()").fetchall()
    assert ("features_intermediate",) not in schemas


def test_unfinished_table_keeps_what_readers_had(home, warehouse):
    """A table that a run began to rebuild and did not end is published as it was before, and the row says why."""
    write(warehouse, 1, 2)
    publish_at(home, warehouse, 1)
    write(warehouse, 3)
    warehouse.begin_rebuilding(["demo.numbers"])
    publication = publish_at(home, warehouse, 2, "failed", **{"demo.numbers": "failed"})
    assert rows_of(publication.path, "SELECT n FROM demo.numbers ORDER BY n") == [(1,), (2,)]
    assert rows_of(publication.path, "SELECT n FROM demo.doubled ORDER BY n") == [(2,), (4,)]
    report = json.loads(rows_of(publication.path, "SELECT tables FROM ops.publications ORDER BY published_at")[-1][0])
    assert report["demo.numbers"] == {
        "rows": 2,
        "state": "failed",
        "kept_because": "run run-1 began to rebuild it and did not end well",
    }


def test_rebuilt_table_is_published_though_nothing_else_changed(home, warehouse):
    """The run that ends what another began publishes it, also where it had no row left to write."""
    write(warehouse, 1)
    publish_at(home, warehouse, 1)
    write(warehouse, 2)
    warehouse.begin_rebuilding(["demo.numbers"])
    publish_at(home, warehouse, 2, "failed")
    later = Warehouse(home.warehouse, run_id="run-2")
    later.end_rebuilding(["demo.numbers"])
    noted = dict(warehouse.read(TABLE_CHANGES).select("table_name", "run_id").rows())
    assert noted["demo.numbers"] == "run-2"
    stamp_changes(warehouse, 9_999)
    publication = publish_at(home, warehouse, 3)
    assert publication is not None
    assert rows_of(publication.path, "SELECT n FROM demo.numbers") == [(2,)]


def test_view_that_cannot_be_read_stops_nothing_else(home, warehouse):
    """A view over a column that is gone keeps its former rows; without any it is left out; the rest is published."""
    with warehouse.connect() as connection:
        connection.execute("CREATE TABLE demo.base AS SELECT 7 AS a")
        connection.execute("CREATE VIEW demo.mart AS SELECT a FROM demo.base")
    write(warehouse, 1)
    publish_at(home, warehouse, 1)
    with warehouse.connect() as connection:
        connection.execute("CREATE VIEW demo.newer AS SELECT a FROM demo.base")
        connection.execute("ALTER TABLE demo.base RENAME a TO b")
    write(warehouse, 2)
    publication = publish_at(home, warehouse, 2, "failed")
    assert rows_of(publication.path, "FROM demo.mart") == [(7,)]
    assert rows_of(publication.path, "SELECT n FROM demo.numbers") == [(2,)]
    assert "demo.newer" not in publication.rows
    report = json.loads(rows_of(publication.path, "SELECT tables FROM ops.publications ORDER BY published_at")[-1][0])
    assert report["demo.mart"]["kept_because"].startswith("it cannot be read: ")
