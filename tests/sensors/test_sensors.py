"""The sensors on a real instance, a real publication and a local Slack-compatible receiver."""

from __future__ import annotations

import datetime as dt
import json

import dagster as dg
import polars as pl
import pytest

from quant_assets.quality.tables import ANOMALY_EVENTS
from quant_assets.regimes.tables import REGIME_CHANGES
from quant_assets.signals.tables import DRIFT_REPORTS
from sensors import SENSORS
from sensors.anomaly_alert_sensor import anomaly_alert_sensor
from sensors.drift_sensor import drift_sensor
from sensors.regime_change_sensor import regime_change_sensor
from sensors.run_failure_sensor import run_failure_sensor
from sensors.stale_data_sensor import stale_data_sensor
from sensors.stuck_run_sensor import stuck_run_sensor
from tests.sensors.conftest import complete, tick
from tests.sensors.test_decisions import events, reports
from tests.support.slack_receiver import TOKEN, refused


def texts(receiver) -> list[str]:
    return [sent["text"] for sent in receiver.accepted]


@pytest.mark.parametrize("sensor", [*SENSORS, drift_sensor], ids=lambda sensor: sensor.name)
def test_sensors_are_on_and_described(sensor):
    """Every sensor runs by default and says what it does and when."""
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert "Every" in sensor.description


@pytest.mark.parametrize(
    "sensor", [anomaly_alert_sensor, regime_change_sensor, stale_data_sensor, drift_sensor], ids=lambda s: s.name
)
def test_nothing_published_is_nothing_to_say(sensor, installed, instance, receiver):
    """Before the first publication, and on one whose tables are empty, a tick is skipped with a reason."""
    for _ in range(2):
        answer, _ = tick(sensor, instance)
        assert isinstance(answer, dg.SkipReason)
        assert answer.skip_message
        installed.publish()
    assert installed.alerts() == []
    assert receiver.requests == []


def test_new_high_event_is_told_once(installed, instance, receiver):
    """A HIGH event becomes one message, however often the sensor ticks, is restarted or a publication repeats it."""
    installed.publish((ANOMALY_EVENTS, events("e1")))
    _, cursor = tick(anomaly_alert_sensor, instance)
    tick(anomaly_alert_sensor, instance, cursor)
    tick(anomaly_alert_sensor, instance, None)
    installed.publish((ANOMALY_EVENTS, events("e1", "e2")))
    tick(anomaly_alert_sensor, instance, cursor)
    assert texts(receiver) == ["[HIGH] IBM 2013-03-01: spike"] * 2
    assert [kind for kind, _, _ in installed.alerts()] == ["anomaly", "anomaly"]
    ids = {row["alert_id"] for row in installed.store.query("SELECT alert_id FROM alerts")}
    assert ids == {"anomaly-e1", "anomaly-e2"}


def test_old_and_decided_events_are_no_news(installed, instance, receiver):
    """Events detected long ago, of lower severity, or decided on by a person are not told."""
    row = {"symbol": "IBM", "kind": "spike", "severity": "HIGH", "status": "open"}
    installed.publish(
        (
            ANOMALY_EVENTS,
            complete(
                ANOMALY_EVENTS,
                row | {"event_id": "old", "detected_at": dt.datetime(2013, 2, 1, tzinfo=dt.UTC)},
                row | {"event_id": "low", "severity": "LOW"},
                row | {"event_id": "dismissed", "status": "dismissed"},
            ),
        )
    )
    tick(anomaly_alert_sensor, instance)
    assert installed.alerts() == []


def test_twenty_events_are_one_message(installed, instance, receiver):
    """A bad night is a digest, not a flood."""
    installed.publish((ANOMALY_EVENTS, events(*(f"e{n:02}" for n in range(20)))))
    tick(anomaly_alert_sensor, instance)
    assert len(receiver.accepted) == 1
    assert "alerts: anomaly" in receiver.accepted[0]["text"] or "withheld" in receiver.accepted[0]["text"]


def test_dismissing_one_of_many_events_tells_nothing_anew(installed, instance, receiver):
    """A digest of 25 events is told once, also after a person has decided on one of them."""
    found = events(*(f"e{n:02}" for n in range(25)))
    installed.publish((ANOMALY_EVENTS, found))
    _, cursor = tick(anomaly_alert_sensor, instance)
    status = pl.when(pl.col("event_id") == "e00").then(pl.lit("dismissed")).otherwise(pl.col("status"))
    installed.publish((ANOMALY_EVENTS, found.with_columns(status=status)))
    tick(anomaly_alert_sensor, instance, cursor)
    assert texts(receiver) == ["[HIGH] 25 bars are withheld"]


def test_what_slack_refused_follows_with_a_later_tick(installed, instance, receiver):
    """A rate limit leaves the alert pending; a tick after the named wait delivers it, without a new publication."""
    receiver.replies.append(refused("ratelimited", 429, Retry_After="1"))
    installed.publish((ANOMALY_EVENTS, events("e1")))
    answer, cursor = tick(anomaly_alert_sensor, instance)
    assert "1 pending" in answer.skip_message
    assert receiver.accepted == []
    with installed.store.transaction() as connection:
        connection.execute("UPDATE alert_channels SET not_before = '2000-01-01T00:00:00+00:00'")
    tick(anomaly_alert_sensor, instance, cursor)
    assert len(receiver.accepted) == 1


def test_quiet_where_nothing_is_set(installed, instance, receiver, monkeypatch):
    """Without Slack and webhook the row is there and nobody is asked."""
    for name in ("SLACK_BOT_TOKEN", "SLACK_CHANNEL"):
        monkeypatch.delenv(name)
    installed.publish((ANOMALY_EVENTS, events("e1")))
    answer, _ = tick(anomaly_alert_sensor, instance)
    assert "no channel is told" in answer.skip_message
    assert len(installed.alerts()) == 1
    assert receiver.requests == []


def test_regime_change_is_told_once(installed, instance, receiver):
    """The market's confirmed change is one message; history and a repeated tick are none."""
    change = {"scope": "market", "before": "sideways", "after": "bearish", "probability": 0.9, "cause": "evidence"}
    old = change | {"date": dt.date(2008, 9, 15)}
    installed.publish((REGIME_CHANGES, complete(REGIME_CHANGES, change, old)))
    _, cursor = tick(regime_change_sensor, instance)
    tick(regime_change_sensor, instance, cursor)
    tick(regime_change_sensor, instance, None)
    assert texts(receiver) == ["[MEDIUM] Market regime: sideways to bearish on 2013-03-01"]


def test_confirmed_drift_launches_one_run_and_then_rests(installed, instance, receiver):
    """One run request with a stable key and one message; the next night's report falls into the cool-down."""
    installed.publish((DRIFT_REPORTS, reports(confirmed=True)))
    answer, _ = tick(drift_sensor, instance)
    assert [request.run_key for request in answer.run_requests] == ["retrain_on_drift-2013-03-01"]
    again, _ = tick(drift_sensor, instance, answer.cursor)
    assert isinstance(again, dg.SkipReason)
    next_night = dt.date(2013, 3, 4)
    installed.publish((DRIFT_REPORTS, reports(confirmed=True, as_of=next_night)), as_of=next_night)
    rested, cursor = tick(drift_sensor, instance, answer.cursor)
    assert "asked for 1 sessions ago" in rested.skip_message
    assert json.loads(cursor)["requested"] == "2013-03-01"
    assert len(receiver.accepted) == 1


def test_sensor_that_lost_its_cursor_rests_too(installed, instance, receiver):
    """The cool-down counts from the newest alert of drift where the cursor is gone, as after a move or a replay."""
    installed.publish((DRIFT_REPORTS, reports(confirmed=True)))
    tick(drift_sensor, instance)
    repeated, _ = tick(drift_sensor, instance, None)
    assert [request.run_key for request in repeated.run_requests] == ["retrain_on_drift-2013-03-01"]
    next_night = dt.date(2013, 3, 4)
    installed.publish((DRIFT_REPORTS, reports(confirmed=True, as_of=next_night)), as_of=next_night)
    rested, _ = tick(drift_sensor, instance, None)
    assert "asked for 1 sessions ago" in rested.skip_message
    assert len(receiver.accepted) == 1


def test_late_session_of_a_live_source_is_told_once(installed, instance, receiver):
    """A live source whose newest session is long past is late; the embedded one in the same state is not."""
    installed.publish()
    tick(stale_data_sensor, instance)
    assert installed.alerts() == []
    installed.publish(source="alpha_vantage")
    for _ in range(3):
        tick(stale_data_sensor, instance)
    assert texts(receiver) == ["[HIGH] Prices end at 2013-03-01: the session of 2013-03-04 has not come"]


@dg.op
def breaks():
    """Fail with a cause behind a cause."""
    raise RuntimeError("the step failed") from OSError("No space left on device")


@dg.job
def breaking_job():
    """A job of its own, in no code location."""
    breaks()


def failed_run(instance):
    result = breaking_job.execute_in_process(instance=instance, raise_on_error=False)
    (event,) = [e for e in result.all_events if e.event_type is dg.DagsterEventType.RUN_FAILURE]
    run = instance.get_run_by_id(result.run_id)
    return dg.build_run_status_sensor_context(
        sensor_name="run_failure_sensor", dagster_instance=instance, dagster_run=run, dagster_event=event
    ).for_run_failure()


def test_any_failed_run_is_told_with_its_cause(installed, instance, receiver):
    """A run that no code location knows is told once, with the innermost error and a link."""
    context = failed_run(instance)
    for _ in range(2):
        run_failure_sensor(context)
    (message,) = receiver.accepted
    assert message["text"] == "[HIGH] breaking_job failed in breaks"
    assert "No space left on device" in json.dumps(message)
    assert f"/runs/{context.dagster_run.run_id}" in json.dumps(message)


def test_token_is_in_no_file_of_the_home(installed, instance, receiver):
    """Whatever Slack answers, the token is written nowhere."""
    receiver.replies.extend([refused(f"echo {TOKEN}"), refused("invalid_auth")])
    installed.publish((ANOMALY_EVENTS, events("e1")))
    tick(anomaly_alert_sensor, instance)
    for path in installed.home.path.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path


def test_damaged_publication_fails_the_tick_in_one_sentence(installed, instance):
    """A sensor that cannot read the publication fails its tick with words that name the file."""
    installed.publish()
    target = installed.home.readers_database.resolve()
    target.chmod(0o644)
    target.write_bytes(b"no database " * 4096)
    with pytest.raises(Exception, match="is damaged"):
        tick(anomaly_alert_sensor, instance)


def test_run_that_was_marked_as_failed_is_told_with_the_reason(installed, instance, receiver):
    """A run whose process is gone has no error of its own; the alert says what it was marked with."""
    run = instance.create_run_for_job(breaking_job, status=dg.DagsterRunStatus.STARTED)
    event = instance.report_run_failed(run, "The process of this run is gone.")
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failure_sensor", dagster_instance=instance, dagster_run=run, dagster_event=event
    ).for_run_failure()
    run_failure_sensor(context)
    (message,) = receiver.accepted
    assert "The process of this run is gone." in json.dumps(message)


def test_sensor_that_raises_loses_nothing(installed, instance, receiver):
    """While one sensor's ticks fail, another tells its alert; once mended, the first goes on from its old cursor."""
    installed.publish()
    _, cursor = tick(anomaly_alert_sensor, instance)
    installed.publish((ANOMALY_EVENTS, events("e1")))
    target = installed.home.readers_database.resolve()
    good = target.read_bytes()
    target.chmod(0o644)
    target.write_bytes(b"no database " * 4096)
    with pytest.raises(Exception, match="is damaged"):
        tick(anomaly_alert_sensor, instance, cursor)
    run_failure_sensor(failed_run(instance))
    assert texts(receiver) == ["[HIGH] breaking_job failed in breaks"]
    target.write_bytes(good)
    tick(anomaly_alert_sensor, instance, cursor)
    assert texts(receiver)[1:] == ["[HIGH] IBM 2013-03-01: spike"]


def test_failed_run_whose_alert_was_lost_is_told_all_the_same(installed, instance, receiver):
    """Where the run-failure sensor raised and its cursor went on, the next tick of another raises the alert, once."""
    context = failed_run(instance)
    shown, hidden = installed.home.operations, installed.home.operations.with_suffix(".away")
    shown.rename(hidden)
    shown.mkdir()
    with pytest.raises(Exception, match="cannot be opened"):
        run_failure_sensor(context)
    shown.rmdir()
    hidden.rename(shown)
    answers = [tick(stuck_run_sensor, instance)[0].skip_message for _ in range(2)]
    assert answers == ["Every running run is alive. 1 new alerts.", "Every running run is alive."]
    tick(anomaly_alert_sensor, instance)
    run_failure_sensor(context)
    (message,) = receiver.accepted
    assert message["text"] == "[HIGH] breaking_job failed in breaks"
    assert "No space left on device" in json.dumps(message)
