"""The composition root: every capability, job, schedule, sensor and resource, in one place."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from jobs import JOBS, SCHEDULES
from quant_assets.backtests import assets as backtests
from quant_assets.backtests import checks as backtests_checks
from quant_assets.backtests import tables as backtests_tables
from quant_assets.features import checks as features_checks
from quant_assets.features import dbt as features
from quant_assets.features import tables as features_tables
from quant_assets.features.assets import feature_catalog_asset
from quant_assets.forecasts import assets as forecasts
from quant_assets.forecasts import checks as forecasts_checks
from quant_assets.forecasts import tables as forecasts_tables
from quant_assets.market_data import assets as market_data
from quant_assets.market_data import checks as market_data_checks
from quant_assets.market_data import tables as market_data_tables
from quant_assets.ops import tables as ops_tables
from quant_assets.quality import assets as quality
from quant_assets.quality import checks as quality_checks
from quant_assets.quality import tables as quality_tables
from quant_assets.regimes import assets as regimes
from quant_assets.regimes import checks as regimes_checks
from quant_assets.regimes import tables as regimes_tables
from quant_assets.serving.assets import readers_database_asset
from quant_assets.settings import load_settings
from quant_assets.signals import assets as signals
from quant_assets.signals import checks as signals_checks
from quant_assets.signals import tables as signals_tables
from quant_assets.signals.feature_list import CONSUMERS as SIGNAL_CONSUMERS
from quant_assets.wiring import build_resources
from sensors import SENSORS

__all__ = ["CONSUMERS", "TABLES", "defs"]

_ASSETS = (market_data, quality, regimes, features, signals, forecasts, backtests)
_CHECKS = (
    market_data_checks,
    quality_checks,
    regimes_checks,
    features_checks,
    signals_checks,
    forecasts_checks,
    backtests_checks,
)
_TABLES = (
    ops_tables,
    market_data_tables,
    quality_tables,
    features_tables,
    regimes_tables,
    signals_tables,
    forecasts_tables,
    backtests_tables,
)

TABLES = tuple(table for room in _TABLES for table in room.TABLES)
"""Declared by rooms and created where missing; what dbt makes is published beside them."""

CONSUMERS = (*SIGNAL_CONSUMERS,)
"""Who reads which features; each room declares its own once."""


@dg.definitions
def defs() -> dg.Definitions:
    """Everything that Dagster should know."""
    published = features_tables.published_tables()
    assets = [*dg.load_assets_from_modules(_ASSETS), feature_catalog_asset(CONSUMERS)]
    return dg.Definitions(
        assets=[*assets, readers_database_asset((*TABLES, *published), deps=_keys(assets))],
        asset_checks=dg.load_asset_checks_from_modules(_CHECKS),
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources=build_resources(load_settings(), TABLES, published=published),
        executor=dg.in_process_executor,
    )


def _keys(assets: Iterable[object]) -> list[dg.AssetKey]:
    return sorted({key for one in assets if isinstance(one, dg.AssetsDefinition) for key in one.keys})
