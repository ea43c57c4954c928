"""Tells people of a confirmed change of the market's regime, and of the symbols' regimes together."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import polars as pl

from quant_assets.foundation.home import Home
from quant_assets.ops.alerts import raise_alerts
from quant_assets.ops.ports import Alert, AlertDetails
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.ui_links import asset_link
from quant_assets.runtime import deliver_alerts, delivery_summary
from quant_assets.settings import load_settings
from sensors.published import open_published, publication_name

__all__ = ["NEW_FOR_DAYS", "regime_alerts", "regime_change_sensor"]

NEW_FOR_DAYS = 7
"""A change of an earlier session, counted from the publication's, is history and not news."""

_CHANGES = """
SELECT * FROM regimes.regime_changes
WHERE date > (SELECT max(as_of) FROM ops.run_state) - ?::INTEGER
"""


def regime_alerts(changes: pl.DataFrame, now: dt.datetime) -> list[Alert]:
    """Alerts for confirmed changes: MEDIUM for the market's, LOW for a symbol's.

    Parameters
    ----------
    changes : DataFrame
        New rows of ``regimes.regime_changes``. Where a model only took over from the rule (``cause`` first_model),
        the market did not change, and nobody is told.
    now : datetime
        Wall clock (aware).
    """
    if "cause" in changes.columns:
        changes = changes.filter(pl.col("cause") != "first_model")
    return (
        [_alert(change, now) for change in changes.sort("date", "scope").iter_rows(named=True)] if len(changes) else []
    )


def _alert(change: dict[str, object], now: dt.datetime) -> Alert:
    scope, date, before, after = (change[name] for name in ("scope", "date", "before", "after"))
    moved = change.get("features_moved")
    is_market = scope == "market"
    return Alert(
        alert_id=f"regime_change-{scope}-{date}-{after}",
        kind="regime_change" if is_market else "symbol_regime_change",
        severity="MEDIUM" if is_market else "LOW",
        subject=f"{'Market' if is_market else scope} regime: {_words(before)} to {_words(after)} on {date}",
        body=(
            f"Confirmed with a probability of {change['probability']:.0%}."
            + (f" What moved most, in standard deviations: {moved}." if moved else "")
            + " Strategies that follow the regime change their positions at the next open."
        ),
        created_at=now,
        details=AlertDetails(
            symbol="" if is_market else str(scope),
            figures={"session": str(date), "before": _words(before), "after": _words(after)},
            link=asset_link("regimes.market_regimes" if is_market else "regimes.symbol_regimes"),
        ),
    )


def _words(regime: object) -> str:
    return str(regime).replace("_", " ")


@dg.sensor(
    name="regime_change_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Every minute: a regime change confirmed within the last week of a new publication becomes an alert, once; "
        "the market's by itself, the symbols' bundled."
    ),
)
def regime_change_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Raise and deliver."""
    settings = load_settings()
    home = Home(settings.home)
    name = publication_name(home)
    if name is None or name == context.cursor:
        return dg.SkipReason("No new publication.")
    with open_published(home) as published:
        changes = published.rows("regimes.regime_changes", _CHANGES, [NEW_FOR_DAYS])
    new = raise_alerts(OperationsStore(home.operations), regime_alerts(changes, dt.datetime.now(dt.UTC)))
    context.update_cursor(name)
    return dg.SkipReason(f"{new} new alerts; {delivery_summary(deliver_alerts(settings))}.")
