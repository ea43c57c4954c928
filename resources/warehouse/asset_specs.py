"""Dagster's view of a declared table: its asset specification, and the metadata of what was written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg
import polars as pl

from quant_assets.foundation.tables import Column, Table
from resources.warehouse.database import Warehouse

__all__ = ["OWNERS", "asset_key", "column_schema", "table_metadata", "table_spec"]

OWNERS = ("team:research",)
_PREVIEW_ROWS = 5


def asset_key(table: Table) -> dg.AssetKey:
    """The asset key of a table: schema and name."""
    return dg.AssetKey([table.schema, table.name])


def column_schema(columns: Iterable[Column]) -> dg.TableSchema:
    """Declared columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type,
                description=f"{column.description}{f' Unit: {column.unit}.' if column.unit else ''}",
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in columns
        ]
    )


def table_spec(
    table: Table, *, deps: Sequence[Table | dg.AssetKey] = (), kinds: Iterable[str] = ("duckdb", "python")
) -> dg.AssetSpec:
    """Specification of the asset that stands for a declared table.

    Parameters
    ----------
    table : Table
    deps : sequence of Table or AssetKey
        What it is made from.
    kinds : iterable of str
        Badges shown in the UI.
    """
    return dg.AssetSpec(
        key=asset_key(table),
        deps=[asset_key(dep) if isinstance(dep, Table) else dep for dep in deps],
        description=table.description,
        group_name=table.schema,
        owners=list(OWNERS),
        kinds=set(kinds) | ({"view"} if table.view_sql else set()),
        metadata={
            "dagster/column_schema": column_schema(table.columns),
            "dagster/table_name": f"quant.{table.qualified_name}",
            "key": ", ".join(table.key),
        },
    )


def table_metadata(warehouse: Warehouse, table: Table, **figures: Any) -> dict[str, Any]:
    """Row count, range of dates, a preview of the newest rows, and the given key figures."""
    date_column = next((c.name for c in table.columns if c.type == "DATE" and c.name in table.key), None)
    span = f", min({date_column}), max({date_column}), count(DISTINCT {table.key[0]})" if date_column else ""
    order = f" ORDER BY {date_column} DESC, {table.key[0]}" if date_column else ""
    with warehouse.connect() as connection:
        head = connection.execute(f"SELECT count(*){span} FROM {table.qualified_name}").fetchone()
        preview = connection.execute(f"FROM {table.qualified_name}{order} LIMIT {_PREVIEW_ROWS}").pl()
    metadata: dict[str, Any] = {"dagster/row_count": head[0] if head else 0}
    if date_column and head and head[0]:
        metadata |= {"first_date": str(head[1]), "last_date": str(head[2])}
        if table.key[0] == "symbol":
            metadata["symbols"] = head[3]
    if preview.height:
        metadata["preview"] = dg.MetadataValue.md(_markdown(preview))
    return metadata | figures


def _markdown(frame: pl.DataFrame) -> str:
    header = f"| {' | '.join(frame.columns)} |\n|{'---|' * frame.width}\n"
    return header + "\n".join(f"| {' | '.join(_cell(value) for value in row)} |" for row in frame.iter_rows())


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:80].replace("|", "\\|").replace("\n", " ")
