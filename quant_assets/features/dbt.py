"""The dbt models as Dagster assets, their tests as asset checks.

Definitions come from the manifest; a run calls dbt in this process, for exactly the models and tests that it
selected, and reports each with row counts and dates read afterwards over a short connection of its own.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, dbt_assets

from quant_assets.features.dbt_project import NodeResult, load_project, run_dbt
from quant_assets.features.tables import published_tables
from quant_assets.foundation.errors import DataError
from resources.warehouse import Warehouse
from resources.warehouse.asset_specs import OWNERS

__all__ = ["FULL_REFRESH_TAG", "feature_store_models", "published_tables"]

FULL_REFRESH_TAG = "quant/full_refresh"
"""Run tag: ``true`` builds every stored model again from nothing."""

_UNIQUE_ID = "dagster_dbt/unique_id"
_PROJECT = load_project()


class _Translator(DagsterDbtTranslator):
    """Every model is ``features/<table or view>``, whatever layer it lies in."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "model":
            return dg.AssetKey(["features", dbt_resource_props["alias"]])
        return super().get_asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return "features" if dbt_resource_props["resource_type"] == "model" else None

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        return list(OWNERS) if dbt_resource_props["resource_type"] == "model" else None

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return str(dbt_resource_props["description"]).strip()


@dbt_assets(manifest=_PROJECT.manifest, dagster_dbt_translator=_Translator(), name="feature_store_models")
def feature_store_models(
    context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Build the selected models and run the selected tests."""
    keys = {spec.metadata[_UNIQUE_ID]: spec.key for spec in context.assets_def.specs}
    checks = {spec.metadata[_UNIQUE_ID]: spec.key for spec in context.assets_def.check_specs}
    wanted = [id_ for id_, key in keys.items() if key in context.selected_asset_keys]
    wanted += [id_ for id_, key in checks.items() if key in context.selected_asset_check_keys]
    is_full = context.run.tags.get(FULL_REFRESH_TAG) == "true"
    results = run_dbt(_build_arguments(wanted, is_full=is_full), warehouse=warehouse.path, project=_PROJECT)
    for result in results:
        if result.unique_id in keys and result.is_good:
            yield _materialized(warehouse, keys[result.unique_id], result)
        elif result.unique_id in checks:
            yield _checked(checks[result.unique_id], result)
    _raise_first_error([result for result in results if result.unique_id not in checks])


def _build_arguments(unique_ids: Sequence[str], *, is_full: bool) -> list[str]:
    """Arguments that name each wanted model and test, and nothing that dbt would add by itself."""
    nodes = _PROJECT.manifest["nodes"]
    selectors = ["fqn:" + ".".join(nodes[unique_id]["fqn"]) for unique_id in unique_ids]
    full = ["--full-refresh"] if is_full else []
    return ["build", "--indirect-selection", "empty", *full, "--select", *selectors]


def _materialized(warehouse: Warehouse, key: dg.AssetKey, result: NodeResult) -> dg.MaterializeResult[None]:
    node = _PROJECT.manifest["nodes"][result.unique_id]
    relation = f"{node['schema']}.{node['alias']}"
    metadata: dict[str, Any] = {
        "dagster/column_schema": _column_schema(node),
        "dagster/table_name": f"quant.{relation}",
        "seconds": round(result.seconds, 3),
    }
    if node["config"]["materialized"] == "incremental" or node["schema"] == "features":
        metadata |= _figures(warehouse, relation)
        if node["config"]["materialized"] == "incremental":
            whole = result.rows_written is None
            metadata["rows_written"] = metadata["dagster/row_count"] if whole else result.rows_written
        _note_changes(warehouse, relation, result, node)
    return dg.MaterializeResult(asset_key=key, metadata=metadata)


def _column_schema(node: Mapping[str, Any]) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name=column["name"], type=column["data_type"] or "", description=_described(column))
            for column in node["columns"].values()
        ]
    )


def _described(column: Mapping[str, Any]) -> str:
    meta = column["config"].get("meta", {})
    parts = [column["description"]]
    parts += [f"{name.capitalize()}: {meta[name]}." for name in ("unit", "formula", "source") if meta.get(name)]
    return " ".join(parts)


def _figures(warehouse: Warehouse, relation: str) -> dict[str, Any]:
    with warehouse.connect() as connection:
        rows, first, last, symbols = connection.execute(
            f"SELECT count(*), min(date), max(date), count(DISTINCT symbol) FROM {relation}"  # noqa: S608 - our name
        ).fetchall()[0]
    return {"dagster/row_count": rows, "first_date": str(first), "last_date": str(last), "symbols": symbols}


def _note_changes(warehouse: Warehouse, relation: str, result: NodeResult, node: Mapping[str, Any]) -> None:
    """Tell publishing what changed: a stored model that wrote rows, a mart of which a parent changed."""
    if node["config"]["materialized"] == "incremental":
        if result.rows_written != 0:
            with warehouse.transaction() as connection:
                warehouse.note_change(connection, relation)
        return
    parents = _ancestor_relations(result.unique_id)
    with warehouse.transaction() as connection:
        found = connection.execute(
            "SELECT max(changed_at) FILTER (table_name = ?), max(changed_at) FILTER (list_contains(?, table_name)) "
            "FROM ops.table_changes",
            [relation, parents],
        ).fetchall()
        own, of_parents = found[0]
        earliest = dt.datetime.min.replace(tzinfo=dt.UTC)
        if own is None or (of_parents or earliest) > own:
            warehouse.note_change(connection, relation)


def _ancestor_relations(unique_id: str) -> list[str]:
    nodes = {**_PROJECT.manifest["nodes"], **_PROJECT.manifest["sources"]}
    found: dict[str, None] = {}
    pending = list(nodes[unique_id]["depends_on"]["nodes"])
    while pending:
        parent = nodes[pending.pop()]
        found[f"{parent['schema']}.{parent.get('alias') or parent['identifier']}"] = None
        pending += parent.get("depends_on", {}).get("nodes", [])
    return list(found)


def _checked(key: dg.AssetCheckKey, result: NodeResult) -> dg.AssetCheckResult:
    is_warning = result.status == "warn"
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.status == "pass",
        severity=dg.AssetCheckSeverity.WARN if is_warning else dg.AssetCheckSeverity.ERROR,
        description=result.message or None,
        metadata={"failures": result.failures, "seconds": round(result.seconds, 3)},
    )


def _raise_first_error(results: Sequence[NodeResult]) -> None:
    broken = [result for result in results if result.status in ("error", "fail")]
    if broken:
        node = _PROJECT.manifest["nodes"].get(broken[0].unique_id)
        name = f"{node['schema']}.{node['alias']}" if node else broken[0].unique_id
        raise DataError(f"the dbt model {name} could not be built: {broken[0].message.strip()}")
