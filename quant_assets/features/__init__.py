"""Dagster side of the dbt feature store, the feature catalogue and causality checks."""
