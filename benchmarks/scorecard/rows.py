"""What a row of the scorecard is, and where it finds its figures."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from quant_assets.foundation.home import Home
from quant_assets.settings import load_settings

NOT_MEASURED = "not measured yet: run 'make run'"


@dataclass(frozen=True)
class Row:
    """A goal and the function that finds what was measured; ``read`` gets the published database, read-only."""

    measure: str
    goal: str
    read: Callable[[duckdb.DuckDBPyConnection], str]


def rows(connection, sql: str) -> list[tuple]:
    """Rows of a query; none where its table is not published yet."""
    try:
        return connection.execute(sql).fetchall()
    except duckdb.CatalogException:
        return []


def write_measurement(name: str, figures: dict) -> None:
    """Keep what a benchmark measured for the scorecard, in the home that the settings name."""
    folder = Home(load_settings().home).path / "measurements"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(figures, indent=2, default=str) + "\n", encoding="utf-8")


def read_measurement(name: str) -> dict | None:
    """What ``make bench`` measured last in this home; None before it ever ran."""
    file = Home(load_settings().home).path / "measurements" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
