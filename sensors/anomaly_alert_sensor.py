"""Tells people of new HIGH events of the data-quality sentinel, and delivers whatever else is pending."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
import polars as pl

from quant_assets.foundation.home import Home
from quant_assets.ops.alerts import raise_alerts
from quant_assets.ops.ports import Alert, AlertDetails
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.ui_links import asset_link, run_link
from quant_assets.quality.reports import alerts_of
from quant_assets.runtime import deliver_alerts, delivery_summary
from quant_assets.settings import load_settings
from sensors.published import Published, open_published, publication_name

__all__ = ["NEW_FOR_DAYS", "anomaly_alert_sensor", "anomaly_alerts"]

NEW_FOR_DAYS = 7
"""An event detected longer ago, by the source's clock, is history and not news; a week outlasts any long weekend."""

_EVENTS = """
SELECT * FROM quality.anomaly_events
WHERE severity = 'HIGH'
  AND detected_at > (SELECT max(source_clock) FROM ops.run_state) - to_days(?)
"""
_FIGURES = ("isolation_score", "prophet_score", "volume_zscore", "magnitude")


def anomaly_alerts(events: pl.DataFrame, now: dt.datetime) -> list[Alert]:
    """Alerts for new HIGH events, with the identifiers that the sentinel itself gives them.

    Parameters
    ----------
    events : DataFrame
        HIGH rows of ``quality.anomaly_events`` whatever their status: a digest's identifier counts them all.
    now : datetime
        Wall clock (aware).

    Returns
    -------
    list of Alert
        One per open event; a scan with very many has a single one, where any is open.
    """
    if events.is_empty():
        return []
    if "run_id" not in events.columns:  # a column beyond the promised ones
        events = events.with_columns(run_id=pl.lit(""))
    alerts = []
    for (run_id,), found in sorted(events.group_by("run_id")):
        by_event = {f"anomaly-{event['event_id']}": event for event in found.iter_rows(named=True)}
        for row in alerts_of(found).iter_rows(named=True):
            alert = Alert(**row, created_at=now)
            event = by_event.get(alert.alert_id)
            details = _details(event, str(run_id)) if event else AlertDetails(link=_link(str(run_id)))
            alerts.append(replace(alert, details=details))
    return alerts


def _details(event: dict[str, Any], run_id: str) -> AlertDetails:
    figures = {name.replace("_", " "): f"{event[name]:.3g}" for name in _FIGURES if event.get(name) is not None}
    return AlertDetails(
        symbol=event["symbol"],
        figures={"session": str(event["date"]), "kind": event["kind"], **figures},
        link=_link(run_id),
    )


def _link(run_id: str) -> str:
    return run_link(run_id) or asset_link("quality.anomaly_events")


def published_anomaly_alerts(published: Published, now: dt.datetime) -> Sequence[Alert]:
    """Alerts for the new HIGH events of a publication."""
    return anomaly_alerts(published.rows("quality.anomaly_events", _EVENTS, [NEW_FOR_DAYS]), now)


@dg.sensor(
    name="anomaly_alert_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Every minute: new open HIGH events of a publication become alerts, and whatever is pending in the outbox is "
        "delivered to Slack and the webhook, where they are set."
    ),
)
def anomaly_alert_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Raise and deliver."""
    settings = load_settings()
    home = Home(settings.home)
    name = publication_name(home)
    new = 0
    if name is not None and name != context.cursor:
        with open_published(home) as published:
            alerts = published_anomaly_alerts(published, dt.datetime.now(dt.UTC))
        new = raise_alerts(OperationsStore(home.operations), alerts)
        context.update_cursor(name)
    return dg.SkipReason(f"{new} new alerts; {delivery_summary(deliver_alerts(settings))}.")
