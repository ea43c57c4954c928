"""Asset checks of the sentinel. One bad bar warns and is withheld; only a bad session stops the night."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import polars as pl

from quant_assets.market_data.tables import DAILY_PRICES
from quant_assets.ops.tables import RUN_STATE
from quant_assets.quality.findings import Severity
from quant_assets.quality.reports import bad_share
from quant_assets.quality.tables import ANOMALY_EVENTS, QUARANTINED_PRICES
from resources.warehouse import Warehouse, asset_key

__all__ = ["events_are_seen", "newest_session_is_sound", "prices_are_sane"]

_SHOWN = 20
_STOPPING_SHARE = 0.3
"""Share of the newest session's bars that must be withheld for the night to stop: that is a bad feed, not bad bars."""
_STOPPING_BARS = 3
"""At least so many of them, or one bad bar would stop a universe of three."""


def _table(rows: pl.DataFrame) -> dict[str, dg.MetadataValue]:
    records = [dg.TableRecord({name: str(value) for name, value in row.items()}) for row in rows.to_dicts()]
    return {"rows": dg.MetadataValue.table(records)} if records else {}


@dg.asset_check(
    asset=asset_key(QUARANTINED_PRICES),
    description="No bar is withheld. A withheld bar warns; it never stops the night.",
)
def prices_are_sane(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """List the bars that are withheld now."""
    withheld = warehouse.read(QUARANTINED_PRICES, ["symbol", "date", "reason"], "released_at IS NULL")
    return dg.AssetCheckResult(
        passed=withheld.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{withheld.height} bars are withheld",
        metadata=_table(withheld.sort("date", descending=True).head(_SHOWN)),
    )


@dg.asset_check(
    asset=asset_key(QUARANTINED_PRICES),
    blocking=True,
    description=(
        "The feed is sound: less than 30 % of the newest session's bars (or fewer than three) went wrong in it. "
        "Symbols that an earlier event holds back do not count; prices_are_sane lists them."
    ),
)
def newest_session_is_sound(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Stop the night where the feed itself is bad."""
    as_of = warehouse.read(RUN_STATE)["as_of"].max()
    bars = warehouse.read(DAILY_PRICES, ["symbol", "date"], "date = ?", [as_of])
    columns = ["symbol", "date", "reason", "released_at", "event_id"]
    earlier = warehouse.read(ANOMALY_EVENTS, ["event_id"], "date < ?", [as_of])["event_id"]
    withheld = warehouse.read(QUARANTINED_PRICES, columns, "date = ?", [as_of]).filter(
        ~pl.col("event_id").is_in(earlier.implode()).fill_null(value=False)
    )
    session, count, share = bad_share(withheld, bars)
    return dg.AssetCheckResult(
        passed=count < _STOPPING_BARS or share < _STOPPING_SHARE,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{count} bars ({share:.0%}) went wrong on {session}",
        metadata=_table(withheld.drop("released_at", "event_id").head(_SHOWN)),
    )


@dg.asset_check(
    asset=asset_key(ANOMALY_EVENTS),
    description="No event of MEDIUM or HIGH severity was raised in the last 24 hours and is still open.",
)
def events_are_seen(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """List what was noticed in the last 24 hours of the source's clock."""
    clock: dt.datetime = warehouse.read(RUN_STATE)["source_clock"].item()
    columns = ["event_id", "symbol", "date", "kind", "severity", "details"]
    fresh = warehouse.read(
        ANOMALY_EVENTS,
        columns,
        "status = 'open' AND severity <> ? AND detected_at > ?",
        [Severity.LOW.value, clock - dt.timedelta(hours=24)],
    )
    return dg.AssetCheckResult(
        passed=fresh.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{fresh.height} events of MEDIUM or HIGH severity in the last 24 hours",
        metadata=_table(fresh.sort("date", descending=True).head(_SHOWN)),
    )
