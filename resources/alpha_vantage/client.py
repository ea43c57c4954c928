"""The price source over Alpha Vantage's protocol: the vendor itself, the replay server, or any server that speaks it.

A request ends as a value, data or failure with its reason. Calls are paced by the plan, counted before they are
made, retried only where another try can help, and no longer made once the day's quota is spent, the key is rejected
or the circuit is open.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from http import HTTPStatus
from types import TracebackType
from typing import Literal, Self

from quant_assets.foundation.calendar import TradingCalendar, new_york_calendar
from quant_assets.foundation.errors import EmptyReplyError, TransportError, UnrecognisedReplyError, VendorError
from quant_assets.market_data.ports import (
    EntitlementMemory,
    FetchOutcome,
    FetchReply,
    FetchRequest,
    QuotaLedger,
    VendorFunction,
)
from resources.alpha_vantage.breaker import VendorBreaker
from resources.alpha_vantage.gate import Gate, Refusals
from resources.alpha_vantage.limits import Pacer, Plan, quota_day
from resources.alpha_vantage.parsing import PARSER_VERSION, parse_reply
from resources.alpha_vantage.provenance import Provenance, server_name, utc_now
from resources.alpha_vantage.replies import classify_body, classify_status
from resources.alpha_vantage.retrying import Attempt, retrying
from resources.alpha_vantage.secrecy import fingerprint, redact
from resources.alpha_vantage.shapes import EVENT_COLUMNS
from resources.alpha_vantage.wire import Answer, Timeouts, Wire

__all__ = ["AlphaVantageSource"]

_log = logging.getLogger(__name__)

_FAILURES: dict[type[VendorError], FetchOutcome] = {
    EmptyReplyError: FetchOutcome.EMPTY,
    TransportError: FetchOutcome.TRANSPORT,
    UnrecognisedReplyError: FetchOutcome.UNRECOGNISED,
}


class AlphaVantageSource:
    """A ``PriceSource``; safe to share between threads, to be closed after use.

    Parameters
    ----------
    base_url
        The endpoint, ``/query`` included.
    key
        The vendor's key; it never leaves this object but in the calls themselves.
    plan
        ``free``, requests a minute such as ``75``, or ``None`` / ``unlimited`` (the embedded source).
    quota, entitlements
        Durable memory; a plan with a daily limit needs the first.
    breaker
        Of this server; by default one that lives in this process only.
    identity
        The source's identity where it is known; else it is learned from the server.
    datatype
        Format asked for time series. CSV is read twice as fast. Events are always asked as JSON, which names its
        symbol and shows by itself whether it is whole.
    timeouts, calendar, clock, sleep, monotonic
        Bounds of one call, the exchange's sessions, the wall clock (aware, UTC), and time for tests to control.
    """

    def __init__(  # noqa: PLR0913 - the composition root of this package
        self,
        *,
        base_url: str,
        key: str,
        plan: str | int | None = "free",
        quota: QuotaLedger | None = None,
        entitlements: EntitlementMemory | None = None,
        breaker: VendorBreaker | None = None,
        identity: str | None = None,
        datatype: Literal["csv", "json"] = "csv",
        timeouts: Timeouts | None = None,
        calendar: TradingCalendar | None = None,
        clock: Callable[[], dt.datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = Plan.parse(plan)
        if self._plan.calls_per_day is not None and quota is None:
            raise ValueError("a plan with a daily limit needs a quota ledger")
        self._key = key
        self._clock = clock
        self._sleep = sleep
        self._calendar = calendar
        self._series_format: Literal["csv", "json"] = datatype
        self._finished: tuple[dt.datetime, dt.date] | None = None
        self._wire = Wire(base_url, key, timeouts=timeouts, connections=self._plan.workers)
        self._provenance = Provenance(base_url, self._wire, identity=identity, clock=clock, sleep=sleep)
        self._refusals = Refusals(entitlements, fingerprint(key), self._plan, clock)
        self._gate = Gate(
            plan=self._plan,
            key_hash=fingerprint(key),
            quota=None if self._plan.calls_per_minute is None else quota,
            breaker=breaker or VendorBreaker(server_name(base_url), clock=clock),
            pacer=Pacer(self._plan.seconds_between_calls, clock=monotonic, sleep=sleep),
            today=lambda: quota_day(self._provenance.known_now()),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    @property
    def identity(self) -> str:
        """Names the source for good; see :class:`Provenance` for the forms and errors."""
        return self._provenance.identity

    def now(self) -> dt.datetime:
        """The source's clock (aware, UTC)."""
        return self._provenance.now()

    def calls_left_today(self) -> int | None:
        """Calls that the quota still allows today; ``None`` on a plan without a daily limit."""
        self._learn_if_possible()
        return self._gate.calls_left()

    def is_entitled(self, function: VendorFunction, outputsize: str = "") -> bool:
        """False where an earlier reply refused the function or the parameter and that is not forgotten yet."""
        return self._refusals.refusal(FetchRequest("", function, outputsize)) is None

    def fetch(self, requests: Sequence[FetchRequest]) -> Iterator[FetchReply]:
        """Answer every request, in completion order; see the port.

        Only a fault of this machine, such as an operations store that cannot be written, is raised.
        """
        self._learn_if_possible()
        self._gate.keep_distance(self._clock())
        waiting = deque(requests)
        running: set[Future[FetchReply]] = set()
        pool = ThreadPoolExecutor(self._plan.workers, thread_name_prefix="alpha-vantage")
        try:
            while waiting or running:
                # Twice the workers: enough that none idles, few enough that a slow reader piles up no frames.
                while waiting and len(running) < 2 * self._plan.workers:
                    running.add(pool.submit(self._answer, waiting.popleft()))
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _learn_if_possible(self) -> None:
        # A server that does not answer now will not answer the calls either, and those say so in their replies.
        with contextlib.suppress(VendorError):
            self._provenance.learn()

    def _answer(self, request: FetchRequest) -> FetchReply:
        requested_at = self._clock()
        made: list[Attempt] = []
        tries = retrying(sleep=self._sleep, hold=self._gate.hold)
        last: Attempt = tries(self._try, request, made)
        final = made[-1] if made else last
        reply = FetchReply(
            request=request,
            outcome=final.outcome,
            frame=final.frame,
            message=redact(final.message, self._key),
            requested_at=requested_at,
            latency_ms=sum(attempt.latency_ms for attempt in made),
            attempts=len(made),
            body_sha256=final.body_sha256,
            parser_version=PARSER_VERSION,
        )
        _tell(reply)
        return reply

    def _try(self, request: FetchRequest, made: list[Attempt]) -> Attempt:
        refusal = self._refusals.refusal(request) or self._gate.enter()
        if refusal is not None:
            return Attempt(refusal.outcome, refusal.message, was_called=False)
        started = time.perf_counter()
        try:
            answer = self._wire.get(self._parameters(request))
        except TransportError as error:
            attempt = Attempt(FetchOutcome.TRANSPORT, str(error), latency_ms=(time.perf_counter() - started) * 1000)
            self._gate.came_back(attempt.outcome, attempt.message, is_fault=True)
        else:
            attempt = self._read(request, answer)
            self._gate.came_back(
                attempt.outcome,
                redact(attempt.message, self._key),
                is_fault=attempt.outcome is FetchOutcome.SERVER_FAULT,
            )
        self._refusals.learn(request, attempt.outcome)
        made.append(attempt)
        return attempt

    def _parameters(self, request: FetchRequest) -> dict[str, str]:
        is_event = request.function in EVENT_COLUMNS
        parameters = {"function": str(request.function), "symbol": request.symbol}
        if request.outputsize:
            parameters["outputsize"] = request.outputsize
        return parameters | {"datatype": "json" if is_event else self._series_format}

    def _read(self, request: FetchRequest, answer: Answer) -> Attempt:
        """Classify and parse one answer."""
        digest = hashlib.sha256(answer.body).hexdigest() if answer.body else ""
        try:
            if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                self._provenance.note(answer.headers)
            verdict = classify_status(answer.status, answer.body) or classify_body(answer.body)
            if verdict.outcome is not FetchOutcome.OK:
                return Attempt(verdict.outcome, verdict.message, latency_ms=answer.latency_ms, body_sha256=digest)
            calendar = self._calendar or new_york_calendar()
            parsed = parse_reply(
                request, answer.body, verdict.document, finished=self._last_finished(calendar), calendar=calendar
            )
        except VendorError as error:
            if isinstance(error, TransportError):
                # A CSV without its end: JSON shows by itself whether it is whole.
                self._series_format = "json"
            return Attempt(_FAILURES[type(error)], str(error), latency_ms=answer.latency_ms, body_sha256=digest)
        has_none = parsed.frame.is_empty() and request.function in EVENT_COLUMNS
        return Attempt(
            FetchOutcome.NO_EVENTS if has_none else FetchOutcome.OK,
            "; ".join(parsed.notes),
            parsed.frame,
            latency_ms=answer.latency_ms,
            body_sha256=digest,
        )

    def _last_finished(self, calendar: TradingCalendar) -> dt.date:
        hour = self._provenance.known_now().replace(minute=0, second=0, microsecond=0)
        known = self._finished
        if known is None or known[0] != hour:
            known = self._finished = (hour, calendar.last_finished_session(hour))
        return known[1]


def _tell(reply: FetchReply) -> None:
    if reply.outcome in (FetchOutcome.OK, FetchOutcome.NO_EVENTS):
        level = logging.INFO if reply.message else logging.DEBUG
    else:
        level = logging.ERROR if reply.outcome is FetchOutcome.UNRECOGNISED else logging.WARNING
    request = reply.request
    _log.log(
        level, "%s %s: %s, %d calls. %s", request.function, request.symbol, reply.outcome, reply.attempts, reply.message
    )
