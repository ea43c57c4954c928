"""Which columns a column is made of: read from the models' SQL and from the column functions.

The SQL of this project follows one style (imports first, then one named step after the other, a plain select at the
end), so its lineage can be read off the syntax tree without a database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlglot
from sqlglot import expressions as exp

from quant_assets.features.changes import StoredVersion

__all__ = ["ModelColumn", "SqlModel", "column_parents", "compiled_sql", "sql_model"]

_REF: Final = re.compile(r"\{\{\s*ref\('(\w+)'(?:,\s*v=(\d+))?\)\s*\}\}")
_SOURCE: Final = re.compile(r"\{\{\s*source\('(\w+)',\s*'(\w+)'\)\s*\}\}")

ModelColumn = tuple[str, str]
"""A model (or ``source.table``) and one of its columns."""


@dataclass(frozen=True, slots=True)
class SqlModel:
    """A SQL model as a chain of named steps."""

    steps: Mapping[str, exp.Expr]
    last: str
    cache: dict[ModelColumn, frozenset[ModelColumn]] = field(default_factory=dict)

    def expressions(self) -> dict[str, exp.Expr]:
        """Output columns and the expression that makes each."""
        return {item.alias_or_name: item.unalias() for item in self.steps[self.last].expressions}

    def parents(self, column: str) -> frozenset[ModelColumn]:
        """Columns of other models that an output column is made of."""
        return self._resolve(self.last, column)

    def _resolve(self, step: str, column: str) -> frozenset[ModelColumn]:
        if step not in self.steps:
            return frozenset({(step, column)})
        if (step, column) not in self.cache:
            self.cache[step, column] = self._resolve_step(self.steps[step], column)
        return self.cache[step, column]

    def _resolve_step(self, select: exp.Expr, column: str) -> frozenset[ModelColumn]:
        tables = [table.alias_or_name for table in _tables(select)]
        if select.is_star:
            return self._resolve(tables[0], column)
        made_by = {item.alias_or_name: item.unalias() for item in select.expressions}.get(column)
        if made_by is None:
            return frozenset()
        found: set[ModelColumn] = set()
        for used in made_by.find_all(exp.Column):
            found |= self._resolve(used.table or tables[0], used.name)
        return frozenset(found)


def _tables(select: exp.Expr) -> list[exp.Table]:
    joined = [join.this for join in select.args.get("joins") or []]
    return [table for table in (select.args["from_"].this, *joined) if isinstance(table, exp.Table)]


def sql_model(node: Mapping[str, Any]) -> SqlModel:
    """Read a SQL model of dbt's manifest."""
    text = _REF.sub(lambda match: f"{match[1]}_v{match[2]}" if match[2] else match[1], node["raw_code"])
    tree = sqlglot.parse_one(_SOURCE.sub(r'"\1.\2"', text), dialect="duckdb")
    steps = {cte.alias: cte.this for cte in tree.find_all(exp.CTE)}
    return SqlModel(steps, _tables(tree)[0].name)


def column_parents(
    manifest: Mapping[str, Any], unique_id: str, versions: Iterable[StoredVersion]
) -> dict[str, frozenset[ModelColumn]]:
    """Columns of the direct parents that each column of a model is made of.

    Parameters
    ----------
    manifest : mapping
        dbt's manifest.
    unique_id : str
        A model.
    versions : iterable of StoredVersion
        How the stored tables of windowed columns are computed.
    """
    node = manifest["nodes"][unique_id]
    if node["language"] == "sql":
        model = sql_model(node)
        return {column: model.parents(column) for column in model.expressions()}
    parent = str(node["depends_on"]["nodes"][0].split(".")[-1])
    for version in versions:
        if node["alias"] == version.table:
            return {name: frozenset((parent, read) for read in reads) for name, reads in _windowed(version).items()}
    return {
        column: frozenset({(parent, column.removesuffix("_rank"))})
        for column in node["columns"]
        if column.endswith("_rank") or column in ("symbol", "date")
    }


def _windowed(version: StoredVersion) -> dict[str, frozenset[str]]:
    """Columns of the bars that each stored column is made of."""
    made_of: dict[str, frozenset[str]] = {name: frozenset({name}) for name in ("symbol", "date", *version.inputs)}
    for column in version.columns.columns:
        made_of[column.name] = frozenset().union(*(made_of[name] for name in column.reads))
    return {name: made_of[name] for name in version.column_names if name in made_of}


def compiled_sql(manifest: Mapping[str, Any], node: Mapping[str, Any], instead_of: Mapping[str, str]) -> str:
    """SQL of a model, with other relations in the place of some of its parents.

    Parameters
    ----------
    manifest, node : mapping
        dbt's manifest and the model's entry in it.
    instead_of : mapping of str to str
        Unique id of a parent or source -> relation to read instead of it.
    """
    named, sources = {}, {}
    for unique_id in node["depends_on"]["nodes"]:
        if unique_id in manifest["sources"]:
            source = manifest["sources"][unique_id]
            relation = f"{source['schema']}.{source['identifier']}"
            sources[source["source_name"], source["name"]] = instead_of.get(unique_id, relation)
            continue
        parent = manifest["nodes"][unique_id]
        name = f"{parent['name']}_v{parent['version']}" if parent.get("version") else parent["name"]
        named[name] = instead_of.get(unique_id, f"{parent['schema']}.{parent['alias']}")
    text = _SOURCE.sub(lambda match: sources[match[1], match[2]], node["raw_code"])
    return _REF.sub(lambda match: named[f"{match[1]}_v{match[2]}" if match[2] else match[1]], text)
