"""What people read: the summary per session, the last 24 hours, alerts, and how the sentinel itself does."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from quant_assets.quality.event_records import DISMISSED, OPEN
from quant_assets.quality.findings import Severity
from quant_assets.quality.tables import DAILY_SUMMARY, SENTINEL_MEASURES

__all__ = ["MOST_ALERTS", "alerts_of", "bad_share", "daily_summary", "recent_summary", "sentinel_measures"]

MOST_ALERTS = 20
"""Events of one scan that get an alert each; the first scan of a long history may have hundreds, which get one."""
_ALERTS_SCHEMA: dict[str, pl.DataType] = {
    "alert_id": pl.String(),
    "kind": pl.String(),
    "severity": pl.String(),
    "subject": pl.String(),
    "body": pl.String(),
}


def daily_summary(
    scores: pl.DataFrame, events: pl.DataFrame, quarantined: pl.DataFrame, volumes: pl.DataFrame
) -> pl.DataFrame:
    """Rows of ``quality.daily_summary`` for the sessions of ``scores``.

    Parameters
    ----------
    scores : pl.DataFrame
        ``quality.bar_scores``: every row of the sessions wanted.
    events : pl.DataFrame
        ``quality.anomaly_events`` of these sessions.
    quarantined : pl.DataFrame
        ``quality.quarantined_prices`` of these sessions; released bars do not count.
    volumes : pl.DataFrame
        symbol, date and volume of the bars.
    """
    unscored = pl.all_horizontal(pl.col("isolation_score", "prophet_score", "volume_zscore").is_null())
    bars = scores.group_by("date").agg(
        pl.len().cast(pl.Int64).alias("bars_checked"), unscored.sum().cast(pl.Int64).alias("bars_without_scores")
    )
    levels = events.group_by("date").agg(
        (pl.col("severity") == level.value).sum().cast(pl.Int64).alias(f"events_{level.value.lower()}")
        for level in Severity
    )
    withheld = quarantined.filter(pl.col("released_at").is_null()).group_by("date")
    silent = volumes.filter(pl.col("volume").fill_null(0) <= 0).group_by("date")
    joined = (
        bars.join(levels, on="date", how="left")
        .join(withheld.agg(pl.len().cast(pl.Int64).alias("quarantined")), on="date", how="left")
        .join(silent.agg(pl.len().cast(pl.Int64).alias("bars_without_volume")), on="date", how="left")
    )
    return joined.with_columns(pl.col(pl.Int64).fill_null(0)).select(DAILY_SUMMARY.column_names).sort("date")


def sentinel_measures(events: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """Rows of ``quality.sentinel_measures``.

    Parameters
    ----------
    events : pl.DataFrame
        Every row of ``quality.anomaly_events``.
    as_of : date
        Newest session of the run.

    Returns
    -------
    pl.DataFrame
        ``events_per_batch`` (mean over the runs that raised any), ``events_newest_batch``, ``events_open``,
        ``median_hours_to_resolve`` (detection to the decision; null without any), ``share_dismissed`` (of decided
        events: how often the sentinel was wrong; null without any).
    """
    decided = events.filter(pl.col("status") != OPEN)
    batches = events.group_by("detected_at", "run_id").agg(pl.len().alias("events")).sort("detected_at")
    hours = (decided["status_at"] - decided["detected_at"]).dt.total_seconds() / 3600
    values: dict[str, object] = {
        "events_per_batch": batches["events"].mean(),
        "events_newest_batch": batches["events"].last() if len(batches) else None,
        "events_open": (events["status"] == OPEN).sum(),
        "median_hours_to_resolve": hours.median(),
        "share_dismissed": (decided["status"] == DISMISSED).mean(),
    }
    return pl.DataFrame(
        [(as_of, name, None if value is None else float(str(value))) for name, value in values.items()],
        schema=SENTINEL_MEASURES.polars_schema,
        orient="row",
    ).sort("measure")


def alerts_of(events: pl.DataFrame) -> pl.DataFrame:
    """Alerts for the open HIGH events of one scan: alert_id, kind, severity, subject, body.

    One alert per open event; where the scan found more than :data:`MOST_ALERTS` they are a single one that names the
    first, for as long as any is open.

    Parameters
    ----------
    events : pl.DataFrame
        Every event of the scan whatever its status, so that a decision changes no identifier.
    """
    high = events.filter(pl.col("severity") == Severity.HIGH.value).sort(
        "date", "symbol", "event_id", descending=[True, False, False]
    )
    still_open = high.filter(pl.col("status") == OPEN)
    if still_open.is_empty():
        rows = []
    elif high.height > MOST_ALERTS:
        rows = [_digest(high)]
    else:
        rows = [
            (
                _alert_id(event),
                "anomaly",
                Severity.HIGH.value,
                f"{event['symbol']} {event['date']}: {event['kind']}",
                _alert_body(event),
            )
            for event in still_open.iter_rows(named=True)
        ]
    return pl.DataFrame(rows, schema=_ALERTS_SCHEMA, orient="row")


def _alert_id(event: dict[str, Any]) -> str:
    return f"anomaly-{event['event_id']}"


def _digest(high: pl.DataFrame) -> tuple[str, ...]:
    named = high.head(MOST_ALERTS).to_dicts()
    listing = "; ".join(f"{event['symbol']} {event['date']}: {event['kind']}" for event in named)
    return (
        f"{_alert_id(named[0])}-and-{high.height - 1}",
        "anomaly",
        Severity.HIGH.value,
        f"{high.height} bars are withheld",
        f"The newest are {listing}. See them all with: quant events list --severity HIGH.",
    )


def _alert_body(event: dict[str, Any]) -> str:
    event_id = event["event_id"]
    return (
        f"{event['details']}. The bar is withheld. Decide with: quant events acknowledge {event_id} (it is wrong) or "
        f"quant events dismiss {event_id} (it is right)."
    )


def bad_share(quarantined: pl.DataFrame, bars: pl.DataFrame) -> tuple[dt.date | None, int, float]:
    """How much of the newest session is withheld.

    Parameters
    ----------
    quarantined : pl.DataFrame
        symbol, date, released_at.
    bars : pl.DataFrame
        symbol and date of stored bars.

    Returns
    -------
    tuple of date, int, float
        The session, its bars that are withheld, and their share; (None, 0, 0.0) without bars.
    """
    newest = bars["date"].max() if len(bars) else None
    if not isinstance(newest, dt.date):
        return None, 0, 0.0
    checked = bars.filter(pl.col("date") == newest).height
    withheld = quarantined.filter((pl.col("date") == newest) & pl.col("released_at").is_null()).height
    return newest, withheld, withheld / checked


def recent_summary(events: pl.DataFrame, quarantined: pl.DataFrame, now: dt.datetime) -> str:
    """The last 24 hours in one line, for ``quant status``.

    Parameters
    ----------
    events, quarantined : pl.DataFrame
        The tables, statuses as of now.
    now : datetime
        The source's clock (aware).
    """
    fresh = events.filter(pl.col("detected_at") > now - dt.timedelta(hours=24))
    counts = {level.value: fresh.filter(pl.col("severity") == level.value).height for level in reversed(Severity)}
    raised = ", ".join(f"{count} {level}" for level, count in counts.items())
    withheld = quarantined.filter(pl.col("released_at").is_null())
    is_open = (events["status"] == OPEN).sum()
    return f"{fresh.height} events in 24 hours ({raised}); {is_open} open in all; {withheld.height} bars withheld"
