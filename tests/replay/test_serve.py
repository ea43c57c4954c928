"""A replay run by hand."""

import signal
import subprocess
import sys
import threading

import httpx
import pytest

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.replay.serve import ServeOptions, open_history, serve
from tests.support.replay import call

SCRIPT = """
from quant_assets.replay.serve import ServeOptions, serve
serve(ServeOptions(port=0), announce=lambda server: print(server.url, flush=True))
"""


def test_options_choose_the_history():
    """Packaged by default; synthetic with its own sizes; nothing else."""
    assert open_history(ServeOptions()).identity == "packaged"
    synthetic = open_history(ServeOptions(history="synthetic", symbols=3, years=1, seed=5))
    assert synthetic.identity == "synthetic-5"
    assert synthetic.symbols() == ("MKT", "SYM000", "SYM001", "SYM002")
    with pytest.raises(ConfigurationError, match="choose packaged or synthetic"):
        open_history(ServeOptions(history="yahoo"))


def test_serving_announces_itself_and_ends_when_told():
    """Today and plan are those of the options."""
    seen, stop = [], threading.Event()

    def announce(server):
        seen.append(call(server, "TIME_SERIES_DAILY_ADJUSTED", symbol="IBM").text)
        seen.append(server.now().date())
        stop.set()

    options = ServeOptions(plan="free", today=open_history(ServeOptions()).bars("IBM").item(-3, "date"), port=0)
    serve(options, announce=announce, stop=stop)
    assert "premium endpoint" in seen[0]
    assert f"{seen[1]}" == "2013-02-28"


def test_a_signal_ends_serving_cleanly():
    """SIGTERM to a process of its own: exit code 0, nothing on stderr, the port free."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    url = process.stdout.readline().strip()
    query = {"function": "SPLITS", "symbol": "AAPL", "apikey": "x"}
    assert httpx.get(url, params=query).json()["symbol"] == "AAPL"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, params=query)
