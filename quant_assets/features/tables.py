"""Tables of the ``features`` schema, as other rooms read them.

The marts are declared in ``dbt_features/models/marts`` (their contract); this module reads those declarations, so
that a column is described once.
"""

from __future__ import annotations

from functools import lru_cache

from quant_assets.features.dbt_project import load_project
from quant_assets.foundation.tables import Column, Table

__all__ = ["VERSIONS", "feature_store", "published_tables"]

VERSIONS = (1,)
"""Versions of the store that are built."""


@lru_cache
def feature_store(version: int) -> Table:
    """Declaration of one version of the feature store, read from its dbt contract.

    Created and filled by dbt: never create it from this declaration.
    """
    node = load_project().manifest["nodes"][f"model.dbt_features.feature_store.v{version}"]
    return Table(
        schema="features",
        name=node["alias"],
        key=("symbol", "date"),
        description=" ".join(node["description"].split()),
        columns=tuple(
            Column(
                name=column["name"],
                type=column["data_type"].upper(),
                description=column["description"],
                unit=column["config"].get("meta", {}).get("unit", ""),
                nullable=column["name"] not in ("symbol", "date"),
            )
            for column in node["columns"].values()
        ),
    )


def published_tables() -> tuple[Table, ...]:
    """Declarations of what dbt publishes in the ``features`` schema, for copies and documentation."""
    return tuple(feature_store(version) for version in VERSIONS)
