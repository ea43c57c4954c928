"""Each decision by itself, as a function of what was observed."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.tables import Table
from quant_assets.market_data.tables import DAILY_PRICES
from quant_assets.ops.run_failures import failure_alert
from quant_assets.quality.tables import ANOMALY_EVENTS
from quant_assets.regimes.tables import MARKET_REGIMES, REGIME_CHANGES, SYMBOL_REGIMES
from quant_assets.signals.tables import DRIFT_REPORTS
from sensors.anomaly_alert_sensor import anomaly_alerts
from sensors.drift_sensor import COOL_DOWN_SESSIONS, DriftRequest, drift_alert, drift_request
from sensors.regime_change_sensor import regime_alerts
from sensors.stale_data_sensor import Freshness, missing_session, stale_alert
from tests.sensors.conftest import AS_OF, CLOCK, complete

NOW = dt.datetime(2030, 1, 2, tzinfo=dt.UTC)
CALENDAR = new_york_calendar()


def reports(*, confirmed: bool, as_of: dt.date = AS_OF) -> pl.DataFrame:
    rows = [
        {"measure": "psi", "feature": "rsi_14", "value": 0.9, "threshold": 0.3, "drifted": True},
        {"measure": "wasserstein", "feature": "rsi_14", "value": 0.5, "threshold": 0.4, "drifted": True},
        {"measure": "psi", "feature": "macd", "value": 0.4, "threshold": 0.3, "drifted": True},
        {"measure": "psi", "feature": "bb_width", "value": 0.1, "threshold": 0.3, "drifted": False},
        {"measure": "strike", "feature": "(all)", "value": 1.0, "threshold": 0.5, "drifted": True},
        {"measure": "strikes", "feature": "(all)", "value": 5.0, "threshold": 4.5, "drifted": confirmed},
    ]
    return complete(DRIFT_REPORTS, *({"as_of": as_of, "model": "jump"} | row for row in rows))


def test_confirmed_drift_asks_for_one_retraining():
    """A confirmed report asks, names the models, and lists each feature that moved once, the farthest first."""
    asked = drift_request(reports(confirmed=True), None, CALENDAR)
    assert isinstance(asked, DriftRequest)
    assert asked.models == ("jump",)
    assert [(name, measure) for name, measure, _, _ in asked.moved] == [("rsi_14", "psi"), ("macd", "psi")]
    assert asked.run_key == "retrain_on_drift-2013-03-01"
    alert = drift_alert(asked, NOW)
    assert alert.details.rows[0] == ("rsi_14", "psi", "0.900", "0.300")


def test_drift_that_is_not_confirmed_asks_for_nothing():
    """Strikes that are too few, and no report at all, are said in words."""
    assert "No drift is confirmed" in drift_request(reports(confirmed=False), None, CALENDAR)
    assert "No drift report" in drift_request(DRIFT_REPORTS.empty(), None, CALENDAR)
    assert "No drift report" in drift_request(pl.DataFrame(), None, CALENDAR)


@given(st.integers(0, 60))
def test_next_retraining_waits_for_the_cool_down(sessions):
    """After a request the next one comes no sooner than the cool-down, counted in sessions."""
    last = CALENDAR.shift(AS_OF, -sessions)
    asked = drift_request(reports(confirmed=True), last, CALENDAR)
    assert isinstance(asked, DriftRequest) == (sessions >= COOL_DOWN_SESSIONS)


def events(*ids: str, run_id: str = "r1") -> pl.DataFrame:
    row = {
        "symbol": "IBM",
        "severity": "HIGH",
        "status": "open",
        "kind": "spike",
        "details": "ten times",
        "run_id": run_id,
    }
    return complete(ANOMALY_EVENTS, *(row | {"event_id": one, "isolation_score": 0.71} for one in ids))


def test_events_become_alerts_with_the_sentinels_own_identifiers():
    """An alert per event carries symbol, session and scores and links to the run that noticed it."""
    (alert,) = anomaly_alerts(events("e1"), NOW)
    assert (alert.alert_id, alert.kind, alert.severity) == ("anomaly-e1", "anomaly", "HIGH")
    assert alert.details.symbol == "IBM"
    assert alert.details.figures == {"session": "2013-03-01", "kind": "spike", "isolation score": "0.71"}
    assert alert.details.link.endswith("/runs/r1")
    (without_run,) = anomaly_alerts(events("e1").drop("run_id"), NOW)
    assert (without_run.alert_id, without_run.details.link) == ("anomaly-e1", "/assets/quality/anomaly_events")
    assert anomaly_alerts(ANOMALY_EVENTS.empty(), NOW) == []
    assert anomaly_alerts(pl.DataFrame(), NOW) == []


def test_very_many_events_of_one_scan_are_a_single_alert():
    """A scan that withholds very much says so once, as the sentinel does; another scan's events stay apart."""
    many = events(*(f"e{n:03}" for n in range(60)))
    alerts = anomaly_alerts(pl.concat([many, events("other", run_id="r2")]), NOW)
    assert alerts[0].subject == "60 bars are withheld"
    assert len(alerts) == 2


@pytest.mark.parametrize("decided", [1, 5, 24])
def test_deciding_on_some_of_very_many_events_raises_nothing_new(decided):
    """The digest keeps its identifier while any of its events is open, and single events get no alert instead."""
    names = [f"e{n:03}" for n in range(25)]
    (before,) = anomaly_alerts(events(*names), NOW)
    status = pl.when(pl.col("event_id").is_in(names[:decided])).then(pl.lit("dismissed")).otherwise(pl.lit("open"))
    (after,) = anomaly_alerts(events(*names).with_columns(status=status), NOW)
    assert (after.alert_id, after.subject) == (before.alert_id, "25 bars are withheld")
    assert anomaly_alerts(events(*names).with_columns(status=pl.lit("dismissed")), NOW) == []


def test_decided_event_beside_an_open_one_is_no_news():
    """Of a few events only those still open become alerts."""
    status = pl.when(pl.col("event_id") == "e1").then(pl.lit("acknowledged")).otherwise(pl.lit("open"))
    alerts = anomaly_alerts(events("e1", "e2").with_columns(status=status), NOW)
    assert [alert.alert_id for alert in alerts] == ["anomaly-e2"]


def test_regime_changes_of_the_market_and_of_symbols():
    """The market's change is MEDIUM, a symbol's LOW; a model that takes over from the rule changes nothing."""
    change = {"before": "sideways", "after": "high_volatility", "probability": 0.83, "cause": "evidence"}
    frame = complete(
        REGIME_CHANGES,
        change | {"scope": "market", "features_moved": "drawdown_252d -2.0"},
        change | {"scope": "IBM"},
        change | {"scope": "MSFT", "cause": "first_model"},
    )
    alerts = {alert.alert_id: alert for alert in regime_alerts(frame, NOW)}
    assert set(alerts) == {
        "regime_change-market-2013-03-01-high_volatility",
        "regime_change-IBM-2013-03-01-high_volatility",
    }
    market = alerts["regime_change-market-2013-03-01-high_volatility"]
    assert (market.severity, market.subject) == ("MEDIUM", "Market regime: sideways to high volatility on 2013-03-01")
    assert "83%" in market.body
    assert "drawdown_252d -2.0" in market.body
    assert regime_alerts(pl.DataFrame(), NOW) == []


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text + "+00:00")


# The session of Friday 2020-01-03 closes at 21:00 UTC; the one before is Thursday, the one after Monday.
THURSDAY, FRIDAY = dt.date(2020, 1, 2), dt.date(2020, 1, 3)


@pytest.mark.parametrize(
    ("source", "clock", "wall", "expected"),
    [
        ("alpha_vantage", "2020-01-04T08:59", "2020-01-04T08:59", None),
        ("alpha_vantage", "2020-01-04T09:00", "2020-01-04T09:01", (FRIDAY, True)),
        ("alpha_vantage", "2020-01-03T11:00", "2020-01-04T14:59", None),
        ("alpha_vantage", "2020-01-03T11:00", "2020-01-04T15:00", (FRIDAY, False)),
        ("replay-packaged", "2020-01-03T11:00", "2035-01-01T00:00", None),
        ("replay-packaged", "2020-01-04T11:00", "2035-01-01T00:00", (FRIDAY, True)),
    ],
)
def test_session_is_late_twelve_hours_after_its_close_by_the_sources_clock(source, clock, wall, expected):
    """Late is what the source had not brought twelve hours after the close, or no run published after eighteen."""
    missing = missing_session(Freshness(THURSDAY, source, at(clock)), at(wall), CALENDAR)
    assert (missing and (missing.session, missing.was_asked)) == expected


def test_weekends_and_holidays_are_not_late():
    """After Friday's session nothing is late until Tuesday at noon of the exchange, nor over a holiday."""
    friday = Freshness(FRIDAY, "alpha_vantage", at("2020-01-04T11:00"))
    assert missing_session(friday, at("2020-01-07T14:59"), CALENDAR) is None
    assert missing_session(friday, at("2020-01-07T15:00"), CALENDAR) is not None
    christmas_eve = Freshness(dt.date(2019, 12, 24), "alpha_vantage", at("2019-12-26T11:00"))
    assert missing_session(christmas_eve, at("2019-12-27T11:00"), CALENDAR) is None


@given(st.integers(0, 20_000))
def test_embedded_history_is_never_late(days):
    """The packaged history ends for good in 2013; its clock stands, so nobody is ever told."""
    assert (
        missing_session(Freshness(AS_OF, "replay-packaged", CLOCK), CLOCK + dt.timedelta(days=days), CALENDAR) is None
    )


def test_lateness_is_told_once_for_as_long_as_it_lasts():
    """The alert is named by the newest session there is, not by the day it is noticed."""
    freshness = Freshness(THURSDAY, "alpha_vantage", at("2020-01-04T11:00"))
    first = stale_alert(freshness, missing_session(freshness, at("2020-01-04T11:00"), CALENDAR), NOW)
    later = stale_alert(freshness, missing_session(freshness, at("2020-01-08T11:00"), CALENDAR), NOW)
    assert first.alert_id == later.alert_id == "stale_data-2020-01-02"


def page(table: Table) -> str:
    """Path of the page of the asset that a declared table is."""
    return f"/assets/{table.schema}/{table.name}"


def test_alerts_lead_to_the_asset_that_they_are_about():
    """Regime changes, late prices, drift and events without a run link to the page of a table that is declared."""
    change = {"before": "sideways", "after": "bearish", "probability": 0.9, "cause": "evidence"}
    changes = complete(REGIME_CHANGES, change | {"scope": "market"}, change | {"scope": "IBM"})
    assert [alert.details.link for alert in regime_alerts(changes, NOW)] == [page(SYMBOL_REGIMES), page(MARKET_REGIMES)]
    freshness = Freshness(THURSDAY, "alpha_vantage", at("2020-01-04T11:00"))
    late = stale_alert(freshness, missing_session(freshness, at("2020-01-04T11:00"), CALENDAR), NOW)
    assert late.details.link == page(DAILY_PRICES)
    drift = drift_alert(drift_request(reports(confirmed=True), None, CALENDAR), NOW)
    assert drift.details.link == page(DRIFT_REPORTS)
    (event,) = anomaly_alerts(events("e1", run_id=""), NOW)
    assert event.details.link == page(ANOMALY_EVENTS)


def test_failed_run_is_told_with_its_first_line():
    """The alert names job, step and the first line of the error, and links to the run."""
    alert = failure_alert(run_id="abc", job="nightly", steps=["fetch"], error="\n no disk \n Stack:", now=NOW)
    assert alert.subject == "nightly failed in fetch"
    assert alert.body.startswith("no disk\n")
    assert alert.details.link.endswith("/runs/abc")
    assert failure_alert(run_id="abc", job="j", steps=[], error="", now=NOW).body.startswith("no reason")
