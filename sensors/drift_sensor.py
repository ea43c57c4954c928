"""Asks for one retraining when drift is confirmed, and then leaves the models in peace for a while."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

import dagster as dg
import polars as pl

from quant_assets.foundation.calendar import TradingCalendar, new_york_calendar
from quant_assets.foundation.home import Home
from quant_assets.ops.alerts import raise_alerts
from quant_assets.ops.ports import Alert, AlertDetails
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.ui_links import asset_link
from quant_assets.runtime import deliver_alerts
from quant_assets.settings import load_settings
from sensors.published import open_published, publication_name

__all__ = ["COOL_DOWN_SESSIONS", "DriftRequest", "drift_alert", "drift_request", "drift_sensor"]

COOL_DOWN_SESSIONS = 20
"""Sessions after a request before the next: asking again within a month would train on nearly the same rows."""

_REPORTS = """
SELECT as_of, model, measure, feature, value, threshold, drifted FROM signals.drift_reports
WHERE as_of = (SELECT max(as_of) FROM signals.drift_reports)
"""


@dataclass(frozen=True, slots=True)
class DriftRequest:
    """A retraining that is asked for.

    Parameters
    ----------
    as_of : date
        Session of the report that confirmed the drift.
    models : tuple of str
        Models whose drift is confirmed.
    moved : tuple
        Feature, measure, value and threshold of what drifted, the farthest over its threshold first.
    """

    as_of: dt.date
    models: tuple[str, ...]
    moved: tuple[tuple[str, str, float, float], ...]

    @property
    def run_key(self) -> str:
        """The same for the same report, so that it is launched once whatever happens to the sensor."""
        return f"retrain_on_drift-{self.as_of}"


def drift_request(
    reports: pl.DataFrame, last_requested: dt.date | None, calendar: TradingCalendar
) -> DriftRequest | str:
    """Decide whether the newest drift reports ask for a retraining.

    Parameters
    ----------
    reports : DataFrame
        Rows of ``signals.drift_reports`` of one night. The report itself confirms: its measure ``strikes`` has
        drifted once enough sessions in a row were strikes.
    last_requested : date, optional
        Session of the last request.
    calendar : TradingCalendar

    Returns
    -------
    DriftRequest or str
        The request, or why there is none.
    """
    if reports.is_empty():
        return "No drift report has been published yet."
    as_of = reports["as_of"][0]
    confirmed = reports.filter((pl.col("measure") == "strikes") & pl.col("drifted"))
    if confirmed.is_empty():
        return f"No drift is confirmed as of {as_of}."
    since = None if last_requested is None else calendar.count_between(last_requested, as_of)
    if since is not None and since < COOL_DOWN_SESSIONS:
        return f"Drift is confirmed, and a retraining was asked for {since} sessions ago; the next after 20."
    moved = (
        reports.filter(pl.col("drifted") & ~pl.col("measure").is_in(["strike", "strikes", "drifted_importance"]))
        .sort(pl.col("value") / pl.col("threshold"), descending=True)
        .unique("feature", keep="first", maintain_order=True)
        .select("feature", "measure", "value", "threshold")
    )
    return DriftRequest(as_of, tuple(confirmed["model"].unique().sort().to_list()), tuple(moved.rows()))


def drift_alert(request: DriftRequest, now: dt.datetime) -> Alert:
    """What people are told of a request."""
    return Alert(
        alert_id=f"drift-{request.as_of}",
        kind="drift",
        severity="MEDIUM",
        subject=f"Drift confirmed for {', '.join(request.models)} as of {request.as_of}: retraining is asked for",
        body=(
            "The newest sessions no longer look like those that the champion was trained on. A new version is trained "
            "by retrain_on_drift and replaces the champion only once it has proved better: see 'quant models list'."
        ),
        created_at=now,
        details=AlertDetails(
            figures={"as of": str(request.as_of), "models": ", ".join(request.models)},
            columns=("feature", "measure", "value", "threshold"),
            rows=tuple(
                (name, measure, f"{value:.3f}", f"{limit:.3f}") for name, measure, value, limit in request.moved
            ),
            link=asset_link("signals.drift_reports"),
        ),
    )


def _told_before(store: OperationsStore, session: dt.date) -> list[dt.date]:
    """Sessions before ``session`` whose drift people were told of: a sensor that lost its cursor rests all the same.

    The alert of the session itself does not count: it is raised before the run is asked for, and the tick may have
    been killed in between. The run's key keeps it from being launched twice.
    """
    ids = [row["alert_id"] for row in store.query("SELECT alert_id FROM alerts WHERE kind = 'drift'")]
    told = [dt.date.fromisoformat(alert_id.removeprefix("drift-")) for alert_id in ids]
    return [date for date in told if date < session]


@dg.sensor(
    name="drift_sensor",
    job_name="retrain_on_drift",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Every minute: where the newest published drift report confirms drift, one retrain_on_drift run is launched "
        "and people are told; not again for 20 sessions."
    ),
)
def drift_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Launch at most one retraining."""
    settings = load_settings()
    home = Home(settings.home)
    known = json.loads(context.cursor) if context.cursor else {}
    name = publication_name(home)
    if name is None or name == known.get("publication"):
        return dg.SkipReason("No new publication.")
    with open_published(home) as published:
        reports = published.rows("signals.drift_reports", _REPORTS)
    last, store = known.get("requested"), OperationsStore(home.operations)
    asked = [dt.date.fromisoformat(last)] if last else []
    asked += _told_before(store, reports["as_of"][0]) if reports.height else []
    found = drift_request(reports, max(asked, default=None), new_york_calendar())
    if isinstance(found, str):
        context.update_cursor(json.dumps({"publication": name, "requested": last}))
        return dg.SkipReason(found)
    raise_alerts(store, [drift_alert(found, dt.datetime.now(dt.UTC))])
    deliver_alerts(settings)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=found.run_key, tags={"quant/launched_by": "drift_sensor"})],
        cursor=json.dumps({"publication": name, "requested": found.as_of.isoformat()}),
    )
