"""The sentinel as assets: bars that are surely wrong are withheld from everything after."""

from __future__ import annotations

import dagster as dg
import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.tables import DAILY_PRICES
from quant_assets.ops.tables import RUN_STATE
from quant_assets.quality.rules import price_sanity_findings
from quant_assets.quality.tables import QUARANTINED_PRICES
from quant_assets.quality.withholding import withheld_rows
from resources.warehouse import Warehouse, asset_key, table_metadata, table_spec

__all__ = ["quarantined_prices"]


@dg.multi_asset(name="withhold_bars", specs=[table_spec(QUARANTINED_PRICES, deps=[DAILY_PRICES])])
def quarantined_prices(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    """Withhold bars that no true bar can look like; release those that the vendor has mended."""
    if not warehouse.is_current(QUARANTINED_PRICES, [DAILY_PRICES.qualified_name]):
        bars = warehouse.read(DAILY_PRICES)
        clock = warehouse.read(RUN_STATE)["source_clock"][0]
        findings = price_sanity_findings(bars, new_york_calendar(), today=clock.date())
        rows = withheld_rows(bars, findings, warehouse.read(QUARANTINED_PRICES), now=clock)
        warehouse.replace(QUARANTINED_PRICES, rows)
        warehouse.note_computed(QUARANTINED_PRICES)
    withheld = warehouse.read(QUARANTINED_PRICES).filter(pl.col("released_at").is_null()).height
    return dg.MaterializeResult(
        asset_key=asset_key(QUARANTINED_PRICES),
        metadata=table_metadata(warehouse, QUARANTINED_PRICES, withheld=withheld),
    )
