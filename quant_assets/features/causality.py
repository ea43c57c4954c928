"""Proof that the store looks at nothing later than a row's own session: rows are computed again from a cut history.

Two cuts are made and the marts evaluated on what remains, with their own SQL:

- truncation: without the newest sessions of the price tables, every earlier row has to come out the same to the last
  bit, and so has what the windowed columns are computed from (the market's close, the value traded), whose SQL is
  evaluated on the cut tables as well;
- late start: without the oldest of the stored bars, every row after the stated warm-up has to come out the same to
  1e-9.

Ranks are made again from the stored values of one session alone. What differs is returned, not raised.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import polars as pl

from quant_assets.features.changes import StoredVersion, quoted
from quant_assets.features.cross_section import RANKED_COLUMNS, cross_sectional_ranks
from quant_assets.features.lineage import compiled_sql
from quant_assets.features.panel import computed

__all__ = [
    "START_DEPENDENT",
    "Comparison",
    "compare",
    "compare_ranks",
    "evaluate_mart",
    "late_start",
    "look_ahead",
    "truncated_inputs",
    "truncation",
]

START_DEPENDENT: Final = ("obv",)
"""Columns whose level depends on the first bar; version 2 carries the change of on-balance volume instead."""
_TOLERANCE = 1e-9
_KEY = ("symbol", "date")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows compared and where they differ.

    Parameters
    ----------
    rows : int
    differences : DataFrame
        ``symbol``, ``date``, ``column``, ``stored``, ``again`` (both as text); empty where all is equal.
    """

    rows: int
    differences: pl.DataFrame

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return self.differences.is_empty()

    @classmethod
    def joined(cls, comparisons: Sequence[Comparison]) -> Comparison:
        """All of several comparisons together."""
        differences = [comparison.differences for comparison in comparisons]
        schema = dict.fromkeys(("symbol", "date", "column", "stored", "again"), pl.String) | {"date": pl.Date()}
        return cls(
            sum(comparison.rows for comparison in comparisons),
            pl.concat(differences) if differences else pl.DataFrame(schema=schema),
        )


def evaluate_mart(
    connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], version: int, bars: pl.DataFrame
) -> pl.DataFrame:
    """Evaluate a version's mart on other windowed columns than the stored ones, sorted by symbol and date.

    Parameters
    ----------
    connection : DuckDBPyConnection
        To a warehouse with the mart's other parents.
    manifest : mapping
        dbt's manifest.
    version : int
    bars : DataFrame
        Takes the place of the stored table of windowed columns.
    """
    node = manifest["nodes"][f"model.dbt_features.feature_store.v{version}"]
    stored = next(name for name in node["depends_on"]["nodes"] if ".int_bars_" in name)
    connection.register("bars_again", bars)
    try:
        sql = compiled_sql(manifest, node, instead_of={stored: "bars_again"})
        return connection.execute(sql).pl().sort(_KEY)
    finally:
        connection.unregister("bars_again")


def truncated_inputs(
    connection: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    version: StoredVersion,
    symbols: Sequence[str],
    before: dt.date,
) -> pl.DataFrame:
    """What a version is computed from, made by the models' SQL from price tables that end before a date.

    Parameters
    ----------
    connection : DuckDBPyConnection
        To a warehouse with the sources.
    manifest : mapping
        dbt's manifest.
    version : StoredVersion
    symbols : sequence of str
    before : date
        First date that is left out.

    Returns
    -------
    DataFrame
        ``symbol``, ``date`` and the version's inputs of those symbols, sorted by symbol and date.
    """
    market = connection.execute("SELECT symbol FROM ops.instruments WHERE is_market").fetchall()
    read = quoted([*symbols, *(symbol for (symbol,) in market)])
    bars = _cut(manifest, f"model.dbt_features.{version.table}", f"date < DATE '{before}' AND symbol IN {read}")
    names = ", ".join(("symbol", "date", *version.inputs))
    sql = f"SELECT {names} FROM {bars} WHERE symbol IN {quoted(symbols)}"  # noqa: S608 - names of our own
    return connection.execute(sql).pl().sort(_KEY)


def _cut(manifest: Mapping[str, Any], unique_id: str, condition: str) -> str:
    """A model as a subquery over the price tables' rows of a condition; of windowed columns, their bars."""
    if unique_id in manifest["sources"]:
        source = manifest["sources"][unique_id]
        relation = f"{source['schema']}.{source['identifier']}"
        is_dated = source["source_name"] == "market_data"
        return f"(SELECT * FROM {relation} WHERE {condition})" if is_dated else relation  # noqa: S608 - our own names
    node = manifest["nodes"][unique_id]
    parents = {name: _cut(manifest, name, condition) for name in node["depends_on"]["nodes"]}
    if node["language"] == "python":
        return next(iter(parents.values()))
    return f"({compiled_sql(manifest, node, parents)})"


def look_ahead(
    connection: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    number: int,
    version: StoredVersion,
    *,
    symbols: Sequence[str],
    sessions: Sequence[int],
) -> Comparison:
    """Compute symbols again without the newest sessions of the price tables, and compare with what is stored.

    Parameters
    ----------
    connection : DuckDBPyConnection
        To a warehouse whose stored tables are up to date.
    manifest : mapping
        dbt's manifest.
    number : int
        The version's.
    version : StoredVersion
    symbols : sequence of str
    sessions : sequence of int
        How many sessions to leave out, one truncation for each; passed over where history has no more than that.
    """
    stored = f"FROM features_intermediate.{version.table} WHERE symbol IN {quoted(symbols)}"
    names = ", ".join(("symbol", "date", *version.inputs))
    bars = connection.execute(f"SELECT {names} {stored}").pl()
    mart = manifest["nodes"][f"model.dbt_features.feature_store.v{number}"]
    published = connection.execute(f"FROM {mart['schema']}.{mart['alias']} WHERE symbol IN {quoted(symbols)}").pl()
    dates = bars["date"].unique().sort()
    found = []
    for left_out in sessions:
        if left_out < dates.len():
            inputs = truncated_inputs(connection, manifest, version, symbols, dates[-left_out])
            again = evaluate_mart(connection, manifest, number, computed(version, inputs))
            found += [compare(bars, inputs, exactly=True), compare(published, again, exactly=True)]
    return Comparison.joined(found)


def truncation(version: StoredVersion, bars: pl.DataFrame, sessions: int) -> pl.DataFrame:
    """Windowed columns computed from the bars without the newest ``sessions`` dates."""
    dates = bars["date"].unique().sort()
    if dates.len() <= sessions:
        return computed(version, bars.clear())
    return computed(version, bars.filter(pl.col("date") < dates[-sessions]))


def late_start(version: StoredVersion, bars: pl.DataFrame, left_out: int) -> pl.DataFrame:
    """Windowed columns computed without each symbol's oldest ``left_out`` bars, from the end of the warm-up on."""
    ordered = bars.sort(_KEY)
    place = pl.int_range(pl.len()).over("symbol")
    again = computed(version, ordered.filter(place >= left_out))
    return again.filter(place >= version.warm_up_bars)


def compare(stored: pl.DataFrame, again: pl.DataFrame, *, exactly: bool) -> Comparison:
    """Compare the rows of ``again`` with the stored ones.

    Parameters
    ----------
    stored, again : DataFrame
        Rows of a mart; every key of ``again`` is expected in ``stored``.
    exactly : bool
        To the last bit. Otherwise to 1e-9 of the value, of the close for prices, or of 1 where the value is smaller,
        and without the columns of :data:`START_DEPENDENT`.
    """
    columns = [name for name in again.columns if name not in _KEY and (exactly or name not in START_DEPENDENT)]
    pairs = again.join(stored, on=_KEY, how="left", suffix="_stored", coalesce=True)
    differing = []
    for name in columns:
        differs = pl.col(name).ne_missing(pl.col(f"{name}_stored"))
        if not exactly and again.schema[name] == pl.Float64:
            close = pl.max_horizontal(pl.col("close").abs(), pl.lit(0.0))
            floor = pl.max_horizontal(pl.col(name).abs(), close if name in _PRICES else pl.lit(1.0))
            apart = (pl.col(name) - pl.col(f"{name}_stored")).abs() > _TOLERANCE * floor
            one_is_null = pl.col(name).is_null() != pl.col(f"{name}_stored").is_null()
            differs = apart.fill_null(value=False) | one_is_null
        differing.append(
            pairs.filter(differs).select(
                *_KEY,
                pl.lit(name).alias("column"),
                pl.col(f"{name}_stored").cast(pl.String).alias("stored"),
                pl.col(name).cast(pl.String).alias("again"),
            )
        )
    return Comparison(again.height, pl.concat(differing).sort(_KEY))


_PRICES = ("macd", "macd_signal", "macd_hist")
"""Differences of prices, which may be near 0: measured against the close."""


def compare_ranks(connection: duckdb.DuckDBPyConnection, sessions: Sequence[dt.date]) -> Comparison:
    """Rank each of the sessions again from its stored values alone, and compare with the stored ranks."""
    names = ", ".join(RANKED_COLUMNS)
    stored = connection.execute(
        "SELECT * EXCLUDE (session_hash) FROM features_intermediate.int_symbols_ranked "
        "WHERE list_contains(?, date) ORDER BY symbol, date",
        [list(sessions)],
    ).pl()
    values = connection.execute(
        f"SELECT symbol, date, {names} FROM features_intermediate.int_bars_measured "  # noqa: S608 - our own names
        "WHERE list_contains(?, date) "
        "AND symbol NOT IN (SELECT symbol FROM features_staging.stg_ops__instruments WHERE is_index) "
        "ORDER BY symbol, date",
        [list(sessions)],
    ).pl()
    one_by_one = [
        pl.concat([day.select(_KEY), cross_sectional_ranks(day, RANKED_COLUMNS)], how="horizontal")
        for day in values.partition_by("date")
    ]
    again = pl.concat(one_by_one).sort(_KEY) if one_by_one else stored.clear()
    return compare(stored, again, exactly=True)
