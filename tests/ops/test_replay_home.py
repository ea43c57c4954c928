"""Alerts of a replay say so, whoever raised them, and can be kept from people."""

from __future__ import annotations

import datetime as dt

import pytest

from quant_assets.ops.alert_delivery import deliver
from quant_assets.ops.alerts import newest_alerts, raise_alerts
from quant_assets.ops.ports import Alert
from quant_assets.ops.replay_home import begin_replayed_session, keep_to_itself, replayed_session, without_mark
from quant_assets.ops.store import OperationsStore
from quant_assets.signals.alerts import raise_alert as raise_signal_alert
from tests.ops.test_alerts_outbox import Notebook

NOW = dt.datetime(2030, 1, 2, tzinfo=dt.UTC)
FRIDAY, MONDAY = dt.date(2008, 11, 14), dt.date(2008, 11, 17)


@pytest.fixture
def store(tmp_path):
    return OperationsStore(tmp_path / "operations.sqlite")


def alert(number: int) -> Alert:
    return Alert(f"anomaly-{number}", "anomaly", "HIGH", f"subject {number}", "body", NOW)


def subjects(store: OperationsStore) -> dict[str, str]:
    return {row["alert_id"]: row["subject"] for row in newest_alerts(store, 20)}


def test_subjects_begin_with_the_replayed_session(store):
    """Each alert bears the session in which it was first raised, also one that a room put into the outbox itself."""
    assert replayed_session(store) is None
    begin_replayed_session(store, FRIDAY)
    assert raise_alerts(store, [alert(1)]) == 1
    begin_replayed_session(store, MONDAY)
    assert raise_alerts(store, [alert(1), alert(2)]) == 1
    assert raise_signal_alert(store, alert_id="s", severity="LOW", subject="trained", body="")
    assert subjects(store) == {
        "anomaly-1": "[replay 2008-11-14] subject 1",
        "anomaly-2": "[replay 2008-11-17] subject 2",
        "s": "[replay 2008-11-17] trained",
    }
    assert without_mark(subjects(store)["s"]) == "trained"


def test_home_that_is_no_replay_marks_nothing(store):
    """Without a replayed session subjects stay as they are."""
    raise_alerts(store, [alert(1)])
    assert subjects(store) == {"anomaly-1": "subject 1"}


def test_digest_says_which_sessions_it_is_of(store):
    """Many alerts in one message bear the first and the last session, or the one."""
    for session, numbers in ((FRIDAY, (1, 2)), (MONDAY, (3, 4))):
        begin_replayed_session(store, session)
        raise_alerts(store, [alert(number) for number in numbers])
    channel = Notebook()
    deliver(store, [channel])
    assert [message.subject for message in channel.messages] == ["[replay 2008-11-14 to 2008-11-17] 4 alerts: anomaly"]
    raise_alerts(store, [alert(number) for number in range(5, 9)])
    deliver(store, [channel])
    assert channel.messages[1].subject == "[replay 2008-11-17] 4 alerts: anomaly"


def test_replay_can_keep_its_alerts(store):
    """A home that was asked to keep its alerts tells nobody and keeps the rows, until it is asked to tell."""
    raise_alerts(store, [alert(1)])
    channel = Notebook()
    keep_to_itself(store, is_silent=True)
    assert deliver(store, [channel]) == ()
    assert channel.messages == []
    keep_to_itself(store, is_silent=False)
    deliver(store, [channel])
    assert channel.told() == ["anomaly-1"]
