"""The ASGI application of the replay server: the key, the plan, faults, the answer, the request log.

``GET /query`` is the vendor's endpoint. ``GET /clock`` tells the clock and ``PUT /clock?today=YYYY-MM-DD`` moves it;
they are ours, for a replay run by hand, and cost no quota. Every response names the source and the clock in headers.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from quant_assets.replay.answers import ADJUSTED, CSV_TYPE, DAILY, JSON_TYPE, Answer, Answers, Call
from quant_assets.replay.clock import ReplayClock
from quant_assets.replay.faults import Fault, Faults, Transport
from quant_assets.replay.notices import Notice
from quant_assets.replay.plans import CallLimiter, Plan
from quant_assets.replay.rendering import vendor_json

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope

__all__ = ["CLOCK_HEADER", "SOURCE_HEADER", "LoggedRequest", "ReplayApplication"]

SOURCE_HEADER = "X-Replay-Source"
CLOCK_HEADER = "X-Replay-Clock"

_DEMO_SYMBOL = "IBM"
_HTML_TYPE = "text/html"
_GARBAGE = bytes(range(128, 256)) * 16
_PIECES = 10
"""Pieces of a dribbled body."""


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One call as received; never holds the key.

    ``received_at`` is the wall clock and ``clock_at`` the replay's, both in UTC; ``outcome`` is ``data``, the notice
    that refused the call, or the fault that struck it.
    """

    function: str
    symbol: str
    outputsize: str
    datatype: str
    received_at: dt.datetime
    clock_at: dt.datetime
    outcome: str


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One HTTP exchange: what ASGI hands over."""

    scope: HTTPScope
    receive: ASGIReceiveCallable
    send: ASGISendCallable
    headers: list[tuple[bytes, bytes]]

    async def respond(self, answer: Answer, *, status: int = 200, length: int | None = None) -> None:
        """Send a whole response, or with a ``length`` beyond the body the start of one."""
        size = len(answer.body) if length is None else length
        headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", b"%d" % size),
            *self.headers,
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
        more = size > len(answer.body)
        await self.send({"type": "http.response.body", "body": answer.body, "more_body": more})

    async def disconnect(self, *, reset: bool) -> None:
        """Close the connection: at once, or after what is written has left."""
        transport: Any = self.scope["state"]["transport"]
        if reset:
            transport.abort()
        else:
            transport.close()
        while (await self.receive())["type"] != "http.disconnect":
            pass


class ReplayApplication:
    """Answers HTTP as the vendor does, from a history as of a clock.

    Parameters
    ----------
    answers : Answers
    identity : str
        Name of the history, sent with every response.
    plan : Plan
    clock : ReplayClock
    faults : Faults
    """

    def __init__(self, answers: Answers, *, identity: str, plan: Plan, clock: ReplayClock, faults: Faults) -> None:
        self.requests: list[LoggedRequest] = []
        self._answers = answers
        self._identity = identity.encode()
        self._plan = plan
        self._clock = clock
        self._faults = faults
        self._limiter = CallLimiter(plan)

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer one HTTP exchange."""
        headers = [
            (SOURCE_HEADER.encode(), self._identity),
            (CLOCK_HEADER.encode(), self._clock.now().isoformat().encode()),
        ]
        exchange = _Exchange(scope, receive, send, headers)
        parameters = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        if scope["path"] == "/query" and scope["method"] == "GET":
            await self._query(exchange, parameters)
        elif scope["path"] == "/clock" and scope["method"] in ("GET", "PUT"):
            await self._clock_call(exchange, parameters)
        else:
            await exchange.respond(Answer(b"Not Found", "text/plain"), status=404)

    async def _query(self, exchange: _Exchange, parameters: dict[str, str]) -> None:
        call = Call(
            function=parameters.get("function", ""),
            symbol=parameters.get("symbol", "").upper(),
            outputsize=parameters.get("outputsize", "compact"),
            datatype=parameters.get("datatype", "json"),
            keywords=parameters.get("keywords", ""),
            state=parameters.get("state", "active"),
        )
        refusal = self._refusal(call, parameters.get("apikey", ""))
        fault = None if refusal else self._faults.strike(call.symbol, call.function)
        if fault is not None and isinstance(fault.kind, Transport):
            self._log(call, str(fault.kind))
            await self._break(exchange, call, fault)
            return
        if fault is not None and isinstance(fault.kind, Notice):
            answer = self._notice(fault.kind, call, parameters.get("apikey", ""))
        else:
            answer = refusal or self._answers.answer(call)
        self._log(call, answer.outcome)
        await exchange.respond(answer)

    def _refusal(self, call: Call, key: str) -> Answer | None:
        """Why the call is not answered: its key, its plan's limits, its plan's functions; None where it may be."""
        if not key:
            return self._notice(Notice.KEY_MISSING, call, key)
        if key == "demo" and call.symbol != _DEMO_SYMBOL:
            return self._notice(Notice.DEMO_KEY, call, key)
        key_hash = hashlib.sha256(key.encode()).hexdigest()
        # A day is the replay's: moving the clock to the next night brings the next day's calls.
        limit = self._limiter.refuse(key_hash, self._clock.local.date())
        if limit is not None:
            return self._notice(limit, call, key)
        if not self._plan.is_premium and call.function == ADJUSTED:
            return self._notice(Notice.PREMIUM_FUNCTION, call, key)
        if not self._plan.is_premium and call.function == DAILY and call.outputsize == "full":
            return self._notice(Notice.PREMIUM_PARAMETER, call, key)
        return None

    def _notice(self, notice: Notice, call: Call, key: str) -> Answer:
        cap = self._plan.calls_per_minute or 75
        return self._answers.refuse(notice, call, key=key, calls_per_minute=cap)

    def _log(self, call: Call, outcome: str) -> None:
        now = dt.datetime.now(dt.UTC)
        self.requests.append(
            LoggedRequest(call.function, call.symbol, call.outputsize, call.datatype, now, self._clock.now(), outcome)
        )

    async def _break(self, exchange: _Exchange, call: Call, fault: Fault) -> None:
        kind = fault.kind
        if kind is Transport.DROPPED:
            await exchange.disconnect(reset=True)
        elif kind is Transport.TRUNCATED:
            answer = self._answers.answer(call)
            half = Answer(answer.body[: len(answer.body) // 2], answer.content_type)
            await exchange.respond(half, length=len(answer.body))
            await exchange.disconnect(reset=False)
        elif kind is Transport.TRICKLE:
            await _trickle(exchange, self._answers.answer(call), fault.seconds)
        elif kind is Transport.SLOW:
            await asyncio.sleep(fault.seconds)
            await exchange.respond(self._answers.answer(call))
        else:
            status = fault.status if kind is Transport.HTTP_STATUS else 200
            await exchange.respond(self._wrong(call, kind, status), status=status)

    def _wrong(self, call: Call, kind: Notice | Transport, status: int) -> Answer:
        """A complete response with something wrong in it."""
        if kind is Transport.PARTIAL_BAR:
            return self._answers.with_partial_bar(call)
        if kind is Transport.EMPTY_SERIES:
            return self._answers.empty_series(call)
        if kind is Transport.GARBAGE:
            return Answer(_GARBAGE, CSV_TYPE if call.is_csv else JSON_TYPE)
        if kind in (Transport.HTTP_STATUS, Transport.HTML_PAGE):
            page = f"<html><head><title>{status}</title></head><body><h1>We will be back soon</h1></body></html>"
            return Answer(page.encode(), _HTML_TYPE)
        right = self._answers.answer(call)
        if kind is Transport.CUT_SHORT:
            return Answer(right.body[: len(right.body) // 2], right.content_type)
        return Answer(right.body, _HTML_TYPE)

    async def _clock_call(self, exchange: _Exchange, parameters: dict[str, str]) -> None:
        status = 200
        if exchange.scope["method"] == "PUT":
            try:
                self._clock.move_to(dt.date.fromisoformat(parameters.get("today", "")))
            except ValueError:
                status = 400
        content = {
            "source": self._identity.decode(),
            "clock": self._clock.now().isoformat(),
            "newest_session": f"{self._clock.final_date}",
        }
        if status == 400:
            content = {"detail": "give the date as /clock?today=YYYY-MM-DD"}
        await exchange.respond(Answer(vendor_json(content)), status=status)


async def _trickle(exchange: _Exchange, answer: Answer, seconds: float) -> None:
    step = max(1, -(-len(answer.body) // _PIECES))
    await exchange.respond(Answer(b"", answer.content_type), length=len(answer.body))
    for start in range(0, len(answer.body), step):
        await asyncio.sleep(seconds / _PIECES)
        more = start + step < len(answer.body)
        await exchange.send(
            {"type": "http.response.body", "body": answer.body[start : start + step], "more_body": more}
        )
