"""The feature store: full builds, a night with one session, a night with dividends, a night without news.

    python -m benchmarks features                  100, 500 and 2,000 symbols x 5,000 sessions, and the rivals at 500
    python -m benchmarks.features size 500         one size
    python -m benchmarks.features rivals           the alternatives alone, persisted to DuckDB, and qlib's own shape

Everything goes through the real dbt models over the real view of adjusted prices, stored in a DuckDB file. The floor is
a bare CREATE TABLE AS of the mart's columns out of memory, measured in the same process. Prices are rounded to cents
and adjusted for a dividend every quarter, as real ones are. Timings of a shared machine are noisy: compare the ratios.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

SESSIONS = 5_000
SIZES = (100, 500, 2_000)
QLIB_PUBLISHED_SECONDS = 7.4
RIVALS_PYTHON = Path(__file__).parents[1] / ".venv-bench" / "bin" / "python"
MART_1 = "dbt_features.marts.feature_store.feature_store.v1"
V1 = ["stg_market_data__adjusted_prices", "stg_regimes__market_regimes", "int_bars_averaged", MART_1]


def market(symbols: int, sessions: int = SESSIONS, seed: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """As-traded bars of correlated random walks, and the factors of a dividend of 0.5 % every quarter."""
    from quant_assets.foundation.calendar import new_york_calendar

    generator = np.random.default_rng(seed)
    dates = new_york_calendar().sessions[:sessions].tolist()
    common = 0.008 * generator.standard_normal(sessions)
    bars, factors = [], []
    for number in range(symbols):
        moves = common * generator.uniform(0.5, 1.5) + 0.015 * generator.standard_normal(sessions)
        close = np.maximum(np.round(50 * np.exp(np.cumsum(moves - moves.mean())), 2), 0.05)
        noise = np.abs(generator.standard_normal((3, sessions)))
        opening = np.maximum(np.round(close * np.exp(0.005 * (noise[0] - 0.8)), 2), 0.05)
        high = np.round(np.maximum(opening, close) * (1 + 0.006 * noise[1]), 2)
        low = np.maximum(np.round(np.minimum(opening, close) * (1 - 0.006 * noise[2]), 2), 0.01)
        symbol = f"SYM{number:04}"
        volume = np.round(np.exp(13 + 0.6 * generator.standard_normal(sessions))).astype(np.int64)
        columns = {"open": opening, "high": high, "low": low, "close": close, "volume": volume}
        bars.append(pl.DataFrame({"symbol": [symbol] * sessions, "date": dates, **columns}))
        starts = dates[number % 63 :: 63]
        spans = pl.DataFrame({"symbol": [symbol] * len(starts), "valid_from": starts})
        factors.append(
            spans.with_columns(
                valid_to=pl.col("valid_from").shift(-1, fill_value=dt.date(2100, 1, 1)) - pl.duration(days=1),
                price_factor=pl.lit(0.995) ** (len(starts) - 1 - pl.int_range(pl.len())),
                volume_factor=pl.lit(1.0),
            )
        )
    return pl.concat(bars), pl.concat(factors)


class Night:
    """A warehouse of the benchmark and its dbt project."""

    def __init__(self, folder: Path, bars: pl.DataFrame, factors: pl.DataFrame) -> None:
        from quant_assets.features.dbt_project import load_project
        from quant_assets.features.tables import TABLES as FEATURES
        from quant_assets.market_data.tables import TABLES as MARKET_DATA
        from quant_assets.ops.tables import TABLES as OPS
        from quant_assets.quality.tables import TABLES as QUALITY
        from quant_assets.regimes.tables import TABLES as REGIMES
        from resources.warehouse import Warehouse

        self.warehouse = Warehouse(folder / "warehouse.duckdb", run_id="bench")
        self.warehouse.ensure((*OPS, *MARKET_DATA, *QUALITY, *REGIMES, *FEATURES))
        self.project = load_project()
        with self.warehouse.connect() as connection:
            connection.register("bars", bars)
            connection.register("factors", factors)
            connection.execute(
                "INSERT INTO market_data.daily_prices BY NAME "
                "SELECT *, 'bench' AS source, now() AS first_seen_at, now() AS updated_at FROM bars"
            )
            connection.execute("INSERT INTO market_data.adjustment_factors BY NAME FROM factors")
            connection.execute(
                "INSERT INTO ops.instruments BY NAME "
                "SELECT DISTINCT symbol, symbol AS name, 'equity' AS asset_class, symbol = 'SYM0000' AS is_market "
                "FROM bars"
            )
            columns = {row[0]: row[1] for row in connection.execute("DESCRIBE ops.run_state").fetchall()}
            given = {"as_of": "DATE '2100-01-01'", "source": "'bench'", "source_clock": "now()"}
            values = ", ".join(f"{given.get(name, repr(''))}::{kind} AS {name}" for name, kind in columns.items())
            connection.execute(f"INSERT INTO ops.run_state BY NAME SELECT {values}")

    def run(self, *arguments: str) -> dict[str, float]:
        """Wall and processor seconds of a dbt command, and wall seconds of each model that took any."""
        from quant_assets.features.dbt_project import run_dbt

        wall, cpu = time.perf_counter(), time.process_time()
        results = run_dbt(list(arguments), warehouse=self.warehouse.path, project=self.project)
        seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        if broken := [result for result in results if not result.is_good]:
            raise SystemExit(f"{broken[0].unique_id}: {broken[0].message}")
        return seconds | {result.unique_id: result.seconds for result in results}

    def execute(self, *statements: str) -> None:
        with self.warehouse.connect() as connection:
            for statement in statements:
                connection.execute(statement)


def floor(night: Night, mart: str) -> dict[str, float]:
    """A bare CREATE TABLE AS of a mart's columns out of memory into a fresh file."""
    with night.warehouse.connect() as connection:
        table = connection.execute(f"FROM {mart}").to_arrow_table()
    path = night.warehouse.path.with_name("floor.duckdb")
    wall, cpu = time.perf_counter(), time.process_time()
    with duckdb.connect(str(path)) as connection:
        connection.register("from_memory", table)
        connection.execute("CREATE TABLE stored AS FROM from_memory")
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    path.unlink()
    return seconds


def new_session(night: Night) -> None:
    """One more session of every symbol."""
    night.execute(
        "INSERT INTO market_data.daily_prices SELECT * REPLACE (date + 3 AS date, round(close * 1.001, 2) AS close) "
        "FROM market_data.daily_prices WHERE date = (SELECT max(date) FROM market_data.daily_prices)"
    )


def dividends(night: Night, symbols: int) -> None:
    """A dividend of the newest session for some symbols, the market not among them: their whole history is rescaled."""
    night.execute(
        "UPDATE market_data.adjustment_factors SET price_factor = price_factor * 0.995 "
        f"WHERE symbol IN (SELECT symbol FROM ops.instruments ORDER BY symbol DESC LIMIT {symbols})"
    )


def size(symbols: int) -> None:
    """Measure one universe and print the figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        bars, factors = market(symbols)
        compile_first()
        night = Night(Path(folder), bars, factors)
        rows = bars.height
        del bars, factors
        build = ("build", "--exclude-resource-type", "unit_test")
        figures: dict[str, object] = {"symbols": symbols, "rows": rows}
        figures["v1 full"] = night.run("run", "--select", *V1)
        figures["floor v1"] = floor(night, "features.feature_store_v1")
        figures["v2 full"] = night.run("run", "--exclude", *V1)
        new_session(night)
        figures["one session"] = night.run(*build)
        new_session(night)
        dividends(night, max(1, symbols // 63))
        figures["one session, dividends"] = night.run(*build)
        figures["no news"] = night.run(*build)
        figures["full refresh"] = night.run(*build, "--full-refresh")
        figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(figures))


def compile_first() -> None:
    """Let numba compile on a few rows and import dbt, so that no timing contains it."""
    import dbt.cli.main  # noqa: F401

    from quant_assets.features.panel import computed
    from quant_assets.features.versions import stored_versions

    bars, _ = market(2, 60)
    for version in stored_versions().values():
        computed(version, bars.with_columns(pl.col("volume").cast(pl.Float64), market_close=1.0, dollar_volume=1.0))


def show(figures: dict) -> None:
    """One universe as lines of text."""
    rows, v1, v2, floor_v1 = figures["rows"], figures["v1 full"], figures["v2 full"], figures["floor v1"]
    whole = figures["full refresh"]["wall"]
    print(
        f"\n{figures['symbols']:,} symbols x {SESSIONS:,} sessions = {rows:,} rows; peak {figures['peak_mb']:,.0f} MB"
    )

    def line(name: str, seconds: dict, told: str = "") -> None:
        print(f"  {name:<42} {seconds['wall']:8.2f} s {seconds['cpu']:8.2f} cpu   {told}")

    def times(seconds: dict, of: dict) -> str:
        return f"{seconds['wall'] / of['wall']:.2f} x ({seconds['cpu'] / of['cpu']:.2f} in cpu)"

    line("floor: CREATE TABLE AS of v1's columns", floor_v1)
    line("v1, full build", v1, f"{times(v1, floor_v1)} the floor, {rows / v1['wall']:,.0f} rows/s")
    line("v2, full build beside it", v2, f"{times(v2, v1)} v1, {rows / v2['wall']:,.0f} rows/s")
    line("both with all tests, --full-refresh", figures["full refresh"])
    for name in ("one session", "one session, dividends", "no news"):
        line(f"night: {name}", figures[name], f"1/{whole / figures[name]['wall']:.0f} of the full refresh")


def in_process(*arguments: str) -> str:
    """Run a part of this benchmark in a process of its own, so that its peak memory is its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.features", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["size"]:
        size(int(arguments[1]))
        return 0
    if arguments[:1] == ["rivals"]:
        from benchmarks.features_rivals import compare

        compare()
        return 0
    wanted = [int(n) for n in os.environ.get("BENCH_SYMBOLS", ",".join(map(str, SIZES))).split(",")]
    for symbols in wanted:
        show(json.loads(in_process("size", str(symbols)).splitlines()[-1]))
    print(in_process("rivals"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
