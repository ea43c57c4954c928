"""The dbt models as Dagster assets, their tests as asset checks.

Definitions come from the manifest; a run calls dbt in this process, for exactly the models and tests that it
selected, and reports each with row counts and dates read afterwards over a short connection of its own. Where no input
changed since all models were built and all tests passed, dbt is not called at all.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
import polars as pl
from dagster_dbt import DagsterDbtTranslator, dbt_assets

from quant_assets.features.build_state import build_state, forget_built, is_built, note_built
from quant_assets.features.dbt_project import NodeResult, load_project, run_dbt
from quant_assets.features.lineage import column_parents
from quant_assets.features.tables import published_tables
from quant_assets.features.versions import stored_versions
from quant_assets.foundation.errors import DataError
from resources.warehouse import Warehouse
from resources.warehouse.asset_specs import OWNERS

__all__ = ["FULL_REFRESH_TAG", "feature_store_models", "published_tables", "raise_first_error"]

FULL_REFRESH_TAG = "quant/full_refresh"
"""Run tag: ``true`` builds every stored model again from nothing."""

_UNIQUE_ID = "dagster_dbt/unique_id"
_PROJECT = load_project()
_MARTS = "features"
_PREVIEW_ROWS = 5


class _Translator(DagsterDbtTranslator):
    """Every model is ``features/<table or view>``, whatever layer it lies in."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "model":
            return dg.AssetKey([_MARTS, dbt_resource_props["alias"]])
        return super().get_asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return _MARTS if dbt_resource_props["resource_type"] == "model" else None

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
    is_whole, has_models = len(wanted) == len(keys) + len(checks), bool(context.selected_asset_keys)
    is_full = context.run.tags.get(FULL_REFRESH_TAG) == "true"
    state = build_state(warehouse, _PROJECT)
    if is_built(warehouse, state) and not is_full:
        order = [id_ for id_ in TopologicalSorter(_PROJECT.manifest["parent_map"]).static_order() if id_ in wanted]
        results = [NodeResult(id_, "unchanged", "", 0.0, 0, rows_written=0) for id_ in order]
        began: tuple[str, ...] = ()
    else:
        if has_models:
            forget_built(warehouse)
        began = warehouse.begin_rebuilding(_mart_names()) if has_models else ()
        results = run_dbt(_build_arguments(wanted, is_full=is_full), warehouse=warehouse.path, project=_PROJECT)
    for result in results:
        if result.unique_id in keys and result.is_good:
            yield _materialized(warehouse, keys[result.unique_id], result)
        elif result.unique_id in checks and result.status != "skipped":
            yield _checked(checks[result.unique_id], result)
    raise_first_error([result for result in results if result.unique_id not in checks])
    if all(result.is_good for result in results):
        # A part that went well mends nothing of what an earlier, failed run left.
        warehouse.end_rebuilding(_mart_names() if is_whole else began)
    if is_whole and all(result.status in ("success", "pass", "no-op", "unchanged") for result in results):
        note_built(warehouse, state)


def _mart_names() -> list[str]:
    nodes = (_PROJECT.manifest["nodes"][spec.metadata[_UNIQUE_ID]] for spec in feature_store_models.specs)
    return [f"{node['schema']}.{node['alias']}" for node in nodes if node["schema"] == _MARTS]


def _build_arguments(unique_ids: Sequence[str], *, is_full: bool) -> list[str]:
    """Arguments that name each wanted model and test, and nothing that dbt would add by itself."""
    nodes = _PROJECT.manifest["nodes"]
    selectors = ["fqn:" + ".".join(nodes[unique_id]["fqn"]) for unique_id in unique_ids]
    full = ["--full-refresh"] if is_full else []
    return ["build", "--indirect-selection", "empty", *full, "--select", *selectors]


def _materialized(warehouse: Warehouse, key: dg.AssetKey, result: NodeResult) -> dg.MaterializeResult[None]:
    node = _PROJECT.manifest["nodes"][result.unique_id]
    relation = f"{node['schema']}.{node['alias']}"
    is_stored, is_mart = node["config"]["materialized"] == "incremental", node["schema"] == _MARTS
    metadata: dict[str, Any] = {
        "dagster/column_schema": _column_schema(node),
        "dagster/column_lineage": _column_lineage(result.unique_id),
        "dagster/table_name": f"quant.{relation}",
        "seconds": round(result.seconds, 3),
    }
    if is_stored or is_mart:
        metadata |= _figures(warehouse, relation, node)
    if is_stored:
        whole = result.rows_written is None
        metadata["rows_written"] = metadata["dagster/row_count"] if whole else result.rows_written
        if metadata["rows_written"]:
            with warehouse.transaction() as connection:
                warehouse.note_change(connection, relation)
    elif is_mart:
        _note_mart_change(warehouse, relation, result.unique_id)
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


@lru_cache
def _column_lineage(unique_id: str) -> dg.TableColumnLineage:
    parents = column_parents(_PROJECT.manifest, unique_id, stored_versions().values())
    deps = {
        column: [dg.TableColumnDep(asset_key=_asset_key(parent), column_name=name) for parent, name in sorted(found)]
        for column, found in parents.items()
    }
    return dg.TableColumnLineage(deps)


def _asset_key(model_or_source: str) -> dg.AssetKey:
    return dg.AssetKey(model_or_source.split(".") if "." in model_or_source else [_MARTS, model_or_source])


def _figures(warehouse: Warehouse, relation: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """Rows, dates and symbols, counted on the stored table that a view has the rows of; a preview of a mart."""
    stored = node["config"].get("meta", {}).get("rows_of")
    counted = f"features_intermediate.{stored}" if stored else relation
    with warehouse.connect() as connection:
        rows, first, last, symbols = connection.execute(
            f"SELECT count(*), min(date), max(date), count(DISTINCT symbol) FROM {counted}"  # noqa: S608 - our name
        ).fetchall()[0]
        newest = f"FROM {relation} WHERE date = ? ORDER BY symbol LIMIT {_PREVIEW_ROWS}"
        preview = connection.execute(newest, [last]).pl() if node["schema"] == _MARTS else pl.DataFrame()
    figures: dict[str, Any] = {
        "dagster/row_count": rows,
        "first_date": str(first),
        "last_date": str(last),
        "symbols": symbols,
    }
    if preview.height:
        records = [dg.TableRecord({k: str(v) for k, v in row.items()}) for row in preview.iter_rows(named=True)]
        figures["preview"] = dg.MetadataValue.table(records)
    return figures


def _note_mart_change(warehouse: Warehouse, relation: str, unique_id: str) -> None:
    """Tell publishing that a view gives something else: one of the tables behind it changed."""
    ancestors = _ancestor_relations(unique_id)
    with warehouse.transaction() as connection:
        found = connection.execute(
            "SELECT max(changed_at) FILTER (table_name = ?), max(changed_at) FILTER (list_contains(?, table_name)) "
            "FROM ops.table_changes",
            [relation, ancestors],
        ).fetchall()
        own, of_ancestors = found[0]
        earliest = dt.datetime.min.replace(tzinfo=dt.UTC)
        if own is None or (of_ancestors or earliest) > own:
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
    is_unchanged = result.status == "unchanged"
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=is_unchanged or result.status == "pass",
        severity=dg.AssetCheckSeverity.WARN if result.status == "warn" else dg.AssetCheckSeverity.ERROR,
        description="nothing changed since this passed" if is_unchanged else result.message or None,
        metadata={"failures": result.failures, "seconds": round(result.seconds, 3)},
    )


def raise_first_error(results: Sequence[NodeResult]) -> None:
    """Raise DataError for the first model that dbt could not build, naming it and what is wrong."""
    broken = [result for result in results if result.status in ("error", "fail")]
    if broken:
        node = _PROJECT.manifest["nodes"].get(broken[0].unique_id)
        name = f"{node['schema']}.{node['alias']}" if node else broken[0].unique_id
        reason = _broken_contract(broken[0].message) or broken[0].message.strip()
        raise DataError(f"the dbt model {name} could not be built: {reason}")


def _broken_contract(message: str) -> str:
    """The columns that dbt lists under a contract that failed, as ``name (reason)``; empty for any other message."""
    if "enforced contract" not in message:
        return ""
    cells = [[cell.strip() for cell in line.strip(" |").split("|")] for line in message.splitlines() if "|" in line]
    columns = [
        f"{row[0]} ({row[-1]})" for row in cells if not set("".join(row)) <= set("- ") and row[0] != "column_name"
    ]
    return f"its columns break the contract in its .yml file: {', '.join(columns)}; mend one of the two."
