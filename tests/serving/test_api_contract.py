"""The API relies on columns that the rooms declare."""

from __future__ import annotations

import importlib

import pytest

from quant_assets.foundation.tables import Table
from quant_assets.serving.api.contract import PROMISED

ROOMS = ("market_data", "quality", "regimes", "signals", "forecasts", "backtests")


def declared() -> dict[str, Table]:
    """Every table that a room declares by now."""
    tables = {}
    for room in ROOMS:
        try:
            module = importlib.import_module(f"quant_assets.{room}.tables")
        except ModuleNotFoundError:
            continue
        tables |= {table.qualified_name: table for table in module.TABLES}
    return tables


@pytest.mark.parametrize("promised", PROMISED, ids=lambda promised: promised.name)
def test_declared_tables_have_the_promised_columns(promised):
    """Where a room declares the table, it has every column that the API reads."""
    table = declared().get(promised.name)
    if table is None:
        pytest.skip("declared by no room yet, or built by dbt")
    assert [name for name in promised.columns if name not in table.column_names] == []
