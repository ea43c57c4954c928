"""Links of alerts: kept as paths, opened under the address that the UI was last served on."""

from __future__ import annotations

import datetime as dt
import json
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.ops.alert_delivery import deliver
from quant_assets.ops.alerts import raise_alerts
from quant_assets.ops.ports import Alert, AlertDetails, AlertMessage
from quant_assets.ops.replay_home import begin_replayed_session
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.ui_links import asset_link, checked_address, opened_details, remember_ui, run_link, served_address
from resources.alerts.slack_blocks import message_blocks
from tests.ops.test_alerts_outbox import Notebook

NOW = dt.datetime(2030, 1, 2, tzinfo=dt.UTC)


@pytest.fixture
def store(tmp_path):
    return OperationsStore(tmp_path / "operations.sqlite")


def test_links_are_paths_of_the_ui():
    """A run and an asset have a page each; without a run there is no link."""
    assert run_link("abc") == "/runs/abc"
    assert run_link("") == ""
    assert asset_link("signals.drift_reports") == "/assets/signals/drift_reports"


def test_link_follows_the_ui_that_was_served_last(store):
    """An alert raised before the UI moved leads to where it is served when people are told."""
    details = AlertDetails(symbol="IBM", link=run_link("abc"))
    raise_alerts(store, [Alert("a", "anomaly", "HIGH", "s", "b", NOW, details)])
    for address in ("http://127.0.0.1:3000", "https://quant.example.org/ui"):
        remember_ui(store, address)
    channel = Notebook()
    deliver(store, [channel])
    (told,) = channel.messages[0].alerts
    assert (told.details.symbol, told.details.link) == ("IBM", "https://quant.example.org/ui/runs/abc")
    assert told.details.link_hint == ""


def test_link_without_any_ui_says_how_to_open_it(store):
    """Where none ever ran the default address is named with the command; a replay's home names itself."""
    opened = opened_details(store, AlertDetails(link="/runs/abc"))
    assert (opened.link, opened.link_hint) == ("http://127.0.0.1:3000/runs/abc", "Where it does not open: make ui")
    begin_replayed_session(store, dt.date(2008, 11, 14))
    hint = opened_details(store, AlertDetails(link="/runs/abc")).link_hint
    assert hint == f"Where it does not open: QUANT_HOME={store.path.parent} quant ui"
    assert opened_details(store, AlertDetails()) == AlertDetails()


def test_slack_shows_the_link_and_the_hint():
    """A message has one link, with the hint behind it; a digest has one where its alerts share it."""
    details = AlertDetails(link="http://127.0.0.1:3000/runs/abc", link_hint="Where it does not open: make ui")
    alerts = [Alert(str(n), "anomaly", "HIGH", "s", "b", NOW, details) for n in range(2)]
    shown = "<http://127.0.0.1:3000/runs/abc|Look at it> Where it does not open: make ui"
    for message in (AlertMessage((alerts[0],)), AlertMessage(tuple(alerts))):
        assert shown in json.dumps(message_blocks(message))
    other = Alert("o", "anomaly", "HIGH", "s", "b", NOW, AlertDetails(link="http://127.0.0.1:3000/runs/other"))
    assert "Look at it" not in json.dumps(message_blocks(AlertMessage((alerts[0], other))))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:3001"),
        ("quant.local", "http://quant.local:3001"),
        ("0.0.0.0", f"http://{socket.gethostname()}:3001"),  # noqa: S104 - not bound to
        ("::1", "http://[::1]:3001"),
    ],
)
def test_address_is_where_the_ui_listens(host, expected):
    """Every address of the machine is given by its name, since nobody can open 0.0.0.0."""
    assert served_address(host, 3001) == expected


@pytest.mark.parametrize(
    "text", ["https://quant.example.org", "http://10.0.0.5:3000", "https://[fd00::1]:8443", "https://h/dagster/ui"]
)
def test_public_address_is_taken_as_it_is(text):
    """A plain web address is kept, without spaces around it and a slash at its end."""
    assert checked_address(f" {text}/ ") == text


@pytest.mark.parametrize(
    "text",
    [
        "", "quant.example.org", "ftp://h", "https://", "https://user:secret@h", "https://h?x=1", "https://h#x",
        "https://h/<b>", "https://h|x", "https://h:0", "https://h:123456", "javascript:alert(1)", "https://h/a b",
    ],
)  # fmt: skip
def test_what_is_no_public_address_is_one_sentence(text):
    """Anything that Slack could take for markup, or that holds a secret, is refused."""
    with pytest.raises(ConfigurationError, match=r"https://quant\.example\.org"):
        checked_address(text)


@given(st.text(max_size=60))
def test_no_accepted_address_breaks_out_of_a_link(text):
    """Whatever is accepted has no character that ends or splits a link in Slack."""
    try:
        address = checked_address(text)
    except ConfigurationError:
        return
    assert not set(address) & set("<>|\\ \n\t\"'")
