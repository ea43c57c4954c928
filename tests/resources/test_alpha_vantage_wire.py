"""One call over real sockets: bounded in time and size, and silent about the key."""

import logging
import socket
import time

import pytest

from quant_assets.foundation.errors import TransportError
from resources.alpha_vantage.wire import Timeouts, Wire, proxy_for
from tests.support.vendor_notices import KEY
from tests.support.vendor_server import Scripted, VendorServer

QUICK = Timeouts(connect=5.0, read=0.3, write=5.0, pool=5.0, total=0.6)
PATIENT = Timeouts(connect=10.0, read=10.0, write=10.0, pool=10.0, total=20.0)
PARAMETERS = {"function": "TIME_SERIES_DAILY", "symbol": "IBM"}


@pytest.fixture
def call():
    """Make one call of a scripted answer and return what came of it, closing everything."""

    def made(answer, timeouts=PATIENT, **arguments):
        with VendorServer([answer]) as server:
            wire = Wire(server.url, KEY, timeouts=timeouts)
            try:
                return wire.get(PARAMETERS, **arguments), server
            finally:
                wire.close()

    return made


def test_a_call_carries_the_parameters_and_the_key(call):
    """The key arrives at the server although the client's own URL never held it."""
    answer, server = call(Scripted(b"hello", status=203, content_type="text/plain"))
    assert (answer.status, answer.body, answer.headers["content-type"]) == (203, b"hello", "text/plain")
    assert server.calls == [PARAMETERS | {"apikey": KEY}]
    assert answer.latency_ms > 0


def test_a_call_without_the_key_carries_none(call):
    """The question who is there costs no quota."""
    _, server = call(Scripted(b"hello"), beside="clock")
    assert server.calls == [PARAMETERS]


@pytest.mark.parametrize(
    "answer",
    [
        Scripted(b"late", wait_s=0.6),
        Scripted(b"dripping " * 20, drip_s=0.05),
        Scripted(b"", is_dropped=True),
        Scripted(b"half of it", cut_at=4),
    ],
    ids=["slow", "dripping", "dropped", "truncated"],
)
def test_a_connection_that_fails_is_an_error_within_the_limits(call, answer):
    """Slow, dripping, dropped and truncated answers end in one error class and in bounded time."""
    started = time.monotonic()
    with pytest.raises(TransportError, match="asked again"):
        call(answer, timeouts=QUICK)
    assert time.monotonic() - started < 5.0


def test_a_server_that_is_not_there_is_an_error():
    """A refused connection names the reason, not the key."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    wire = Wire(f"http://127.0.0.1:{port}/query", KEY, timeouts=PATIENT)
    with pytest.raises(TransportError) as caught:
        wire.get(PARAMETERS)
    wire.close()
    assert KEY not in str(caught.value)


def test_a_body_that_ends_with_its_connection_is_read(call):
    """A server of the old kind sends no length; the end of the connection is the end."""
    answer, _ = call(Scripted(b"whole", has_length=False))
    assert answer.body == b"whole"


def test_a_redirect_is_not_followed():
    """The key goes to the configured address and nowhere else."""
    with (
        VendorServer([Scripted(b"elsewhere")]) as other,
        VendorServer([Scripted(b"", status=302)], headers={"Location": other.url}) as server,
    ):
        wire = Wire(server.url, KEY, timeouts=PATIENT)
        assert wire.get(PARAMETERS).status == 302
        wire.close()
    assert (len(server.calls), other.calls, other.probes) == (1, [], 0)


def test_no_log_line_and_no_exception_holds_the_key(call, caplog):
    """With every logger at its most talkative, neither a good nor a failed call shows the key."""
    caplog.set_level(logging.DEBUG)
    call(Scripted(b"hello"))
    with pytest.raises(TransportError) as caught:
        call(Scripted(b"", is_dropped=True))
    texts = [record.getMessage() for record in caplog.records]
    assert any("function=TIME_SERIES_DAILY" in text for text in texts)
    link = caught.value
    while link is not None:
        texts += [repr(link), str(getattr(link, "_request", None) and link._request.url)]
        link = link.__cause__ or link.__context__
    assert not [text for text in texts if KEY in text]


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://www.alphavantage.co/query", "http://proxy.example:3128"),
        ("https://inside.example/query", None),
        ("http://127.0.0.1:8000/query", None),
        ("http://localhost:8000/query", None),
        ("http://[::1]:8000/query", None),
    ],
)
def test_a_proxy_of_the_environment_is_used_but_never_for_this_machine(url, proxy, monkeypatch):
    """Behind a company's proxy the vendor is reached through it, and the embedded server is not."""
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert proxy_for(url) == proxy


def test_connections_are_kept():
    """Calls one after the other use one connection, so that each costs one round trip."""
    with VendorServer([Scripted(b"hello")]) as server:
        wire = Wire(server.url, KEY, timeouts=PATIENT)
        for _ in range(3):
            wire.get(PARAMETERS)
        wire.close()
    assert (len(server.calls), len(server.connections)) == (3, 1)
