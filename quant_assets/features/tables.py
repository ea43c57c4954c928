"""Tables of the ``features`` schema, as other rooms read them.

The marts are declared in ``dbt_features/models/marts`` (their contracts); this module reads those declarations, so
that a column is described once. They are created and filled by dbt alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from quant_assets.features.dbt_project import load_project
from quant_assets.foundation.tables import Column, Table

__all__ = ["FEATURE_CATALOG", "TABLES", "feature_store", "published_tables"]

FEATURE_CATALOG = Table(
    schema="features",
    name="feature_catalog",
    key=("version", "feature"),
    description=(
        "One row per version and feature: what it is, how it is computed and who uses it, generated from the dbt "
        "manifest, the column functions and the declared consumers."
    ),
    columns=(
        Column("version", "INTEGER", "Version of the feature store."),
        Column("feature", "VARCHAR", "Column of that version."),
        Column("description", "VARCHAR", "What it says, and when it is null."),
        Column("formula", "VARCHAR", "Definition in mathematical words; empty where the description says it."),
        Column("logic", "VARCHAR", "The code that computes it: SQL of the mart, then each column function it needs."),
        Column("unit", "VARCHAR", "Unit of the values."),
        Column("reference", "VARCHAR", "Where the definition comes from; empty where it is common knowledge."),
        Column("depends_on", "VARCHAR", "Columns of the bars and other features it is made of, comma separated."),
        Column("created_at", "TIMESTAMPTZ", "Wall clock of the run that first built it in this home."),
        Column("used_by", "VARCHAR", "Declared consumers, comma separated; empty where there is none."),
    ),
)

TABLES = (FEATURE_CATALOG,)
"""Tables that the warehouse creates; the marts are not among them."""

_MARTS = "features"
_KEYS = {"weekly_bars": ("symbol", "week_start"), "monthly_bars": ("symbol", "month_start")}


@lru_cache
def feature_store(version: int) -> Table:
    """Declaration of one version of the feature store, read from its dbt contract."""
    return next(table for table in published_tables() if table.name == f"feature_store_v{version}")


@lru_cache(maxsize=1)
def published_tables() -> tuple[Table, ...]:
    """Declarations of the marts, for copies and documentation."""
    nodes = load_project().manifest["nodes"].values()
    marts = [node for node in nodes if node["resource_type"] == "model" and node["schema"] == _MARTS]
    return tuple(_declared(node) for node in sorted(marts, key=lambda node: str(node["alias"])))


def _declared(node: Mapping[str, Any]) -> Table:
    key = _KEYS.get(node["alias"], ("symbol", "date"))
    return Table(
        schema=node["schema"],
        name=node["alias"],
        key=key,
        description=" ".join(node["description"].split()),
        columns=tuple(
            Column(
                name=column["name"],
                type=column["data_type"].upper(),
                description=column["description"],
                unit=column["config"].get("meta", {}).get("unit", ""),
                nullable=column["name"] not in key,
            )
            for column in node["columns"].values()
        ),
    )
