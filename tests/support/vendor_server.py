"""A real HTTP server on loopback that answers what a test tells it to, well or badly."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

__all__ = ["Scripted", "VendorServer", "bars_csv", "bars_json", "notice"]

Parameters = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Scripted:
    """One answer of the server and how it is sent.

    ``wait_s`` passes before anything is sent, ``drip_s`` after each byte of the body; ``is_dropped`` closes the
    connection without a word; ``cut_at`` announces the whole length and closes after so many bytes;
    ``has_length=False`` lets the end of the connection be the end of the body.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    wait_s: float = 0.0
    drip_s: float = 0.0
    is_dropped: bool = False
    cut_at: int | None = None
    has_length: bool = True


def notice(text: str, key: str = "Information", **others: Any) -> bytes:
    """The vendor's way to say that something is wrong."""
    return json.dumps({key: text, **others}, indent=4).encode()


def bars_csv(rows: Iterable[tuple[object, ...]], *, is_adjusted: bool = False, newline: str = "\r\n") -> bytes:
    """A time series as CSV, newest row first as given."""
    header = "timestamp,open,high,low,close,volume"
    if is_adjusted:
        header = "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient"
    return "".join(f"{line}{newline}" for line in [header, *(",".join(map(str, row)) for row in rows)]).encode()


def bars_json(
    symbol: str, rows: Iterable[tuple[object, ...]], *, is_adjusted: bool = False, refreshed: str = "2024-01-05"
) -> bytes:
    """The same time series as JSON with the vendor's numbered labels."""
    labels = ["1. open", "2. high", "3. low", "4. close", "5. volume"]
    if is_adjusted:
        labels[4:] = ["5. adjusted close", "6. volume", "7. dividend amount", "8. split coefficient"]
    meta = {
        "1. Information": "Daily Prices (open, high, low, close) and Volumes",
        "2. Symbol": symbol,
        "3. Last Refreshed": refreshed,
        "4. Output Size": "Compact",
        "5. Time Zone": "US/Eastern",
    }
    series = {str(row[0]): dict(zip(labels, map(str, row[1:]), strict=True)) for row in rows}
    return json.dumps({"Meta Data": meta, "Time Series (Daily)": series}, indent=4).encode()


class VendorServer:
    """Answers each call with the next scripted answer; the last one is repeated.

    Parameters
    ----------
    answers
        Answers in order, or one function of the query parameters.
    headers
        Sent with every response, such as those of a replay.
    probe
        Answer to a request that names no function.
    before_answer
        Called in the thread of each call before it is answered.

    Attributes
    ----------
    calls
        Parameters of every call that named a function, in order of arrival.
    probes
        Requests that did not.
    connections
        Addresses from which they came.
    """

    def __init__(
        self,
        answers: Iterable[Scripted] | Callable[[Parameters], Scripted],
        headers: Mapping[str, str] | None = None,
        *,
        probe: Scripted | None = None,
        before_answer: Callable[[], object] | None = None,
    ) -> None:
        self.calls: list[dict[str, str]] = []
        self.probes = 0
        self.connections: set[object] = set()
        self.headers = dict(headers or {})
        self._probe = probe or Scripted(notice("the parameter apikey is invalid or missing.", "Error Message"))
        self._before_answer = before_answer
        self._answers = answers if callable(answers) else deque(answers)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/query"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_answer(self, parameters: dict[str, str]) -> Scripted:
        """Record a request and say what answers it."""
        if self._before_answer is not None and "function" in parameters:
            self._before_answer()
        with self._lock:
            if "function" not in parameters:
                self.probes += 1
                return self._probe
            self.calls.append(parameters)
            if callable(self._answers):
                return self._answers(parameters)
            return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Without this the body waits for the acknowledgement of the headers, 40 ms a call.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                vendor.connections.add(self.client_address)
                answer = vendor.next_answer(dict(parse_qsl(urlsplit(self.path).query)))
                time.sleep(answer.wait_s)
                self.close_connection = answer.is_dropped or answer.cut_at is not None or not answer.has_length
                if not answer.is_dropped:
                    self._send(answer)

            def _send(self, answer: Scripted) -> None:
                try:
                    self.send_response(answer.status)
                    self.send_header("Content-Type", answer.content_type)
                    for name, value in vendor.headers.items():
                        self.send_header(name, value)
                    if answer.has_length:
                        self.send_header("Content-Length", str(len(answer.body)))
                    self.end_headers()
                    step = 1 if answer.drip_s else len(answer.body) or 1
                    for start in range(0, len(answer.body), step):
                        self.wfile.write(answer.body[: answer.cut_at][start : start + step])
                        time.sleep(answer.drip_s)
                except OSError:
                    self.close_connection = True  # the client had enough

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                pass

        return Handler
