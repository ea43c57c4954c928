"""What people decide about events."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.foundation.errors import UsageError
from quant_assets.ops.store import OperationsStore
from quant_assets.quality.alerts import raise_alerts
from quant_assets.quality.decisions import decide_events, newest_decisions, with_decisions
from quant_assets.quality.tables import ANOMALY_EVENTS
from tests.support.event_rows import event_rows

AT = dt.datetime(2013, 3, 2, 9, 30, tzinfo=dt.UTC)
KNOWN = ["AAPL-20000929-news_move-1a2b3c", "AAPL-20030129-repeated_bar-9f8e7d", "AAPL-20030129-odd_bar-9f8e7d"]


@pytest.fixture
def store(tmp_path):
    return OperationsStore(tmp_path / "operations.sqlite")


def test_a_decision_counts_at_once_with_who_when_and_why(store):
    """What was decided is read back as it was given, in UTC."""
    ids = decide_events(store, KNOWN, KNOWN[:1], status="dismissed", by="ada", at=AT, note="real crash")
    assert ids == KNOWN[:1]
    assert newest_decisions(store).rows() == [(KNOWN[0], "dismissed", "ada", AT, "real crash")]


def test_the_newest_decision_counts_and_the_older_ones_are_kept(store):
    """A second decision overrules the first, which stays on record."""
    decide_events(store, KNOWN, KNOWN[:1], status="dismissed", by="ada", at=AT)
    decide_events(store, KNOWN, KNOWN[:1], status="acknowledged", by="bob", at=AT + dt.timedelta(hours=1))
    assert newest_decisions(store).select("status", "status_by").rows() == [("acknowledged", "bob")]
    assert len(store.query("SELECT * FROM event_decisions")) == 2


def test_the_beginning_of_an_id_is_enough(store):
    """An id may be cut where it stays unique."""
    assert decide_events(store, KNOWN, ["AAPL-2000"], status="acknowledged", by="ada", at=AT) == KNOWN[:1]


@pytest.mark.parametrize(
    ("named", "status", "by", "words"),
    [
        (["IBM-2000"], "dismissed", "ada", "there is no event 'IBM-2000'"),
        (["AAPL-20030129"], "dismissed", "ada", "begins 2 events"),
        (["AAPL"], "dismissed", "ada", "there is no event 'AAPL'"),
        (KNOWN[:1], "closed", "ada", "acknowledged or dismissed"),
        (KNOWN[:1], "dismissed", " ", "--by"),
        ([KNOWN[0], "nonsense"], "dismissed", "ada", "nonsense"),
    ],
)
def test_a_wrong_request_records_nothing(store, named, status, by, words):
    """Unknown or ambiguous ids, an unknown status and a missing name are refused with what to do; nothing is kept."""
    with pytest.raises(UsageError, match=words):
        decide_events(store, KNOWN, named, status=status, by=by, at=AT)
    assert newest_decisions(store).is_empty()


def test_events_carry_the_decision(store):
    """Decided events have status, person, time and note; the others stay open; strays are left out."""
    events = event_rows({"event_id": "one"}, {"event_id": "two"})
    decide_events(store, ["one", "gone"], ["one", "gone"], status="acknowledged", by="ada", at=AT, note="seen")
    found = with_decisions(events, newest_decisions(store))
    assert ANOMALY_EVENTS.validate(found).select("event_id", "status", "status_by", "note").rows() == [
        ("one", "acknowledged", "ada", "seen"),
        ("two", "open", None, None),
    ]


def test_high_events_leave_an_alert_each_once(store):
    """A HIGH event is one row of the outbox, however often it is raised; lesser ones are none."""
    events = event_rows({"event_id": "bad", "severity": "HIGH"}, {"event_id": "so-so", "severity": "MEDIUM"})
    assert raise_alerts(store, events, now=AT) == 1
    assert raise_alerts(store, events, now=AT) == 0
    (alert,) = store.query("SELECT * FROM alerts")
    assert (alert["alert_id"], alert["severity"], alert["delivered_at"]) == ("anomaly-bad", "HIGH", None)
    assert "quant events dismiss bad" in alert["body"]
    assert raise_alerts(store, events.clear(), now=AT) == 0


def test_hundreds_of_high_events_are_one_alert(store):
    """The first scan of a bad history does not flood the outbox."""
    events = event_rows(*({"event_id": f"bad-{n}", "severity": "HIGH", "symbol": f"S{n}"} for n in range(300)))
    assert raise_alerts(store, events, now=AT) == 1
    (alert,) = store.query("SELECT subject FROM alerts")
    assert alert["subject"] == "300 bars are withheld"


def test_statuses_survive_where_no_table_was_made_yet(store):
    """A store that never saw a decision has none."""
    assert newest_decisions(store).schema["status_at"] == pl.Datetime("us", "UTC")
