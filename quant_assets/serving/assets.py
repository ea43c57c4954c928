"""The readers' database as an asset: the last step of a night that went well."""

import datetime as dt
import subprocess
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from quant_assets.foundation.home import Home
from quant_assets.foundation.tables import Table
from quant_assets.serving.publish import Publication, publish
from resources.warehouse import RunReport, Warehouse, run_report
from resources.warehouse.asset_specs import OWNERS

__all__ = ["git_revision", "publish_run", "readers_database_asset"]


def git_revision() -> str:
    """Revision of the code, with ``-dirty`` where it was changed since; empty outside a checkout."""
    folder = Path(__file__).parent
    try:
        found = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*"],  # noqa: S607 - git of the PATH
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def publish_run(warehouse: Warehouse, report: RunReport, tables: Sequence[Table]) -> Publication | None:
    """Publish what a run left in the warehouse."""
    return publish(
        Home(warehouse.path.parent),
        warehouse,
        run_id=report.run_id,
        outcome=report.outcome,
        assets=report.assets,
        tables=tables,
        git_revision=git_revision(),
        now=dt.datetime.now(dt.UTC),
    )


def readers_database_asset(tables: Sequence[Table], deps: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """Build the asset; ``deps`` are the keys it must come after."""

    @dg.asset(
        key=["serving", "readers_database"],
        deps=deps,
        group_name="serving",
        owners=list(OWNERS),
        kinds={"duckdb"},
        description=(
            "quant.duckdb: a read-only copy of every table, swapped in atomically; open it at any time. A run that "
            "fails before this step publishes when it closes, with what it could not do written down."
        ),
    )
    def readers_database(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.MaterializeResult[None]:
        publication = publish_run(warehouse, run_report(context.instance, warehouse.run_id), tables)
        path = str(Home(warehouse.path.parent).readers_database)
        if publication is None:
            return dg.MaterializeResult(metadata={"path": path, "published": False, "reason": "nothing changed"})
        return dg.MaterializeResult(
            metadata={
                "path": path,
                "published": True,
                "megabytes": round(publication.bytes_written / 1e6, 1),
                "tables": len(publication.rows),
                "dagster/row_count": sum(publication.rows.values()),
            }
        )

    return readers_database
