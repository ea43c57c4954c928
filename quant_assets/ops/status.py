"""What ``quant status`` shows: the last publication, freshness per symbol, calls, quota, breaker, live lock."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from quant_assets.foundation.databases import open_database
from quant_assets.foundation.home import Home
from quant_assets.ops.store import OperationsStore

__all__ = ["Status", "read_status"]

_DAY = dt.timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Status:
    """Figures of one home at one moment.

    ``freshness`` has one row per symbol: symbol, first_date, last_date, sessions_behind. ``breaker`` is ``closed``,
    ``open`` or ``half-open``. The counts cover the last 24 hours of wall clock. ``service_levels`` has one row per
    stage: stage, lag_hours of the newest session (null where it is not ready), nights and median_hours of the newest
    20 sessions.
    """

    published_at: dt.datetime | None
    as_of: dt.date | None
    source: str | None
    freshness: pl.DataFrame
    service_levels: pl.DataFrame
    symbols_current_24h: int
    calls_made_24h: int
    calls_saved_24h: int
    quota_used_today: int
    breaker: str


_FRESHNESS = """
SELECT
    instruments.symbol,
    min(prices.date) AS first_date,
    max(prices.date) AS last_date,
    (
        SELECT count(DISTINCT later.date)
        FROM market_data.daily_prices AS later
        WHERE later.date > max(prices.date) AND later.date <= (SELECT max(as_of) FROM ops.run_state)
    ) AS sessions_behind
FROM ops.instruments AS instruments
LEFT JOIN market_data.daily_prices AS prices ON instruments.symbol = prices.symbol
GROUP BY ALL
ORDER BY ALL
"""


def read_status(home: Home, store: OperationsStore, *, now: dt.datetime, quota_day: dt.date) -> Status:
    """Read the status of a home; works while a run is going on.

    Parameters
    ----------
    now : datetime
        Wall clock (aware).
    quota_day : date
        The vendor's current quota day.
    """
    since = (now - _DAY).isoformat()
    savings = store.query(
        "SELECT coalesce(sum(symbols_current), 0) AS current, coalesce(sum(calls_made), 0) AS made, "
        "coalesce(sum(calls_saved), 0) AS saved FROM fetch_savings WHERE recorded_at >= ?",
        (since,),
    )[0]
    used = store.query("SELECT coalesce(sum(used), 0) AS used FROM quota_usage WHERE day = ?", (quota_day.isoformat(),))
    breakers = store.query("SELECT state FROM breaker_state ORDER BY name")
    published_at, as_of, source, freshness, service_levels = _publication(home)
    return Status(
        published_at=published_at,
        as_of=as_of,
        source=source or store.fact("source"),
        freshness=freshness,
        service_levels=service_levels,
        symbols_current_24h=savings["current"],
        calls_made_24h=savings["made"],
        calls_saved_24h=savings["saved"],
        quota_used_today=used[0]["used"],
        breaker=next((row["state"] for row in breakers if row["state"] != "closed"), "closed"),
    )


_SERVICE_LEVELS = """
WITH newest AS (
    FROM ops.service_levels
    WHERE as_of IN (SELECT DISTINCT as_of FROM ops.service_levels ORDER BY as_of DESC LIMIT 20)
)
SELECT stage, max_by(coalesce(lag_hours, -1), as_of) AS lag_hours, count(lag_hours) AS nights,
    median(lag_hours) AS median_hours
FROM newest
GROUP BY stage
ORDER BY stage
"""


def _publication(home: Home) -> tuple[dt.datetime | None, dt.date | None, str | None, pl.DataFrame, pl.DataFrame]:
    freshness = pl.DataFrame(
        schema={"symbol": pl.String, "first_date": pl.Date, "last_date": pl.Date, "sessions_behind": pl.Int64}
    )
    levels = pl.DataFrame(schema={"stage": pl.String, "lag_hours": pl.Float64, "nights": pl.Int64})
    if not home.readers_database.exists():
        return None, None, None, freshness, levels
    with open_database(home.readers_database.resolve(), read_only=True) as connection:
        row = connection.execute(
            "SELECT published_at, as_of, source FROM ops.publications ORDER BY published_at DESC LIMIT 1"
        ).fetchone()
        freshness = connection.execute(_FRESHNESS).pl()
        known = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'service_levels'").fetchone()
        if known is not None:  # a publication made before there was such a table
            levels = connection.execute(_SERVICE_LEVELS).pl()
    levels = levels.with_columns(pl.when(pl.col("lag_hours") >= 0).then("lag_hours"))
    return (*(row or (None, None, None)), freshness, levels)
