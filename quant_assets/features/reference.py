"""The tables of ``docs/features.md``: every feature with its definition, from the contracts and the code.

``python -m quant_assets.features.reference`` writes it, ``--check`` fails where it is not current.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl

from quant_assets.features.catalog import feature_catalog
from quant_assets.features.causality import evaluate_mart
from quant_assets.features.changes import StoredVersion
from quant_assets.features.cross_section import RANKED_COLUMNS, cross_sectional_ranks
from quant_assets.features.dbt_project import load_project
from quant_assets.features.panel import computed
from quant_assets.features.tables import FEATURE_CATALOG, feature_store
from quant_assets.features.versions import stored_versions
from quant_assets.foundation.errors import DataError

__all__ = ["feature_reference"]

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "features.md"
_DEFINITION: Final = ("description", "formula", "unit", "reference")


def feature_reference(page: str, manifest: Mapping[str, Any], versions: Mapping[int, StoredVersion]) -> str:
    """``page`` with its tables of features brought up to date; each stands between a pair of marks.

    A version's table holds what it adds, and what it defines otherwise than the version before.

    Raises
    ------
    DataError
        Where the page has no marks for a version.
    """
    catalog = feature_catalog(manifest, versions, (), known=FEATURE_CATALOG.empty(), now=dt.datetime.now(dt.UTC))
    from_bar = _first_bars(manifest, versions)
    shown: dict[str, tuple[str, ...]] = {}
    for number in sorted(versions):
        told = {row[0]: row for row in catalog.filter(version=number).select("feature", *_DEFINITION).iter_rows()}
        names = [name for name, row in told.items() if shown.get(name) != row]
        shown |= told
        table = "\n".join(_table(catalog, number, names, from_bar))
        first, last = f"<!-- version {number} -->\n", f"<!-- /version {number} -->"
        if first not in page or last not in page:
            raise DataError(
                f"docs/features.md has no table of version {number}; add a heading, {first.strip()} and {last}."
            )
        before, rest = page.split(first)
        _, after = rest.split(last)
        page = f"{before}{first}{table}\n{last}{after}"
    return page


def _table(catalog: pl.DataFrame, version: int, names: list[str], from_bar: Mapping[str, int]) -> Iterator[str]:
    yield "| feature | meaning | formula | unit | from bar | source |"
    yield "|---|---|---|---|---|---|"
    rows = {row["feature"]: row for row in catalog.filter(version=version).iter_rows(named=True)}
    for name in names:
        row = rows[name]
        cells = [f"`{name}`", row["description"], row["formula"], row["unit"], from_bar.get(name, ""), row["reference"]]
        line = " | ".join(str(cell).replace("|", "&#124;") for cell in cells)
        yield f"| {line} |"


def _first_bars(manifest: Mapping[str, Any], versions: Mapping[int, StoredVersion]) -> dict[str, int]:
    """Number of the first bar on which each feature of a moving price is known, found by computing them."""
    newest = max(versions)
    windowed = computed(versions[newest], _moving_bars())
    keys = windowed.select("symbol", "date", pl.lit("").alias("session_hash"))
    ranks = pl.concat([keys, cross_sectional_ranks(windowed, RANKED_COLUMNS)], how="horizontal")
    with duckdb.connect() as connection:
        connection.register("ranks", ranks)
        connection.execute("CREATE SCHEMA features_intermediate; CREATE SCHEMA features_staging")
        connection.execute("CREATE TABLE features_intermediate.int_symbols_ranked AS FROM ranks")
        probabilities = ", ".join(f"p_{name} DOUBLE" for name in ("bullish", "bearish", "sideways", "high_volatility"))
        connection.execute("CREATE TABLE features_staging.stg_ops__instruments (symbol VARCHAR, is_index BOOLEAN)")
        for name, key in (("market_regimes", "date DATE"), ("symbol_regimes", "symbol VARCHAR, date DATE")):
            connection.execute(
                f"CREATE TABLE features_staging.stg_regimes__{name} ({key}, regime VARCHAR, {probabilities})"
            )
        found = evaluate_mart(connection, manifest, newest, windowed).filter(pl.col("symbol") == "A")
    known = {name: found[name].is_not_null().arg_max() for name in feature_store(newest).column_names}
    return {name: bar + 1 for name, bar in known.items() if bar is not None and found[name][bar] is not None}


def _moving_bars() -> pl.DataFrame:
    generator = np.random.default_rng(1)
    frames = []
    for symbol in ("A", "M"):
        close = 50.0 * np.exp(np.cumsum(0.01 * generator.standard_normal(300)))
        days = pl.date_range(dt.date(2020, 1, 1), dt.date(2020, 10, 26), eager=True)
        prices = {"open": close * 1.001, "high": close * 1.01, "low": close * 0.99, "close": close}
        volume = generator.uniform(1e6, 2e6, 300)
        frames.append(
            pl.DataFrame({"symbol": [symbol] * 300, "date": days, **prices, "volume": volume, "dollar_volume": volume})
        )
    market = frames[1].select("date", market_close="close")
    return pl.concat(frames).join(market, on="date")


def main(arguments: list[str]) -> int:
    """Write the page, or check it."""
    page = PAGE.read_text(encoding="utf-8")
    text = feature_reference(page, load_project().manifest, stored_versions())
    if "--check" in arguments:
        if page == text:
            return 0
        print(f"{PAGE} is not current; run python -m quant_assets.features.reference", file=sys.stderr)  # noqa: T201
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
