"""A local server that speaks Slack's ``chat.postMessage`` and takes webhooks, and can be told to misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

TOKEN = "xoxb-made-up-for-tests"


@dataclass(frozen=True)
class Reply:
    """One answer: HTTP status, JSON body, headers, and how long it is held back."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0


OK = Reply(body={"ok": True, "ts": "1.0"})


def refused(error: str, status: int = 200, **headers: str) -> Reply:
    """Slack's way of saying no."""
    return Reply(
        status, {"ok": False, "error": error}, {name.replace("_", "-"): value for name, value in headers.items()}
    )


class SlackReceiver:
    """Takes messages; ``replies`` are given in order, then every request is accepted.

    ``accepted`` holds the messages that were confirmed, ``requests`` every request with its headers.
    """

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self.accepted: list[dict[str, Any]] = []
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._answer(self)

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def api_url(self) -> str:
        """What SLACK_API_URL is set to."""
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    @property
    def webhook_url(self) -> str:
        """What ALERT_WEBHOOK_URL is set to; it holds a secret."""
        return f"http://127.0.0.1:{self._server.server_port}/hook/secret-part"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        raw = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        is_json = "json" in request.headers.get("Content-Type", "")
        sent = json.loads(raw) if is_json else {k: v[0] for k, v in parse_qs(raw.decode()).items()}
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.path, headers, sent))
        reply = self.replies.popleft() if self.replies else OK
        if request.path.startswith("/api/") and headers.get("authorization") != f"Bearer {TOKEN}":
            reply = refused("invalid_auth")
        time.sleep(reply.delay_seconds)
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        accepted = reply.status == 200 and (not isinstance(reply.body, dict) or reply.body.get("ok", True))
        try:
            # Noted before the last byte is sent: whoever reads the answer finds it noted.
            if accepted:
                self.accepted.append(sent)
            request.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                request.send_header(name, value)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)
        except OSError:  # the client gave up waiting
            if accepted:
                self.accepted.remove(sent)
