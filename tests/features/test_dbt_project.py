from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys

import duckdb
import polars as pl
import pytest

from quant_assets.features.cross_section import RANKED_COLUMNS
from quant_assets.features.dbt_project import PROJECT_DIR, load_project, run_dbt
from quant_assets.features.tables import published_tables
from quant_assets.foundation.errors import DataError

RANKS = tuple(f"{name}_rank" for name in RANKED_COLUMNS)
IGNORED = shutil.ignore_patterns("target", "logs", "__pycache__")


@pytest.fixture
def project_copy(tmp_path):
    """A copy of the dbt project that a test may change."""
    return shutil.copytree(PROJECT_DIR, tmp_path / "dbt_features", ignore=IGNORED)


def without_unit_tests(*arguments):
    return ["build", "--exclude-resource-type", "unit_test", *arguments]


def failures(results):
    return {result.unique_id: result.message for result in results if not result.is_good}


def test_parsing_needs_no_database_and_is_kept(project_copy):
    """A fresh clone is parsed once without a database; the next load reads what was parsed."""
    first = load_project(project_copy)
    assert "model.dbt_features.feature_store.v1" in first.manifest["nodes"]
    kept = (first.folder / "manifest.json").stat().st_mtime_ns
    assert load_project(project_copy).folder == first.folder
    assert (first.folder / "manifest.json").stat().st_mtime_ns == kept
    assert not list(first.folder.glob("*.duckdb"))


def test_a_changed_model_is_parsed_again(project_copy):
    """An edited file is seen by the next load, and of old parses the last three are kept."""
    model = project_copy / "models" / "marts" / "exposures" / "factor_exposures.yml"
    before = load_project(project_copy)
    for number in range(3):
        shutil.copytree(before.folder, before.folder.parent / f"parsed-{number}")
    model.write_text(model.read_text().replace("How much each symbol", "How far each symbol"))
    after = load_project(project_copy)
    assert after.folder != before.folder
    assert "How far" in after.manifest["nodes"]["model.dbt_features.factor_exposures"]["description"]
    assert len(list((project_copy / "target").glob("parsed-*"))) == 3
    assert after.folder.exists()


def test_processes_may_parse_at_once(project_copy):
    """Two processes that load a fresh clone together both get the whole manifest, and one parse remains."""
    code = (
        "import sys; from pathlib import Path; from quant_assets.features.dbt_project import load_project;"
        "print(len(load_project(Path(sys.argv[1])).manifest['nodes']))"
    )
    command = [sys.executable, "-c", code, str(project_copy)]
    running = [subprocess.Popen(command, cwd=PROJECT_DIR.parent, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    counts = {process.communicate(timeout=120)[0].strip() for process in running}
    assert counts == {str(len(load_project(project_copy).manifest["nodes"]))}
    assert [path.name[:7] for path in (project_copy / "target").iterdir()] == ["parsed-"]


def test_a_project_that_cannot_be_parsed_says_why(project_copy):
    """A broken reference is told in one sentence."""
    (project_copy / "models" / "marts" / "bars" / "weekly_bars.sql").write_text("select * from {{ ref('nowhere') }}")
    with pytest.raises(DataError, match="nowhere"):
        load_project(project_copy)


def dbt_by_hand(folder, *command):
    """Run dbt as a person would, with what it writes in a folder."""
    folders = ["--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR), "--target-path", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", *command, *folders, "--log-path", str(folder)],
        cwd=PROJECT_DIR.parent,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_dbt_by_hand_needs_no_warehouse(tmp_path):
    """The example target builds every model in memory, passes every test and unit test, and makes dbt's pages."""
    dbt_by_hand(tmp_path, "build")
    results = json.loads((tmp_path / "run_results.json").read_text())["results"]
    nodes = json.loads((tmp_path / "manifest.json").read_text())
    run = {result["unique_id"] for result in results}
    assert set(nodes["unit_tests"]) <= run
    assert {id_ for id_, node in nodes["nodes"].items() if node["resource_type"] in ("model", "test")} <= run
    dbt_by_hand(tmp_path, "docs", "generate", "--static")
    assert "Average directional index" in (tmp_path / "static_index.html").read_text()


def test_a_command_gives_the_file_back(built_warehouse):
    """After a command another process can open the file for writing, and reads every version of the store from it."""
    run_dbt(["run", "--select", "stg_ops__instruments"], warehouse=built_warehouse)
    code = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]);"
        "print([c.execute(f'select count(*) from features.feature_store_v{v}').fetchone()[0] for v in (1, 2)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(built_warehouse)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[900, 900]"


def test_views_name_no_database(built_warehouse, tmp_path):
    """The marts are views that also work in a copy of the file under another name."""
    copy = shutil.copy(built_warehouse, tmp_path / "elsewhere.duckdb")
    with duckdb.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM features.feature_store_v2").fetchone() == (900,)


def test_nights_end_in_the_full_build(built_warehouse):
    """A session, a split and a delisting later the stored store equals the one that --full-refresh builds."""
    nights = [
        """
        INSERT INTO market_data.adjusted_prices BY NAME
        SELECT * REPLACE (date + 3 AS date, close * 1.01 AS close) FROM market_data.adjusted_prices
        WHERE date = (SELECT max(date) FROM market_data.adjusted_prices)
        """,
        """
        UPDATE market_data.adjusted_prices
        SET open = open / 3, high = high / 3, low = low / 3, close = close / 3, volume = volume * 3
        WHERE symbol = 'A' AND date < DATE '2010-11-01'
        """,
        "DELETE FROM market_data.adjusted_prices WHERE symbol = 'B'",
    ]
    written = []
    for sql in nights:
        with duckdb.connect(str(built_warehouse)) as connection:
            connection.execute(sql)
        results = run_dbt(["run"], warehouse=built_warehouse)
        assert failures(results) == {}
        written.append({r.unique_id.split(".")[-1]: r.rows_written for r in results if r.rows_written is not None})
    assert [(night["int_bars_averaged"], night["int_bars_measured"]) for night in written] == [
        (3, 3),
        (301, 301),
        (0, 0),
    ]
    assert written[0]["int_symbols_ranked"] == 3
    by_nights = stored(built_warehouse)
    run_dbt(["run", "--full-refresh"], warehouse=built_warehouse)
    for name, whole in stored(built_warehouse).items():
        assert by_nights[name].equals(whole), name


def test_an_index_has_no_standing_among_what_is_traded(built_warehouse):
    """A symbol that becomes an index loses ranks, exposures and traded values; the others' are as if it were absent."""
    names = {
        "features.feature_store_v2": ("amihud_illiquidity_20", "dollar_volume_zscore_60", *RANKS),
        "features.factor_exposures": ("move_size_exposure", "momentum_exposure", "volatility_exposure"),
    }

    def night(*statements):
        with duckdb.connect(str(built_warehouse)) as connection:
            for statement in statements:
                connection.execute(statement)
        assert failures(run_dbt(["run"], warehouse=built_warehouse)) == {}
        with duckdb.connect(str(built_warehouse)) as connection:
            return {
                table: connection.execute(f"SELECT symbol, date, {', '.join(columns)} FROM {table} ORDER BY ALL").pl()
                for table, columns in names.items()
            }

    before = night()
    as_index = night("INSERT INTO ops.instruments VALUES ('B', 'B', 'index', false)")
    absent = night("DELETE FROM market_data.adjusted_prices WHERE symbol = 'B'")
    for table, columns in names.items():
        index = as_index[table].filter(symbol="B")
        assert index.height == 300
        assert index.select(columns).null_count().row(0) == (300,) * len(columns)
        assert before[table].filter(symbol="B").select(columns).null_count().row(0) != (300,) * len(columns)
        assert as_index[table].filter(pl.col("symbol") != "B").equals(absent[table])


def test_every_digit_is_the_same_however_bars_came_and_threads_added(make_bars, price_warehouse, tmp_path):
    """Nights in another order of rows, with a split, give every published table of the whole build, by any threads."""
    symbols = ("M", *(f"S{number:02}" for number in range(35)))
    bars = make_bars(symbols, count=4_000).with_columns(pl.col("volume") * 0.3)
    before_split = (pl.col("symbol") == "S07") & pl.col("date").is_between(dt.date(2010, 3, 1), dt.date(2015, 3, 1))
    split = bars.with_columns(
        pl.when(before_split).then(pl.col(name) / 3).otherwise(name).alias(name)
        for name in ("open", "high", "low", "close")
    )
    whole = price_warehouse(tmp_path / "whole" / "warehouse.duckdb", split)
    run_dbt(["run"], warehouse=whole)
    *_, last_but_one, last = bars["date"].unique().sort()
    shuffled = bars.filter(pl.col("date") < last_but_one).sample(fraction=1, shuffle=True, seed=3)
    nightly = price_warehouse(tmp_path / "nightly" / "warehouse.duckdb", shuffled)
    run_dbt(["run"], warehouse=nightly)
    replace_bars(nightly, bars.filter(pl.col("date") == last_but_one))
    run_dbt(["run"], warehouse=nightly)
    replace_bars(nightly, split.filter((pl.col("date") == last) | (pl.col("symbol") == "S07")))
    run_dbt(["run"], warehouse=nightly)
    for table in published_tables():
        assert rows_by_threads(whole, table, 2) == rows_by_threads(nightly, table, 5), table.name


def replace_bars(warehouse, bars):
    with duckdb.connect(str(warehouse)) as connection:
        connection.register("bars", bars)
        for table, volume in (("adjusted_prices", "volume"), ("daily_prices", "volume::BIGINT")):
            connection.execute(
                f"DELETE FROM market_data.{table} WHERE (symbol, date) IN (SELECT symbol, date FROM bars)"
            )
            connection.execute(
                f"INSERT INTO market_data.{table} BY NAME SELECT * REPLACE ({volume} AS volume) FROM bars"
            )


def rows_by_threads(warehouse, table, threads):
    """Count and digest of the rows, whatever their order."""
    with duckdb.connect(str(warehouse), config={"threads": threads}) as connection:
        sql = f"SELECT count(*), sum(hash(held)::HUGEINT) FROM {table.qualified_name} AS held"
        return connection.execute(sql).fetchone()


def stored(warehouse):
    names = ("int_bars_averaged", "int_bars_measured", "int_symbols_ranked")
    with duckdb.connect(str(warehouse)) as connection:
        return {
            name: connection.execute(f"FROM features_intermediate.{name} ORDER BY symbol, date").pl() for name in names
        }


def test_a_renamed_mart_column_stops_the_run(built_warehouse, project_copy):
    """The contract names the column that is missing and the one that came, and the mart stays as it was."""
    mart = project_copy / "models" / "marts" / "feature_store" / "feature_store_v1.sql"
    mart.write_text(mart.read_text().replace("as rsi_14", "as relative_strength"))
    results = run_dbt(without_unit_tests(), warehouse=built_warehouse, project=load_project(project_copy))
    (message,) = [text for id_, text in failures(results).items() if id_.endswith("feature_store.v1")]
    assert "rsi_14" in message
    assert "relative_strength" in message
    with duckdb.connect(str(built_warehouse)) as connection:
        assert connection.execute("SELECT count(rsi_14) FROM features.feature_store_v1").fetchone() == (900 - 3 * 14,)


def test_leftovers_of_a_killed_run_are_dropped(built_warehouse):
    """A table of new rows that a killed run left behind is gone after the next one."""
    with duckdb.connect(str(built_warehouse)) as connection:
        connection.execute("CREATE TABLE int_bars_averaged__dbt_tmp20240101 AS SELECT 1 AS n")
    run_dbt(without_unit_tests("--select", "stg_ops__instruments"), warehouse=built_warehouse)
    with duckdb.connect(str(built_warehouse)) as connection:
        left = connection.execute("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '%dbt_tmp%'").pl()
    assert left.height == 0


def test_a_repeated_regime_is_found(built_warehouse):
    """Two regimes for one session would double rows of the store: the test of the grain fails and names it."""
    with duckdb.connect(str(built_warehouse)) as connection:
        for _ in range(2):
            connection.execute("INSERT INTO regimes.market_regimes VALUES ('2010-06-01', 'bullish', 1, 0, 0, 0, 'm')")
    found = failures(run_dbt(["test", "--select", "stg_regimes__market_regimes"], warehouse=built_warehouse))
    assert any("unique_stg_regimes__market_regimes_date" in name for name in found)


def test_regimes_appear_in_the_store(built_warehouse):
    """Regimes that arrive after the features were built are seen at once, in both versions."""
    with duckdb.connect(str(built_warehouse)) as connection:
        connection.execute(
            "INSERT INTO regimes.market_regimes VALUES ('2010-06-01', 'bullish', 0.7, 0.1, 0.1, 0.1, 'm')"
        )
        connection.execute("INSERT INTO regimes.symbol_regimes VALUES ('A', '2010-06-01', 'bearish', 0, 1, 0, 0, 'm')")
        found = connection.execute(
            "SELECT symbol, market_regime, market_p_bullish, symbol_regime, symbol_p_bearish "
            "FROM features.feature_store_v2 WHERE date = '2010-06-01' ORDER BY symbol"
        ).fetchall()
        first = connection.execute("SELECT DISTINCT market_regime FROM features.feature_store_v1").pl()
    assert found == [
        ("A", "bullish", 0.7, "bearish", 1.0),
        ("B", "bullish", 0.7, None, None),
        ("M", "bullish", 0.7, None, None),
    ]
    assert set(first["market_regime"]) == {"bullish", None}


def test_standard_views_join_the_sessions(built_warehouse):
    """Weeks and months hold every session's volume once, and exposures are standardised over symbols."""
    with duckdb.connect(str(built_warehouse)) as connection:
        for view in ("weekly_bars", "monthly_bars"):
            total = connection.execute(f"SELECT sum(sessions), sum(volume) FROM features.{view}").fetchone()
            assert total == connection.execute("SELECT count(*), sum(volume) FROM features.feature_store_v1").fetchone()
        exposures = connection.execute("FROM features.factor_exposures WHERE momentum_exposure IS NOT NULL").pl()
    spread = exposures.group_by("date").agg(pl.col("momentum_exposure").std().alias("std"), pl.len())
    assert spread["len"].unique().to_list() == [3]
    assert spread["std"].to_numpy() == pytest.approx(1.0)
