"""The DuckDB warehouse: run lock, reads, transactional writes, the resource of a run."""

from resources.warehouse.database import TABLE_CHANGES, MergeCounts, Warehouse, open_database

__all__ = ["TABLE_CHANGES", "MergeCounts", "Warehouse", "open_database"]
