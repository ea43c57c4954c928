"""The resources of a run, built from the settings: the one place where Dagster meets adapters and settings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from quant_assets.foundation.home import Home
from quant_assets.foundation.tables import Table
from quant_assets.ops.records import alert_rows, instrument_rows
from quant_assets.ops.run_tags import AS_OF_TAG
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import ALERTS, INSTRUMENTS
from quant_assets.runtime import open_price_source, universe_for
from quant_assets.serving.assets import publish_run
from quant_assets.settings import Settings
from resources.alpha_vantage.client import AlphaVantageSource
from resources.model_registry import MlflowRecords, ModelFolders
from resources.warehouse import RunReport, Warehouse, warehouse_resource

__all__ = ["build_resources"]


def build_resources(
    settings: Settings, tables: Sequence[Table], *, published: Sequence[Table] = ()
) -> dict[str, object]:
    """Everything that assets ask for by name.

    Parameters
    ----------
    settings : Settings
    tables : sequence of Table
        Declared by rooms and created where missing.
    published : sequence of Table
        Made by dbt; published with the others, never created from here.
    """
    home = Home(settings.home)

    def on_open(warehouse: Warehouse) -> None:
        universe = universe_for(settings)
        warehouse.replace(INSTRUMENTS, instrument_rows(universe))
        warehouse.replace(ALERTS, alert_rows(OperationsStore(home.operations)))

    def on_close(warehouse: Warehouse, report: RunReport) -> None:
        publish_run(warehouse, report, (*tables, *published))

    @contextmanager
    def price_source(init: dg.InitResourceContext) -> Iterator[AlphaVantageSource]:
        as_of = init.run.tags.get(AS_OF_TAG) if init.run else None
        store = OperationsStore(home.operations)
        with open_price_source(settings, store, as_of=dt.date.fromisoformat(as_of) if as_of else None) as source:
            yield source

    return {
        "warehouse": warehouse_resource(home, tables=tables, on_open=on_open, on_close=on_close),
        "price_source": dg.ResourceDefinition(resource_fn=price_source, description="The vendor, or the replay."),
        "operations": dg.ResourceDefinition(
            resource_fn=lambda _: OperationsStore(home.operations), description="Small durable state (SQLite)."
        ),
        "universe": dg.ResourceDefinition(
            resource_fn=lambda _: universe_for(settings), description="The universe file, validated."
        ),
        "model_folders": dg.ResourceDefinition(
            resource_fn=lambda _: ModelFolders(home.path / "models"), description="Model versions, to score from."
        ),
        "model_records": dg.ResourceDefinition(
            resource_fn=lambda _: MlflowRecords(home.path / "mlflow", settings.mlflow_tracking_uri),
            description="MLflow, where every version is on record.",
        ),
    }
