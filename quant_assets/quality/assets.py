"""The sentinel as assets: every new bar scored, bars that are surely wrong withheld, and why."""

import datetime as dt
import os
from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.tables import CORPORATE_ACTIONS, DAILY_PRICES
from quant_assets.ops.records import alert_rows
from quant_assets.ops.run_tags import FULL_REFRESH_TAG
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import ALERTS
from quant_assets.quality.alerts import raise_alerts
from quant_assets.quality.decisions import newest_decisions
from quant_assets.quality.findings import Severity
from quant_assets.quality.prophet_detector import ProphetSettings
from quant_assets.quality.scan import scan_bars
from quant_assets.quality.scan_state import ScanResult, ScanSettings
from quant_assets.quality.scan_storage import load_scan, store_scan
from quant_assets.quality.tables import ANOMALY_EVENTS, BAR_SCORES, MODELS, QUARANTINED_PRICES, TABLES
from resources.warehouse import Warehouse, asset_key, table_metadata, table_spec

__all__ = ["WatchConfig", "watched_bars"]

_SHOWN = 20


class WatchConfig(dg.Config):
    """What an operator may change in the launchpad."""

    prophet: bool = Field(
        default=True,
        description="Fit Prophet where it is due (0.06 s of CPU per symbol and 60 sessions of new history). Without it "
        "new bars have no prophet_score, and the market-residual z-score stands in for it.",
    )


@dg.multi_asset(
    name="watch_bars", specs=[table_spec(table, deps=[DAILY_PRICES, CORPORATE_ACTIONS]) for table in TABLES]
)
def watched_bars(
    context: dg.AssetExecutionContext,
    config: WatchConfig,
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[OperationsStore],
) -> Iterator[dg.MaterializeResult[None]]:
    """Score the bars that are new or restated, withhold what is surely wrong, and apply what people decided."""
    is_full = context.run.tags.get(FULL_REFRESH_TAG) == "true"
    loaded = load_scan(warehouse, newest_decisions(operations), new_york_calendar(), is_full_refresh=is_full)
    prophet = ProphetSettings() if config.prophet else None
    result = scan_bars(loaded.scan, loaded.state, ScanSettings(prophet=prophet, workers=os.cpu_count() or 1))
    # First, so that a run killed in between raises them again rather than never.
    raise_alerts(operations, result.events, now=dt.datetime.now(dt.UTC))
    store_scan(warehouse, loaded, result)
    warehouse.replace(ALERTS, alert_rows(operations))
    figures = _figures(warehouse, result)
    for table in TABLES:
        metadata = table_metadata(warehouse, table, **figures.get(table.name, {}))
        yield dg.MaterializeResult(asset_key=asset_key(table), metadata=metadata)


def _figures(warehouse: Warehouse, result: ScanResult) -> dict[str, dict[str, Any]]:
    """Key figures of the scan, per table."""
    raised = {level.value: result.events.filter(pl.col("severity") == level.value).height for level in Severity}
    withheld = warehouse.read(QUARANTINED_PRICES, ["symbol"], "released_at IS NULL").height
    events: dict[str, Any] = {f"events_{level.lower()}": count for level, count in raised.items()}
    newest = result.events.filter(pl.col("severity") != Severity.LOW.value).sort("date", descending=True)
    if len(newest):
        shown = newest.select("symbol", "date", "severity", "kind", "details").head(_SHOWN)
        events["newest"] = dg.MetadataValue.table(
            [dg.TableRecord({name: str(value) for name, value in row.items()}) for row in shown.to_dicts()]
        )
    failed = result.models.filter(pl.col("status") != "fitted")
    return {
        BAR_SCORES.name: {"bars_scored": result.scores.height},
        ANOMALY_EVENTS.name: events,
        QUARANTINED_PRICES.name: {"withheld": withheld, "released": result.quarantined["released_at"].count()},
        MODELS.name: {"fits": result.models.height, "fits_failed": failed.height},
    }
