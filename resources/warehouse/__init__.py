"""The DuckDB warehouse: run lock, reads, transactional writes, the resource of a run."""

from quant_assets.foundation.table_store import MergeCounts
from resources.warehouse.asset_specs import asset_key, column_schema, table_metadata, table_spec
from resources.warehouse.database import TABLE_CHANGES, UNFINISHED_TABLES, Warehouse, open_database
from resources.warehouse.run_report import RunReport, run_report
from resources.warehouse.run_session import NO_WAIT_TAG, warehouse_resource
from resources.warehouse.stuck_runs import fail_stuck_runs

__all__ = [
    "NO_WAIT_TAG",
    "TABLE_CHANGES",
    "UNFINISHED_TABLES",
    "MergeCounts",
    "RunReport",
    "Warehouse",
    "asset_key",
    "column_schema",
    "fail_stuck_runs",
    "open_database",
    "run_report",
    "table_metadata",
    "table_spec",
    "warehouse_resource",
]
