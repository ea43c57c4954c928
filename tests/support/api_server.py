"""A real server in a thread, for tests over HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from quant_assets.foundation.home import Home
from quant_assets.serving.api.access_log import AccessLine
from quant_assets.serving.api.application import create_application
from quant_assets.serving.api.options import ApiOptions


@contextmanager
def api_server(folder: Path, options: ApiOptions, log: AccessLine | None = None) -> Iterator[str]:
    """Serve the home ``folder``; yields the server's URL."""
    application = create_application(Home(folder), options, log=log)
    configuration = uvicorn.Config(
        application, host="127.0.0.1", port=0, log_level="critical", access_log=False, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(configuration)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
