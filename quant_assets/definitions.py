"""The composition root: every capability, job, schedule, sensor and resource, in one place."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from jobs import JOBS, SCHEDULES
from quant_assets.features import dbt as features
from quant_assets.features.tables import published_tables
from quant_assets.market_data import assets as market_data
from quant_assets.market_data import checks as market_data_checks
from quant_assets.market_data.tables import TABLES as MARKET_DATA_TABLES
from quant_assets.ops.tables import TABLES as OPS_TABLES
from quant_assets.quality import assets as quality
from quant_assets.quality import checks as quality_checks
from quant_assets.quality.tables import TABLES as QUALITY_TABLES
from quant_assets.regimes.tables import TABLES as REGIMES_TABLES
from quant_assets.serving.assets import readers_database_asset
from quant_assets.settings import load_settings
from quant_assets.wiring import build_resources
from sensors import SENSORS

__all__ = ["TABLES", "defs"]

TABLES = (*OPS_TABLES, *MARKET_DATA_TABLES, *QUALITY_TABLES, *REGIMES_TABLES)
_ASSET_MODULES = (market_data, quality, features)
_CHECK_MODULES = (market_data_checks, quality_checks)


@dg.definitions
def defs() -> dg.Definitions:
    """Everything that Dagster should know."""
    assets = dg.load_assets_from_modules(_ASSET_MODULES)
    return dg.Definitions(
        assets=[*assets, readers_database_asset((*TABLES, *published_tables()), deps=_keys(assets))],
        asset_checks=dg.load_asset_checks_from_modules(_CHECK_MODULES),
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources=build_resources(load_settings(), TABLES, published=published_tables()),
        executor=dg.in_process_executor,
    )


def _keys(assets: Iterable[object]) -> list[dg.AssetKey]:
    return sorted({key for one in assets if isinstance(one, dg.AssetsDefinition) for key in one.keys})
