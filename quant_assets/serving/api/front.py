"""What stands before the routes: limits, tokens, ready answers, conditional requests, the access log.

An ASGI application around another one. Answers of one publication are kept as bytes and sent again without running
anything; that is ten times faster than the quickest query.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

from quant_assets.serving.api.access import RateLimiter, TokenGate
from quant_assets.serving.api.access_log import AccessLine
from quant_assets.serving.api.encoding import json_bytes
from quant_assets.serving.api.exchange import header, host_name, is_unchanged, preferred_type, safe_query
from quant_assets.serving.api.options import ApiOptions
from quant_assets.serving.api.problems import MEDIA_TYPE, Problem
from quant_assets.serving.api.publications import Publications
from quant_assets.serving.api.ready_answers import Answer, Asked, ReadyAnswers
from quant_assets.serving.api.snapshot import Reading, Snapshot

__all__ = ["FORECAST_TYPES", "VISIT", "Front", "Visit", "problem_answer"]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

VISIT = "quant.visit"
"""Key of the request's :class:`Visit` in the ASGI scope."""
FORECAST_TYPES = ("application/json", "image/svg+xml")
_FORECAST_PATH = b"/api/v1/portfolio/forecast/"
_API_PATH = "/api/v1/"
_HEALTH_PATH = "/api/v1/health"
_OPEN_PATHS = (_HEALTH_PATH, "/docs", "/openapi.json")
_MADE_READY, _MADE_READY_SECONDS = 1_000, 10.0
"""Answers made ready from a new publication before it is served, and for how long at most; a third of a core."""
_LOG = logging.getLogger("quant.api")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request's view: the publication in use when it came, its reads, the media type it prefers."""

    snapshot: Snapshot | None
    reading: Reading | None
    media_type: str
    failure: str | None


def problem_answer(problem: Problem, path: str, snapshot: Snapshot | None) -> Answer:
    """A problem as a whole response, with what every answer carries."""
    facts = snapshot.publication.facts() if snapshot is not None else {}
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"cache-control", b"no-store"),
        *((name.lower().encode(), value.encode("latin-1", "replace")) for name, value in problem.headers.items()),
    ]
    return Answer(problem.status, headers, json_bytes(problem.document(path, facts)))


class Front:
    """The outermost application.

    Parameters
    ----------
    application : callable
        The routes.
    publications : Publications
    options : ApiOptions
    known_parameters : frozenset of str
        Query parameters of the API; values of others are not logged.
    release : str
        Version of this code, part of entity tags: an upgrade may change an answer of the same publication.
    log : callable, optional
        Takes the fields of each request's line.
    """

    def __init__(
        self,
        application: Application,
        *,
        publications: Publications,
        options: ApiOptions,
        known_parameters: frozenset[str],
        release: str,
        log: AccessLine | None,
    ) -> None:
        self._application = application
        self._publications = publications
        self._options = options
        self._known = known_parameters
        self._release = release
        self._log = log
        self._gate = TokenGate(options.tokens)
        self._limiter = RateLimiter(options.requests_per_second, options.burst)
        self._ready = ReadyAnswers(options.cache_bytes)
        self._ready_publication = ""
        self._in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; hand the server's start and stop to the routes."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        begun = time.perf_counter()
        snapshot = self._publications.current
        try:
            self._admit(scope)
            answer, is_ready = await self._answer(scope, receive, snapshot)
        except Problem as problem:
            answer, is_ready = problem_answer(problem, scope["path"], snapshot), False
        except Exception:  # noqa: BLE001 - the border: a fault of ours still ends in an answer and a line
            mark = uuid.uuid4().hex[:8]
            _LOG.exception("request %s failed", mark)
            detail = f"The server failed; its log has the reason under {mark}. Nothing was changed."
            answer, is_ready = problem_answer(Problem(500, "failed", detail), scope["path"], snapshot), False
        await _send(answer, scope["method"], send)
        if self._log is not None:
            self._log(self._line(scope, answer, is_ready=is_ready, seconds=time.perf_counter() - begun))

    def _admit(self, scope: Scope) -> None:
        """Refuse what is too large, from the wrong place, too often, or without a token."""
        options, headers, path = self._options, scope["headers"], scope["path"]
        if len(scope["raw_path"]) + len(scope["query_string"]) > options.target_bytes:
            raise Problem(414, "too-long", f"The URL is longer than {options.target_bytes} bytes; shorten it.")
        if header(headers, b"transfer-encoding") or (header(headers, b"content-length") or b"0") != b"0":
            raise Problem(413, "no-body", "The API only reads; send no body.", headers={"Connection": "close"})
        if options.hosts and host_name(header(headers, b"host")) not in options.hosts:
            raise Problem(421, "other-host", f"Ask for one of these hosts: {', '.join(options.hosts)}.")
        # Before the token, so that guessing one is limited too.
        client = scope["client"][0] if scope.get("client") else "local"
        if wait := self._limiter.wait_seconds(client, time.monotonic()):
            raise Problem(
                429,
                "too-fast",
                f"More than {options.requests_per_second:g} requests a second; wait {wait} s.",
                headers={"Retry-After": str(wait)},
            )
        authorization = header(headers, b"authorization")
        is_open = path in _OPEN_PATHS or path.startswith("/docs/")
        if not is_open and not self._gate.admits(authorization):
            raise Problem(
                401,
                "no-token",
                "Send one of the tokens of QUANT_API_TOKENS as 'Authorization: Bearer <token>'.",
                headers={"WWW-Authenticate": 'Bearer realm="quant"'},
            )

    async def _answer(self, scope: Scope, receive: Receive, snapshot: Snapshot | None) -> tuple[Answer, bool]:
        raw_path, path = scope["raw_path"], scope["path"]
        media = FORECAST_TYPES[0]
        if raw_path.startswith(_FORECAST_PATH):
            media = preferred_type(header(scope["headers"], b"accept"), FORECAST_TYPES)
        is_read = scope["method"] in {"GET", "HEAD"}
        # The page says why a newer publication is not shown, which comes and goes while the publication stays.
        is_page_settled = path != "/" or self._publications.failure is None
        is_published = is_read and path != _HEALTH_PATH and (path.startswith(_API_PATH) or path == "/")
        if snapshot is None or not is_published or not is_page_settled:
            return await self._run(scope, receive, snapshot, media), False
        asked = (raw_path, scope["query_string"], media.encode())
        is_newest = snapshot.publication.name == self._ready_publication
        answer = self._ready.get(asked) if is_newest else None
        is_ready = answer is not None
        if answer is None:
            answer = await self._run(scope, receive, snapshot, media)
            if answer.status != 200 or (path == "/" and self._publications.failure is not None):
                return answer, False
            answer = self._tagged(answer, snapshot, asked)
            if snapshot.publication.name == self._ready_publication:
                self._ready.put(asked, answer)
        etag = header(answer.headers, b"etag") or b""
        if is_unchanged(header(scope["headers"], b"if-none-match"), etag):
            kept = [pair for pair in answer.headers if pair[0] not in {b"content-type", b"content-length"}]
            return Answer(304, kept, b""), is_ready
        return answer, is_ready

    async def serve(self, snapshot: Snapshot) -> None:
        """Go over to a publication, once what was asked lately is ready from it."""
        begun = time.monotonic()
        ready = ReadyAnswers(self._options.cache_bytes)
        for asked in reversed(self._ready.last_asked(_MADE_READY)):
            if time.monotonic() - begun > _MADE_READY_SECONDS:
                break
            worked = time.monotonic()
            try:
                answer = await self._run(_scope_of(asked), _nothing, snapshot, asked[2].decode())
            except Exception as error:  # noqa: BLE001 - whoever asks for it again is told; the publication is served
                _LOG.info("%s is not ready from %s: %s", asked[0].decode(), snapshot.publication.name, error)
                continue
            if answer.status == 200:
                ready.put(asked, self._tagged(answer, snapshot, asked))
            await asyncio.sleep(2 * (time.monotonic() - worked))
        self._ready, self._ready_publication = ready, snapshot.publication.name
        self._publications.take(snapshot)

    def _tagged(self, answer: Answer, snapshot: Snapshot, asked: Asked) -> Answer:
        """Add what lets a client keep the answer until the next publication."""
        publication = snapshot.publication
        scope = b"public" if self._gate.is_open else b"private"
        headers = [
            *answer.headers,
            (b"etag", f'"{publication.name}-{self._release}-{asked[2].partition(b"/")[2].decode()}"'.encode()),
            (b"cache-control", scope + b", no-cache"),
            (b"last-modified", format_datetime(publication.published_at, usegmt=True).encode()),
        ]
        if asked[0].startswith(_FORECAST_PATH):
            headers.append((b"vary", b"accept"))
        return Answer(answer.status, headers, answer.body)

    async def _run(self, scope: Scope, receive: Receive, snapshot: Snapshot | None, media: str) -> Answer:
        """Run the routes, within the limits of requests and of time."""
        if self._in_work >= self._options.concurrent_requests:
            detail = "Too many requests are in work; come back in a second."
            raise Problem(503, "busy", detail, headers={"Retry-After": "1"})
        self._in_work += 1
        try:
            if snapshot is None:
                return await self._collect(scope, receive, Visit(None, None, media, self._publications.failure))
            with snapshot.reading() as reading:
                timer = asyncio.get_running_loop().call_later(self._options.query_seconds, reading.interrupt)
                try:
                    visit = Visit(snapshot, reading, media, self._publications.failure)
                    return await self._collect(scope, receive, visit)
                finally:
                    timer.cancel()
        finally:
            self._in_work -= 1

    async def _collect(self, scope: Scope, receive: Receive, visit: Visit) -> Answer:
        status, headers, parts = 500, [], list[bytes]()

        async def take(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        await self._application({**scope, "method": method, VISIT: visit}, receive, take)
        return Answer(status, headers, b"".join(parts))

    def _line(self, scope: Scope, answer: Answer, *, is_ready: bool, seconds: float) -> dict[str, object]:
        snapshot = self._publications.current
        return {
            "client": scope["client"][0] if scope.get("client") else None,
            "method": scope["method"],
            "path": scope["path"],
            "query": safe_query(scope["query_string"], self._known),
            "status": answer.status,
            "bytes": len(answer.body),
            "ms": round(seconds * 1e3, 2),
            "ready": is_ready,
            "publication": snapshot.publication.name if snapshot else None,
        }


def _scope_of(asked: Asked) -> Scope:
    """An ASGI scope that asks what was asked before."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(asked[0].decode("ascii")),
        "raw_path": asked[0],
        "query_string": asked[1],
        "root_path": "",
        "headers": [],
    }


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(answer: Answer, method: str, send: Send) -> None:
    headers = [(name, value) for name, value in answer.headers if name != b"content-length"]
    headers.append((b"x-content-type-options", b"nosniff"))
    if answer.status != 304:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if method == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})
