"""Slack and the webhook against a real local receiver."""

from __future__ import annotations

import datetime as dt
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.ops.ports import Alert, AlertDetails, AlertMessage
from resources.alerts import SlackChannel, WebhookChannel, configured_channels
from resources.alerts.retry_after import retry_after_seconds
from resources.alerts.slack_blocks import message_blocks, message_text
from tests.support.slack_receiver import TOKEN, Reply, SlackReceiver, refused

NOW = dt.datetime(2030, 1, 2, 3, 4, tzinfo=dt.UTC)


def alert(number: int = 0, **changes: object) -> Alert:
    fields = {"alert_id": f"a-{number}", "kind": "anomaly", "severity": "HIGH", "subject": f"IBM moved {number}"}
    fields |= {"body": "Too far & too <fast>.", "created_at": NOW}
    return Alert(**(fields | changes))


DETAILED = alert(
    details=AlertDetails(
        symbol="IBM",
        figures={"close": "12.5"},
        columns=("day", "close"),
        rows=(("Monday", "1"), ("Tue", "22")),
        link="http://127.0.0.1:3000/runs/abc",
    )
)


@pytest.fixture
def receiver():
    with SlackReceiver() as running:
        yield running


@pytest.fixture
def slack(receiver):
    return SlackChannel(token=TOKEN, channel="#alerts", api_url=receiver.api_url, timeout_seconds=1)


@pytest.fixture
def webhook(receiver):
    return WebhookChannel(receiver.webhook_url, timeout=httpx.Timeout(1.0))


def test_slack_message_has_what_a_person_needs(receiver, slack):
    """Symbol, severity, figures, a small table and the link are in the blocks; signs with a meaning are escaped."""
    assert slack.send(AlertMessage((DETAILED,))).is_delivered
    (sent,) = receiver.accepted
    assert sent["channel"] == "#alerts"
    assert sent["text"] == "[HIGH] IBM moved 0"
    text = json.dumps(json.loads(sent["blocks"]) if isinstance(sent["blocks"], str) else sent["blocks"])
    for part in ("*severity*\\nHIGH", "*symbol*\\nIBM", "*close*\\n12.5", "Monday  1", "Tue     22", "runs/abc"):
        assert part in text
    assert "Too far &amp; too &lt;fast&gt;." in text


@pytest.mark.parametrize(
    ("reply", "wait", "is_misconfigured"),
    [
        (refused("ratelimited", 429, Retry_After="7"), 7.0, False),
        (refused("ratelimited", 429), 30.0, False),
        (refused("invalid_auth"), None, True),
        (refused("channel_not_found"), None, True),
        (refused("internal_error"), None, False),
        (refused("fatal_error", 500), None, False),
        (Reply(503, b"<html>down</html>", {"Retry-After": "120"}), 120.0, False),
        (Reply(200, b"not json"), None, False),
        (Reply(200, b""), None, False),
        (Reply(200, {"ok": True}, delay_seconds=2.0), None, False),
    ],
    ids=str,
)
def test_slack_refusals_are_told_apart(receiver, slack, reply, wait, is_misconfigured):
    """Rate limits carry their wait, settings that a person must mend say so, faults are to be tried again."""
    receiver.replies.append(reply)
    sending = slack.send(AlertMessage((alert(),)))
    assert not sending.is_delivered
    assert sending.retry_after_seconds == wait
    assert sending.is_misconfigured == is_misconfigured
    assert TOKEN not in sending.reason
    assert sending.reason.endswith(".")


def test_layout_that_slack_refuses_goes_out_as_text(receiver, slack):
    """Where the blocks are refused the one-line form is sent, so that the alert is not stuck."""
    receiver.replies.append(refused("invalid_blocks"))
    assert slack.send(AlertMessage((alert(),))).is_delivered
    assert len(receiver.accepted) == 1
    assert "blocks" not in receiver.accepted[0]


def test_slack_that_is_not_there_is_a_value():
    """A refused connection is reported, not raised, and names no token."""
    channel = SlackChannel(token=TOKEN, channel="c", api_url="http://127.0.0.1:9/api", timeout_seconds=1)
    sending = channel.send(AlertMessage((alert(),)))
    assert "could not be reached" in sending.reason
    assert TOKEN not in sending.reason + repr(channel)


def test_webhook_gets_json_with_a_key_against_repeats(receiver, webhook):
    """The body holds every alert; the same alerts have the same idempotency key, others another."""
    for message in (AlertMessage((DETAILED,)), AlertMessage((DETAILED,)), AlertMessage((alert(1), alert(2)))):
        assert webhook.send(message).is_delivered
    first, again, other = (headers["idempotency-key"] for _, headers, _ in receiver.requests)
    assert first == again != other
    body = receiver.accepted[0]
    assert (body["subject"], body["severity"], body["kind"]) == ("IBM moved 0", "HIGH", "anomaly")
    assert body["alerts"][0]["details"]["figures"] == {"close": "12.5"}
    assert body["alerts"][0]["created_at"] == "2030-01-02T03:04:00+00:00"
    assert [one["alert_id"] for one in receiver.accepted[2]["alerts"]] == ["a-1", "a-2"]


@pytest.mark.parametrize(
    ("reply", "wait", "is_misconfigured"),
    [
        (Reply(500), None, False),
        (Reply(429, headers={"Retry-After": "3"}), 3.0, False),
        (Reply(404), None, True),
        (Reply(302, headers={"Location": "/elsewhere"}), None, False),
        (Reply(200, delay_seconds=2.0), None, False),
    ],
    ids=str,
)
def test_webhook_refusals_are_told_apart_and_hide_the_address(receiver, webhook, reply, wait, is_misconfigured):
    """Only 2xx counts; a redirect is not followed, and no reason holds the address."""
    receiver.replies.append(reply)
    sending = webhook.send(AlertMessage((alert(),)))
    assert not sending.is_delivered
    assert (sending.retry_after_seconds, sending.is_misconfigured) == (wait, is_misconfigured)
    assert "secret-part" not in sending.reason + repr(webhook)
    assert len(receiver.requests) == 1


@given(
    st.lists(
        st.builds(
            alert,
            subject=st.text(max_size=400),
            body=st.text(max_size=5_000),
            details=st.builds(
                AlertDetails,
                symbol=st.text(max_size=10),
                figures=st.dictionaries(st.text(max_size=30), st.text(max_size=3_000), max_size=15),
                columns=st.just(("a", "b")),
                rows=st.lists(st.tuples(st.text(max_size=40), st.text(max_size=400)), max_size=40),
            ),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_any_message_fits_the_limits_of_slack(alerts):
    """Headers, sections, fields and their number stay within what Slack takes, whatever an alert holds."""
    message = AlertMessage(tuple(alerts))
    assert len(message_text(message)) <= 3_000
    blocks = message_blocks(message)
    assert len(blocks) <= 50
    for block in blocks:
        if block["type"] == "header":
            assert len(block["text"]["text"]) <= 150
        for field in block.get("fields", []):
            assert len(field["text"]) <= 2_000
        assert len(block.get("fields", [])) <= 10
        if "text" in block:
            assert len(block["text"]["text"]) <= 3_000
            assert block["text"]["text"].count("```") in {0, 2}


def test_many_alerts_are_a_list():
    """A digest names the first twenty and says how many more there are."""
    text = json.dumps(message_blocks(AlertMessage(tuple(alert(n) for n in range(25)))))
    assert text.count("IBM moved") == 20
    assert "and 5 more" in text
    assert "25 alerts: anomaly" in text


def test_nothing_set_means_no_channel():
    """Without settings there is no channel; with both kinds there are two."""
    nothing = {"slack_token": None, "slack_channel": None, "slack_api_url": "http://x/", "webhook_url": None}
    assert configured_channels(**nothing) == ()
    everything = {"slack_token": "t", "slack_channel": "c", "webhook_url": "https://example.org/h"}
    assert [channel.name for channel in configured_channels(**(nothing | everything))] == ["slack", "webhook"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"slack_token": "t"}, "SLACK_CHANNEL"),
        ({"slack_channel": "c"}, "SLACK_BOT_TOKEN"),
        ({"webhook_url": "ftp://secret"}, "ALERT_WEBHOOK_URL"),
    ],
)
def test_half_a_setting_is_named(setting, words):
    """Half a Slack setting and an address that is none are refused with the variable to set, not its value."""
    nothing = {"slack_token": None, "slack_channel": None, "slack_api_url": "http://x/", "webhook_url": None}
    with pytest.raises(ConfigurationError, match=words) as caught:
        configured_channels(**(nothing | setting))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (["7"], 7.0),
        ("Wed, 02 Jan 2030 03:05:00 GMT", 60.0),
        ("Tue, 01 Jan 2030 00:00:00 GMT", 0.0),
        ("99999999", 86_400.0),
        ("soon", None),
        ("", None),
        (None, None),
        ("-5", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value, seconds):
    """Both forms of the header are read, a wait is at most a day, and anything else says nothing."""
    assert retry_after_seconds(value, NOW) == seconds
