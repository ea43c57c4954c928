"""Whether anything that the feature store is made of changed since it was last built whole."""

from __future__ import annotations

import hashlib

from quant_assets.features.cross_section import RANKED_COLUMNS
from quant_assets.features.dbt_project import ParsedProject
from quant_assets.features.versions import stored_versions
from quant_assets.foundation.table_store import TableStore

__all__ = ["build_state", "forget_built", "is_built", "note_built"]

_INPUTS = (
    "market_data.daily_prices",
    "market_data.adjustment_factors",
    "market_data.adjusted_prices",
    "quality.quarantined_prices",
    "ops.instruments",
    "regimes.market_regimes",
    "regimes.symbol_regimes",
)
"""Tables behind the sources; each notes its changes."""
_TABLE = "features_intermediate.build_state"


def build_state(store: TableStore, project: ParsedProject) -> str:
    """Digest of when each input last changed, of the as-of date, and of the code of the models."""
    with store.connect() as connection:
        changes = connection.execute(
            "SELECT table_name, changed_at::VARCHAR FROM ops.table_changes WHERE list_contains(?, table_name) "
            "ORDER BY table_name",
            [list(_INPUTS)],
        ).fetchall()
        as_of = connection.execute("SELECT max(as_of) FROM ops.run_state").fetchall()
    code = [project.folder.name, *(version.columns.revision for version in stored_versions().values()), RANKED_COLUMNS]
    return hashlib.sha256(repr((changes, as_of, code)).encode()).hexdigest()


def is_built(store: TableStore, state: str) -> bool:
    """Whether the last whole build saw this state and passed every test."""
    with store.connect() as connection:
        exists = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE schema_name || '.' || table_name = ?", [_TABLE]
        ).fetchall()[0][0]
        return bool(exists) and connection.execute(f"SELECT digest FROM {_TABLE}").fetchall() == [(state,)]  # noqa: S608


def forget_built(store: TableStore) -> None:
    """Count the store as not built, before anything of it is: a build that fails leaves tables of two makings."""
    with store.transaction() as connection:
        connection.execute(f"DROP TABLE IF EXISTS {_TABLE}")


def note_built(store: TableStore, state: str) -> None:
    """Remember a whole build of which every test passed."""
    with store.transaction() as connection:
        connection.execute(f"CREATE OR REPLACE TABLE {_TABLE} AS SELECT ?::VARCHAR AS digest", [state])
