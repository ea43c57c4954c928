"""The feature catalogue, put together from what the code already says: nothing in it is typed by hand."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl
from sqlglot import expressions as exp

from quant_assets.features.changes import StoredVersion
from quant_assets.features.columns import StoredColumn
from quant_assets.features.consumers import FeatureConsumer, check_consumers
from quant_assets.features.lineage import sql_model
from quant_assets.features.tables import FEATURE_CATALOG
from quant_assets.features.versions import check_versions

__all__ = ["feature_catalog"]

_BARS, _RANKS = "bars", "ranks"
"""Names that the marts give to their windowed columns and to their ranks."""
_NOT_FEATURES = ("symbol", "date", "open", "high", "low", "close", "volume")
_CONSTANT: Final = re.compile(r"\b(?:(\w+)\.)?(_?[A-Z][A-Z0-9_]+)\b")
"""A constant of the function's module, or of a module imported there."""


def feature_catalog(
    manifest: Mapping[str, Any],
    versions: Mapping[int, StoredVersion],
    consumers: Sequence[FeatureConsumer],
    *,
    known: pl.DataFrame,
    now: dt.datetime,
) -> pl.DataFrame:
    """One row per version and feature, as ``features.feature_catalog`` declares.

    Parameters
    ----------
    manifest : mapping
        dbt's manifest.
    versions : mapping of int to StoredVersion
    consumers : sequence of FeatureConsumer
    known : DataFrame
        The present catalogue: a feature that is in it keeps its ``created_at``.
    now : datetime
        Given to the others (aware).

    Raises
    ------
    DataError
        Where a consumer declares a feature that its version does not have, or a version is not known to both dbt and
        ``versions``.
    """
    check_versions(manifest, versions)
    check_consumers(consumers)
    created_at = {(version, feature): at for version, feature, at in known["version", "feature", "created_at"].rows()}
    rows = []
    for number, version in versions.items():
        node = manifest["nodes"][f"model.dbt_features.feature_store.v{number}"]
        for row in _rows(node, version):
            feature = row["feature"]
            users = [c.name for c in consumers if c.version == number and feature in c.features]
            rows.append(
                {
                    "version": number,
                    "created_at": created_at.get((number, feature), now),
                    "used_by": ", ".join(sorted(users)),
                    **row,
                }
            )
    return FEATURE_CATALOG.validate(
        pl.DataFrame(rows, schema_overrides=FEATURE_CATALOG.polars_schema).select(FEATURE_CATALOG.column_names)
    )


def _rows(node: Mapping[str, Any], version: StoredVersion) -> Iterator[dict[str, str]]:
    expressions = {name: _plain(made_by) for name, made_by in sql_model(node).expressions().items()}
    stored = {column.name: column for column in version.columns.columns}
    features = set(node["columns"]) - set(_NOT_FEATURES)
    for name, column in node["columns"].items():
        if name in _NOT_FEATURES:
            continue
        needed = _needed_columns(name, expressions[name], stored, features)
        meta = column["config"].get("meta", {})
        yield {
            "feature": name,
            "description": column["description"],
            "formula": meta.get("formula", ""),
            "logic": _logic(name, expressions[name], needed),
            "unit": meta.get("unit", ""),
            "reference": meta.get("source", ""),
            "depends_on": ", ".join(_dependencies(name, expressions[name], needed)),
        }


def _plain(expression: exp.Expr) -> exp.Expr:
    """The expression in columns of the bars; ranks as a function of what they rank, other tables' columns in full."""

    def renamed(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column):
            return node
        if node.table == _RANKS:
            return exp.func("cross_sectional_rank", exp.column(node.name.removesuffix("_rank")))
        return exp.column(node.name, table=None if node.table == _BARS else node.table)

    return expression.transform(renamed)


def _used(expression: exp.Expr) -> list[str]:
    found = expression.find_all(exp.Column)
    return sorted({f"{column.table}.{column.name}" if column.table else column.name for column in found})


def _needed_columns(
    feature: str, expression: exp.Expr, stored: Mapping[str, StoredColumn], features: set[str]
) -> list[StoredColumn]:
    """Column functions between the mart's expression and other features or the bars, in order of need."""
    needed: dict[str, StoredColumn] = {}
    pending = [name for name in _used(expression) if name == feature or name not in features]
    while pending:
        name = pending.pop(0)
        if name in stored and name not in needed:
            needed[name] = stored[name]
            pending += [read for read in stored[name].reads if read not in features]
    return list(needed.values())


def _dependencies(feature: str, expression: exp.Expr, needed: Sequence[StoredColumn]) -> list[str]:
    inner = {column.name for column in needed}
    reached = {*_used(expression), *(read for column in needed for read in column.reads)}
    return sorted(reached - inner - {feature})


def _logic(feature: str, expression: exp.Expr, needed: Sequence[StoredColumn]) -> str:
    text = expression.sql(dialect="duckdb", normalize_functions="lower")
    lines = [] if needed and text == feature else [text]
    return "\n".join([*lines, *(f"{column.name}: {_with_values(column)}" for column in needed)])


def _with_values(column: StoredColumn) -> str:
    """The code of a column, with the values of its named constants in their place."""

    def value_of(match: re.Match[str]) -> str:
        module, name = match.groups()
        names = column.function.__globals__
        found = getattr(names.get(module), name, None) if module else names.get(name)
        return repr(found) if isinstance(found, int | float) else match[0]

    return _CONSTANT.sub(value_of, column.logic)
