"""Asset checks on prices: what must stop research blocks, what people should know warns."""

from __future__ import annotations

import dagster as dg

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.freshness import sessions_behind
from quant_assets.market_data.tables import ADJUSTED_PRICES, DAILY_PRICES, FETCH_LOG
from quant_assets.ops.tables import RUN_STATE
from resources.warehouse import Warehouse, asset_key

__all__ = ["keys_are_unique", "newest_session_is_there", "only_sessions", "replies_are_recognised"]

_SHOWN = 20


@dg.asset_check(
    asset=asset_key(ADJUSTED_PRICES),
    blocking=True,
    description="No symbol has two bars on one date, and no bar lacks its symbol, date or a price.",
)
def keys_are_unique(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Count repeated keys and nulls."""
    found = warehouse.query(
        "SELECT count(*) - count(DISTINCT (symbol, date)) AS repeated, "
        "count(*) FILTER (WHERE symbol IS NULL OR date IS NULL OR open IS NULL OR high IS NULL OR low IS NULL "
        f"OR close IS NULL) AS nulls FROM {ADJUSTED_PRICES.qualified_name}"
    ).row(0, named=True)
    words = f"{found['repeated']} repeated keys, {found['nulls']} bars with a null price"
    return dg.AssetCheckResult(passed=not any(found.values()), description=words, metadata=found)


@dg.asset_check(
    asset=asset_key(ADJUSTED_PRICES),
    blocking=True,
    description="Every bar that research reads is dated by a session of the exchange.",
)
def only_sessions(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Look for dates on which the exchange was closed."""
    dates = warehouse.query(f"SELECT DISTINCT date FROM {ADJUSTED_PRICES.qualified_name} ORDER BY date")["date"]
    calendar = new_york_calendar()
    closed = [date for date in dates if not calendar.is_session(date)]
    words = f"{len(closed)} of {len(dates)} dates are no session" + (f", first {closed[0]}" if closed else "")
    return dg.AssetCheckResult(
        passed=not closed, description=words, metadata={"closed": [str(date) for date in closed]}
    )


@dg.asset_check(
    asset=asset_key(DAILY_PRICES),
    description="The newest finished session by the source's clock is there; late symbols are listed, not failed.",
)
def newest_session_is_there(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Judge freshness on sessions, not hours: weekends and holidays are not stale."""
    newest = warehouse.query(
        "SELECT instruments.symbol, max(date) AS newest_date FROM ops.instruments AS instruments "
        f"LEFT JOIN {DAILY_PRICES.qualified_name} AS prices ON instruments.symbol = prices.symbol GROUP BY 1 ORDER BY 1"
    )
    clock = warehouse.read(RUN_STATE, ["source_clock"])["source_clock"][0]
    expected = new_york_calendar().last_finished_session(clock)
    late = sessions_behind(newest, expected, new_york_calendar())
    words = f"{late.height} of {newest.height} symbols lack the session of {expected}"
    rows = [
        dg.TableRecord({"symbol": symbol, "newest_date": str(date), "sessions_behind": str(behind)})
        for symbol, date, behind in late.head(_SHOWN).iter_rows()
    ]
    return dg.AssetCheckResult(
        passed=late.height == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=words,
        metadata={"expected_session": str(expected)} | ({"late": dg.MetadataValue.table(rows)} if rows else {}),
    )


@dg.asset_check(
    asset=asset_key(FETCH_LOG),
    description="Every reply of this run was of a known kind; an unknown notice is shown in full, without the key.",
)
def replies_are_recognised(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Look for replies that fit no known shape."""
    unknown = warehouse.read(
        FETCH_LOG, ["symbol", "function", "message"], "run_id = ? AND outcome = 'unrecognised'", [warehouse.run_id]
    )
    words = f"{unknown.height} unrecognised replies" + (f", first: {unknown['message'][0]}" if unknown.height else "")
    return dg.AssetCheckResult(passed=unknown.height == 0, description=words)
