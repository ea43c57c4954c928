"""``quant api``: who may reach it, and starting and stopping it as a process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from quant_assets.commands.api import api_options, start_api
from quant_assets.foundation.errors import ConfigurationError
from quant_assets.settings import Settings


def test_other_machines_need_a_token():
    """An address that others can reach is refused without a token, and served with one."""
    for host in ("0.0.0.0", "192.168.1.5", "::", "example.org"):  # noqa: S104 - what is refused
        with pytest.raises(ConfigurationError, match="QUANT_API_TOKENS"):
            api_options(host, None, requests_per_second=1)
        assert api_options(host, "one, two", requests_per_second=1).tokens == ("one", "two")


def test_on_this_machine_only_its_own_names_are_served():
    """Without a token the API answers to this machine's names alone; with one a proxy may use any name."""
    for host in ("127.0.0.1", "localhost", "::1"):
        assert "localhost" in api_options(host, " , ", requests_per_second=1).hosts
    assert api_options("127.0.0.1", "token", requests_per_second=1).hosts == ()


def test_token_that_no_header_can_carry_is_refused():
    """A token with a line break or a letter outside ASCII could never match."""
    for token in ("two\nlines", "gehört"):
        with pytest.raises(ConfigurationError, match="QUANT_API_TOKENS"):
            api_options("127.0.0.1", token, requests_per_second=1)


def test_taken_port_is_one_sentence(tmp_path, monkeypatch):
    """A port in use ends in one sentence with the way out."""
    monkeypatch.setenv("QUANT_HOME", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match="choose another with 'quant api --port"):
            start_api(host="127.0.0.1", port=port, is_logging=False, requests_per_second=1)


def test_process_serves_logs_and_stops(published):
    """The command serves what was published, logs a line per request, and ends cleanly when it is told to stop."""
    script = (
        "from quant_assets.commands.api import start_api\n"
        "start_api(host='127.0.0.1', port=0, is_logging=True, requests_per_second=100)\n"
    )
    ours = {name.upper() for name in Settings.model_fields}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment |= {"QUANT_HOME": str(published), "QUANT_API_TOKENS": "the-token-of-the-test"}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    greeting = process.stdout.readline()
    url = greeting.split()[3]
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(transport=transport, base_url=url, timeout=60) as client:
        assert client.get("/api/v1/signals").status_code == 401
        answer = client.get("/api/v1/signals", headers={"Authorization": "Bearer the-token-of-the-test"})
        assert answer.status_code == 200
        assert "server" not in answer.headers
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    lines = [json.loads(line) for line in output.splitlines()]
    assert [line["status"] for line in lines] == [401, 200]
    assert "the-token-of-the-test" not in output + errors
    assert "Traceback" not in errors
