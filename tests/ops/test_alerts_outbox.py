"""The outbox: rows first, once per event, told at least once, bundled, patient, and never lost."""

from __future__ import annotations

import datetime as dt
import multiprocessing
from dataclasses import dataclass, field

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.ops.alert_delivery import BUNDLE_FROM, MOST_BUNDLED, bundle, deliver, wait_seconds
from quant_assets.ops.alerts import ALERT_CHANNEL, newest_alerts, raise_alerts
from quant_assets.ops.ports import Alert, AlertDetails, AlertMessage, Sending
from quant_assets.ops.records import alert_rows
from quant_assets.ops.store import OperationsStore
from resources.alerts import SlackChannel, WebhookChannel
from tests.support.slack_receiver import TOKEN, Reply, SlackReceiver, refused

NOW = dt.datetime(2030, 1, 2, 3, 4, tzinfo=dt.UTC)


def alert(number: int, kind: str = "anomaly", severity: str = "HIGH") -> Alert:
    return Alert(f"{kind}-{number}", kind, severity, f"subject {number}", "body", NOW + dt.timedelta(seconds=number))


@dataclass
class Notebook:
    """A channel in memory that does what it is told, then accepts."""

    name: str = "notebook"
    answers: list[Sending] = field(default_factory=list)
    messages: list[AlertMessage] = field(default_factory=list)

    def send(self, message: AlertMessage) -> Sending:
        answer = self.answers.pop(0) if self.answers else Sending()
        if answer.is_delivered:
            self.messages.append(message)
        return answer

    def told(self) -> list[str]:
        return [one.alert_id for message in self.messages for one in message.alerts]


@dataclass
class Clock:
    now: dt.datetime = NOW

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture
def store(tmp_path):
    return OperationsStore(tmp_path / "operations.sqlite")


def test_same_event_is_one_alert(store):
    """Raising an identifier again changes nothing; details are added where there were none."""
    assert raise_alerts(store, [alert(1), alert(2)]) == 2
    detailed = Alert(**{**_fields(alert(1)), "subject": "other", "details": AlertDetails(symbol="IBM")})
    assert raise_alerts(store, [detailed, alert(3)]) == 1
    assert [row["subject"] for row in newest_alerts(store, 10)] == ["subject 3", "subject 2", "subject 1"]
    channel = Notebook()
    deliver(store, [channel], clock=Clock())
    assert {m.alerts[0].alert_id: m.alerts[0].details.symbol for m in channel.messages}["anomaly-1"] == "IBM"


def _fields(one: Alert) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def test_row_is_there_before_anybody_is_told(store):
    """An alert is a row of ops.alerts that has not been delivered, then one that has."""
    raise_alerts(store, [alert(1)])
    row = alert_rows(store).row(0, named=True)
    assert (row["delivered_at"], row["attempts"]) == (None, 0)
    deliver(store, [Notebook()], clock=Clock())
    row = alert_rows(store).row(0, named=True)
    assert (row["delivered_at"], row["attempts"], row["last_error"]) == (NOW, 1, None)


def test_nothing_is_sent_twice_and_nothing_where_no_channel_is(store):
    """A second delivery has nothing to do; without a channel nothing happens and the rows stay pending."""
    raise_alerts(store, [alert(1)])
    assert deliver(store, [], clock=Clock()) == ()
    channel = Notebook()
    for _ in range(3):
        deliver(store, [channel], clock=Clock())
    assert channel.told() == ["anomaly-1"]


def test_each_channel_is_told_once(store):
    """One channel that fails does not make the other one repeat itself."""
    raise_alerts(store, [alert(1)])
    clock = Clock()
    good, bad = Notebook("good"), Notebook("bad", [Sending("down.")])
    deliver(store, [bad, good], clock=clock)
    assert (good.told(), bad.told()) == (["anomaly-1"], [])
    assert alert_rows(store)["last_error"][0] == "bad: down."
    clock.forward(31)
    deliver(store, [bad, good], clock=clock)
    assert (good.told(), bad.told()) == (["anomaly-1"], ["anomaly-1"])
    assert alert_rows(store)["last_error"][0] is None


def test_each_channel_s_reason_is_kept_until_it_takes_the_alert(store):
    """Where both refuse both reasons are there, each after its channel's name; the one that took it has none left."""
    raise_alerts(store, [alert(1)])
    clock = Clock()
    slack = Notebook("slack", [Sending("No token."), Sending("No channel.")])
    webhook = Notebook("webhook", [Sending("HTTP 500.")])
    seen = []
    for _ in range(3):
        deliver(store, [webhook, slack], clock=clock)
        seen.append(alert_rows(store)["last_error"][0])
        clock.forward(3601)
    assert seen == ["slack: No token. webhook: HTTP 500.", "slack: No channel.", None]
    assert alert_rows(store)["attempts"][0] == 5


def test_reasons_of_one_alert_are_not_those_of_another(store):
    """A message that is taken clears the reasons of its own alerts alone."""
    raise_alerts(store, [alert(1, "bad"), alert(2, "good")])
    channel = Notebook("slack", [Sending("down.")])
    clock = Clock()
    deliver(store, [channel], clock=clock)
    clock.forward(31)
    channel.answers = [Sending(), Sending("down again.")]
    deliver(store, [channel], clock=clock)
    rows = {row["alert_id"]: row["last_error"] for row in newest_alerts(store, 10)}
    assert sorted(rows.values(), key=str) == [None, "slack: down again."]
    assert rows["bad-1"] == "slack: down again."


def test_pending_is_counted_per_channel_and_before_the_limit(store):
    """An old alert that one channel of two was not told is pending, however many newer ones were told to both."""
    clock = Clock()
    raise_alerts(store, [alert(1, "old")])
    good, bad = Notebook("good"), Notebook("bad", [Sending("down.")])
    deliver(store, [bad, good], clock=clock)
    raise_alerts(store, [alert(n) for n in range(2, 9)])
    deliver(store, [good], clock=clock)
    with store.transaction() as connection:
        connection.execute("INSERT INTO alert_deliveries SELECT alert_id, 'bad', '' FROM alerts WHERE kind <> 'old'")
    (row,) = newest_alerts(store, 5, ["bad", "good"], is_pending_only=True)
    assert (row["alert_id"], row["pending"], row["last_error"]) == ("old-1", "bad", "bad: down.")
    assert newest_alerts(store, 5, ["good"], is_pending_only=True) == []
    assert newest_alerts(store, 5, is_pending_only=True) == []
    assert [row["pending"] for row in newest_alerts(store, 5, ["bad", "good", "new"])] == ["new"] * 5


def test_twenty_anomalies_are_one_message(store):
    """Many alerts of one kind are a digest; another kind beside them is a message of its own."""
    raise_alerts(store, [*(alert(n) for n in range(20)), alert(1, "run_failure")])
    channel = Notebook()
    (report,) = deliver(store, [channel], clock=Clock())
    assert sorted(len(message.alerts) for message in channel.messages) == [1, 20]
    assert (report.delivered, report.messages, report.pending) == (21, 2, 0)


def test_long_queue_of_one_kind_is_cut_oldest_first(store):
    """A digest holds at most fifty alerts, and those that come later do not change the messages before them."""
    late = [alert(n) for n in range(120)]
    messages = bundle(late[::-1])
    assert [len(message.alerts) for message in messages] == [MOST_BUNDLED, MOST_BUNDLED, 20]
    assert [one for message in messages for one in message.alerts] == late
    assert bundle([*late, *(alert(n) for n in range(120, 140))])[:2] == messages[:2]
    raise_alerts(store, late)
    channel = Notebook(answers=[Sending(), Sending("down.")])
    (report,) = deliver(store, [channel], clock=Clock())
    assert (report.delivered, report.pending) == (50, 70)


@given(
    st.lists(
        st.tuples(st.sampled_from(["anomaly", "drift", "regime_change"]), st.sampled_from(["HIGH", "MEDIUM", "LOW"])),
        max_size=40,
    )
)
def test_bundling_loses_and_repeats_nothing(kinds):
    """Every alert is in one message, messages hold one kind, few alerts come singly, the gravest come first."""
    alerts = [alert(number, kind, severity) for number, (kind, severity) in enumerate(kinds)]
    messages = bundle(alerts)
    assert sorted(a.alert_id for m in messages for a in m.alerts) == sorted(a.alert_id for a in alerts)
    for message in messages:
        (kind,) = {one.kind for one in message.alerts}
        many = sum(one.kind == kind for one in alerts) >= BUNDLE_FROM
        assert message.is_digest == many
    ranks = [["HIGH", "MEDIUM", "LOW"].index(message.severity) for message in messages]
    assert ranks == sorted(ranks)


def test_waits_double_up_to_an_hour_and_obey_the_other_side():
    """Failures in a row wait 30, 60, 120 s up to an hour; a named wait counts instead; a wrong setting waits long."""
    failed = Sending("down.")
    assert [wait_seconds(failed, n) for n in (1, 2, 3, 8, 500)] == [30, 60, 120, 3600, 3600]
    assert wait_seconds(Sending("slow down.", retry_after_seconds=7.0), 5) == 7
    assert wait_seconds(Sending("slow down.", retry_after_seconds=0.0), 5) == 1
    assert wait_seconds(Sending("no.", is_misconfigured=True), 1) == 3600


def test_wait_is_kept_across_processes_and_ends(store):
    """A channel that asked for patience is not tried before, also by a new store object, unless a person urges."""
    raise_alerts(store, [alert(1)])
    clock = Clock()
    channel = Notebook(answers=[Sending("slow down.", retry_after_seconds=100.0)])
    deliver(store, [channel], clock=clock)
    clock.forward(99)
    (report,) = deliver(OperationsStore(store.path), [channel], clock=clock)
    assert (report.pending, report.error, report.not_before) == (1, "slow down.", NOW + dt.timedelta(seconds=100))
    assert channel.told() == []
    clock.forward(2)
    deliver(store, [channel], clock=clock)
    assert channel.told() == ["anomaly-1"]
    raise_alerts(store, [alert(2)])
    channel.answers = [Sending("down.")]
    deliver(store, [channel], clock=clock)
    deliver(store, [channel], clock=clock, is_urged=True)
    assert channel.told() == ["anomaly-1", "anomaly-2"]


def test_failure_in_the_middle_keeps_what_was_told(store):
    """Messages before the failure count as told, those after it follow later."""
    raise_alerts(store, [alert(n, kind=f"kind_{n}") for n in range(5)])
    clock = Clock()
    channel = Notebook(answers=[Sending(), Sending(), Sending("down.")])
    (report,) = deliver(store, [channel], clock=clock)
    assert (report.delivered, report.pending, report.error) == (2, 3, "down.")
    clock.forward(31)
    deliver(store, [channel], clock=clock)
    assert len(channel.told()) == len(set(channel.told())) == 5


def test_message_that_is_never_taken_holds_up_no_other(store):
    """What a channel refuses each time is tried last, so later alerts get through."""
    raise_alerts(store, [alert(1, "bad")])
    clock = Clock()

    class Picky(Notebook):
        def send(self, message: AlertMessage) -> Sending:
            return Sending("not this.") if message.alerts[0].kind == "bad" else super().send(message)

    channel = Picky()
    deliver(store, [channel], clock=clock)
    raise_alerts(store, [alert(2, "good")])
    clock.forward(31)
    deliver(store, [channel], clock=clock)
    assert channel.told() == ["good-2"]


def test_misconfigured_channel_is_told_by_the_others_once(store):
    """Where a token is refused the other channel says so once, and nothing pending is lost."""
    raise_alerts(store, [alert(1)])
    clock = Clock()
    broken = Notebook(
        "slack", [Sending("Slack refused the token: set SLACK_BOT_TOKEN right.", is_misconfigured=True)] * 3
    )
    works = Notebook("webhook")
    for _ in range(3):
        deliver(store, [broken, works], clock=clock)
        clock.forward(3601)
    kinds = [message.alerts[0].kind for message in works.messages]
    assert sorted(kinds) == [ALERT_CHANNEL, "anomaly"]
    deliver(store, [broken, works], clock=clock)
    assert broken.told() == ["anomaly-1"]


def test_second_outage_of_a_channel_is_told_too(store):
    """An outage of several days is told once by the others; a later one for the same reason is told again."""
    clock, refusal = Clock(), Sending("set SLACK_BOT_TOKEN right.", is_misconfigured=True)
    broken, works = Notebook("slack"), Notebook("webhook")
    for first in (1, 2):
        raise_alerts(store, [alert(first)])
        broken.answers = [refusal] * 60
        for _ in range(60):
            deliver(store, [broken, works], clock=clock)
            clock.forward(3601)
        broken.answers = []
        deliver(store, [broken, works], clock=clock)
        told = [message for message in works.messages if message.alerts[0].kind == ALERT_CHANNEL]
        assert len(told) == first
        clock.forward(86_400)
    assert broken.told() == ["anomaly-1", "anomaly-2"]


def test_no_more_than_ten_messages_at_a_time(store):
    """A long queue is worked off over several deliveries, each within Slack's pace."""
    raise_alerts(store, [alert(n, kind=f"kind_{n}") for n in range(25)])
    channel = Notebook()
    assert [deliver(store, [channel], clock=Clock())[0].messages for _ in range(3)] == [10, 10, 5]
    assert len(set(channel.told())) == 25


def test_unknown_severity_is_told_too(store):
    """A row that another program wrote with a severity of its own is delivered, last."""
    raise_alerts(store, [alert(1, severity="URGENT"), alert(2, "drift", "LOW")])
    channel = Notebook()
    deliver(store, [channel], clock=Clock())
    assert channel.told() == ["drift-2", "anomaly-1"]


def _deliver_slowly(path, url):
    channel = SlackChannel(token=TOKEN, channel="c", api_url=url)
    deliver(OperationsStore(path), [channel])


def test_two_processes_tell_each_alert_once(store):
    """Deliveries at the same time do not repeat each other."""
    raise_alerts(store, [alert(n, kind=f"kind_{n}") for n in range(8)])
    with SlackReceiver() as receiver:
        receiver.replies.extend(Reply(200, {"ok": True}, delay_seconds=0.1) for _ in range(8))
        spawn = multiprocessing.get_context("spawn")
        workers = [spawn.Process(target=_deliver_slowly, args=(store.path, receiver.api_url)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        deliver(store, [SlackChannel(token=TOKEN, channel="c", api_url=receiver.api_url)])
        assert sorted(sent["text"] for sent in receiver.accepted) == sorted(
            f"[HIGH] subject {number}" for number in range(8)
        )


@pytest.mark.drill
@pytest.mark.parametrize(
    "faults",
    [
        [Reply(200, {"ok": True}, delay_seconds=1.5)],
        [refused("ratelimited", 429, Retry_After="1")] * 2,
        [refused("invalid_auth")],
        [Reply(500, b"oops")] * 3,
        [Reply(200, b"not json")],
    ],
    ids=["slow", "rate limit", "invalid_auth", "fault", "garbage"],
)
def test_slack_drills_lose_nothing(store, faults):
    """Slack slow, limiting, refusing or broken: after it recovers each alert has been confirmed."""
    clock = Clock()
    with SlackReceiver() as receiver:
        channel = SlackChannel(token=TOKEN, channel="c", api_url=receiver.api_url, timeout_seconds=1)
        receiver.replies.extend(faults)
        raise_alerts(store, [alert(1), alert(2, "run_failure")])
        for _ in range(len(faults) + 2):
            deliver(store, [channel], clock=clock)
            clock.forward(3601)
        subjects = {sent["text"] for sent in receiver.accepted}
    assert subjects == {"[HIGH] subject 1", "[HIGH] subject 2"}
    # That Slack refused the token is for other channels to tell; here there are none.
    rows = alert_rows(store).filter(pl.col("kind") != ALERT_CHANNEL)
    assert rows["delivered_at"].null_count() == 0


@pytest.mark.drill
def test_slack_down_and_webhook_failing_tell_once_later(store):
    """With both unreachable nothing is lost; when they are back each tells each alert once."""
    clock = Clock()
    raise_alerts(store, [alert(1)])
    gone = SlackChannel(token=TOKEN, channel="c", api_url="http://127.0.0.1:9/api/", timeout_seconds=1)
    with SlackReceiver() as receiver:
        receiver.replies.extend([Reply(500), Reply(500)])
        webhook = WebhookChannel(receiver.webhook_url)
        for _ in range(3):
            reports = deliver(store, [gone, webhook], clock=clock)
            clock.forward(3601)
        assert [(report.channel, report.pending) for report in reports] == [("slack", 1), ("webhook", 0)]
        back = SlackChannel(token=TOKEN, channel="c", api_url=receiver.api_url)
        deliver(store, [back, webhook], clock=clock)
        assert len(receiver.accepted) == 2
    for row in newest_alerts(store, 10):
        assert TOKEN not in str(tuple(row))
        assert "secret-part" not in str(tuple(row))
