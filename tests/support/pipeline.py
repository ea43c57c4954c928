"""Real homes for tests: the nightly job in this process, or `quant` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import yaml

from jobs.launch import RunResult, launch
from quant_assets.foundation.home import Home
from quant_assets.ops.instance_folder import prepare_instance_folder
from quant_assets.settings import Settings

PRICES_AND_FEATURES = ("market_data", "features")
"""Rooms of the nights that are about prices: the others would take their time and add nothing to what is tested."""

BOOKKEEPING = {
    "ops.publications",
    "ops.table_changes",
    "ops.run_state",
    "market_data.fetch_log",
    "market_data.fetch_state",
}
"""Tables that tell of runs, not of prices: two ways to one state differ here."""


@dataclass(frozen=True)
class Installation:
    """A home, its universe and the environment of its processes."""

    path: Path
    universe: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        return Home(self.path)

    def environment(self) -> dict[str, str]:
        ours = {name.upper() for name in Settings.model_fields} | {"DAGSTER_HOME"}
        inherited = {name: value for name, value in os.environ.items() if name not in ours}
        named = {"QUANT_HOME": str(self.path), "QUANT_UNIVERSE": str(self.universe), "COLUMNS": "200"}
        return inherited | named | dict(self.variables)

    def quant(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run the command line and return what it printed."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            cwd=self.universe.parent,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command line in a process of its own."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(),
            cwd=self.universe.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-W", "ignore", "-m", "quant_assets.cli", *arguments]

    def run(
        self,
        job: str = "nightly",
        *,
        tags: Mapping[str, str] | None = None,
        rooms: Sequence[str] | None = None,
        **config: Any,
    ) -> RunResult:
        """Run a job in this process on this installation; with ``rooms`` only their assets."""
        prepare_instance_folder(self.home)
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        run_config = quiet | ({"ops": {"fetch_prices": {"config": config}}} if config else {})
        with self._as_environment(), dg.DagsterInstance.from_config(str(self.home.dagster)) as instance:
            from quant_assets.definitions import defs

            definitions = defs()
            assets = None
            if rooms is not None:
                keys = definitions.resolve_asset_graph().materializable_asset_keys
                assets = [key for key in keys if key.path[0] in (*rooms, "serving")]
            made = definitions.resolve_job_def(job)
            return launch(made, instance=instance, run_config=run_config, tags=tags, assets=assets)

    @contextmanager
    def _as_environment(self) -> Iterator[None]:
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment())
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple]:
        """Rows from the readers' database."""
        with duckdb.connect(str(self.home.readers_database.resolve()), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql, list(parameters)).fetchall()

    def contents(self) -> dict[str, tuple[int, object]]:
        """Row count and digest of each published table, but for bookkeeping and wall clocks."""
        with duckdb.connect(str(self.home.readers_database.resolve()), read_only=True) as connection:
            names = [
                name
                for (name,) in connection.execute(
                    "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT internal ORDER BY 1"
                ).fetchall()
                if name not in BOOKKEEPING
            ]
            return {name: digest(connection, name) for name in names}


def digest(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[int, object]:
    """Row count and an order-free digest of a table without its columns that hold wall clocks or run ids."""
    columns = [
        name
        for (name,) in connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE schema_name || '.' || table_name = ?", [table]
        ).fetchall()
        if name not in {"run_id", "computed_at", "created_at"}
    ]
    names = ", ".join(f'"{name}"' for name in columns)
    return connection.execute(f"SELECT count(*), sum(hash({names})::HUGEINT) FROM {table}").fetchone()


def write_universe(folder: Path, symbols: Mapping[str, str] | Sequence[str], **rest: Any) -> Path:
    """Write a universe file; symbols map to asset classes, or are equities."""
    classes = symbols if isinstance(symbols, Mapping) else dict.fromkeys(symbols, "equity")
    content = {"symbols": [{"symbol": s, "name": s, "asset_class": c} for s, c in classes.items()]} | rest
    path = folder / "universe.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def installation(folder: Path, symbols: Mapping[str, str] | Sequence[str], **variables: str) -> Installation:
    """An installation with an empty home inside ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    market = next(iter(symbols))
    return Installation(folder / "home", write_universe(folder, symbols, market=market), variables)
