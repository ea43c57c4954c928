"""``quant alerts`` as a person uses it."""

from __future__ import annotations

import datetime as dt

import pytest

from quant_assets.commands.alerts import list_alerts, send_test_alert
from quant_assets.foundation.errors import ConfigurationError
from quant_assets.ops.replay_home import begin_replayed_session
from quant_assets.ops.store import OperationsStore
from quant_assets.settings import Settings
from tests.support.slack_receiver import TOKEN, SlackReceiver, refused


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """An empty home with Slack set to a local receiver."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("QUANT_HOME", str(tmp_path / "home"))
    with SlackReceiver() as receiver:
        monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
        monkeypatch.setenv("SLACK_CHANNEL", "#alerts")
        monkeypatch.setenv("SLACK_API_URL", receiver.api_url)
        yield receiver


def test_test_alert_arrives_and_is_listed(configured, capsys):
    """The test alert reaches Slack, and the list shows it as delivered."""
    assert send_test_alert()
    assert [sent["text"] for sent in configured.accepted] == ["[LOW] Test of quant alerts"]
    assert "<http://127.0.0.1:3000/runs|Look at it> Where it does not open: make ui" in str(configured.accepted[0])
    list_alerts(limit=10, is_pending_only=False)
    printed = capsys.readouterr().out
    assert "delivered (1 alerts)" in printed
    assert "Test of quant alerts" in printed
    assert "not yet" not in printed


def test_refused_test_says_why_and_stays_pending(configured, capsys):
    """A refusal is printed with what to set, without the token, and the alert stays in the list of pending ones."""
    configured.replies.append(refused("channel_not_found"))
    assert not send_test_alert()
    list_alerts(limit=10, is_pending_only=True)
    printed = capsys.readouterr().out
    assert "set SLACK_CHANNEL right" in printed
    assert "not yet" in printed
    assert TOKEN not in printed


def test_list_shows_the_mark_of_a_replay(configured, capsys, tmp_path):
    """In a replay's home the subject is listed with its session, brackets and all."""
    send_test_alert()
    begin_replayed_session(OperationsStore(tmp_path / "home" / "operations.sqlite"), dt.date(2008, 11, 14))
    assert send_test_alert()
    list_alerts(limit=10, is_pending_only=False)
    printed = capsys.readouterr().out
    assert printed.count("[replay 2008-11-14] Test of quant alerts") == 1
    assert printed.count("Test of quant alerts") == 2
    assert [sent["text"] for sent in configured.accepted][1] == "[LOW] [replay 2008-11-14] Test of quant alerts"


def test_nothing_configured_is_wrong_usage(configured, monkeypatch):
    """Without any channel the test says which variables to set."""
    for name in ("SLACK_BOT_TOKEN", "SLACK_CHANNEL"):
        monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError, match="ALERT_WEBHOOK_URL"):
        send_test_alert()


def test_empty_list_says_so(configured, capsys):
    """A home without alerts prints a sentence instead of an empty table."""
    list_alerts(limit=10, is_pending_only=False)
    assert "No alert has been raised" in capsys.readouterr().out


def test_alert_that_one_of_two_channels_was_told_is_pending_on_the_other(configured, monkeypatch, capsys):
    """With Slack failing and the webhook fine, the list of pending alerts names Slack and why."""
    monkeypatch.setenv("ALERT_WEBHOOK_URL", configured.webhook_url)
    configured.replies.append(refused("channel_not_found"))
    assert not send_test_alert()
    capsys.readouterr()
    list_alerts(limit=1, is_pending_only=True)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Test of quant alerts" in line]
    assert "slack" in line.split("Test of quant alerts")[1]
    assert "webhook" not in line
    assert "set SLACK_CHANNEL right" in line
    assert send_test_alert()
    capsys.readouterr()
    list_alerts(limit=10, is_pending_only=True)
    assert "Every alert is delivered." in capsys.readouterr().out
