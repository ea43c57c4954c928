"""The DuckDB warehouse: run lock, reads, transactional writes, the resource of a run."""
