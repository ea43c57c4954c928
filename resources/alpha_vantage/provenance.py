"""Who answers at the endpoint and what time it is there: the vendor, a replay with its own clock, or another server.

A replay says so in the header ``X-Replay-Source`` and tells its clock in ``X-Replay-Clock`` with every response.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import tenacity

from quant_assets.foundation.errors import ServerFaultError, TransportError, UnrecognisedReplyError
from resources.alpha_vantage.wire import DisconnectedError, Wire

__all__ = ["Provenance", "server_name", "utc_now"]

_VENDOR = "alpha_vantage"
_VENDOR_HOSTS = frozenset({"www.alphavantage.co", "alphavantage.co"})
_REPLAY = "replay-"
_PROXY_FAULTS = (502, 503, 504)
"""A proxy's word that the server behind it is away: it must not be taken for the server."""


def utc_now() -> dt.datetime:
    """The wall clock."""
    return dt.datetime.now(dt.UTC)


def server_name(base_url: str) -> str:
    """Name of the server behind ``base_url``, port included, for its circuit breaker."""
    parts = urlsplit(base_url)
    return _VENDOR if parts.hostname in _VENDOR_HOSTS else f"{parts.hostname}:{parts.port or parts.scheme}"


class Provenance:
    """Identity and clock of one endpoint, learned from its headers.

    Parameters
    ----------
    base_url
        The endpoint.
    wire
        For the one request without a key, beside the endpoint, that learns the headers where no reply came yet.
    identity
        The identity where it is known beforehand.
    clock, sleep
        Wall clock (aware, UTC), and how to let seconds pass between tries.
    """

    def __init__(
        self,
        base_url: str,
        wire: Wire,
        *,
        identity: str | None,
        clock: Callable[[], dt.datetime],
        sleep: Callable[[float], None],
    ) -> None:
        host = urlsplit(base_url).hostname
        self._is_vendor = host in _VENDOR_HOSTS
        self._fallback = _VENDOR if self._is_vendor else f"{_VENDOR}@{host}"
        self._wire = wire
        self._given = identity
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._is_known = self._is_vendor
        self._replay: str | None = None
        self._replay_clock: dt.datetime | None = None

    @property
    def identity(self) -> str:
        """``alpha_vantage``, ``alpha_vantage@<host>`` or ``replay-<what it replays>``.

        Raises
        ------
        TransportError, ServerFaultError
            Where the server has to be asked and does not answer.
        """
        if self._given is not None:
            return self._given
        self.learn()
        if self._replay is None:
            return self._fallback
        return self._replay if self._replay.startswith(_REPLAY) else f"{_REPLAY}{self._replay}"

    def now(self) -> dt.datetime:
        """The source's clock; asks the server once where it is not known yet."""
        self.learn()
        return self.known_now()

    def known_now(self) -> dt.datetime:
        """The source's clock by the newest reply, the wall clock before the first."""
        return self._replay_clock or self._clock()

    def learn(self) -> None:
        """Ask the server who it is, once; a few tries."""
        if self._is_known:
            return
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((TransportError, ServerFaultError)),
            stop=tenacity.stop_after_attempt(3),
            wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=2.0, jitter=0.2),
            sleep=self._sleep,
            reraise=True,
        )
        tries(self._ask)

    def note(self, headers: Mapping[str, str]) -> None:
        """Read the headers (lower-case names) of a response of the endpoint."""
        if self._is_vendor:
            return
        stamp = headers.get("x-replay-clock")
        with self._lock:
            self._replay = headers.get("x-replay-source", self._replay)
            self._replay_clock = _instant(stamp) if stamp else self._replay_clock
            self._is_known = True

    def _ask(self) -> None:
        # A page of the replay beside the endpoint: no other server is asked anything outside the vendor's protocol
        # that could count as a call.
        try:
            answer = self._wire.get({}, beside="clock")
        except DisconnectedError:
            self.note({})  # a server that does not know the page, however rudely it says so
            return
        if answer.status in _PROXY_FAULTS:
            raise ServerFaultError(f"the price server answers HTTP {answer.status}; start it anew or try later.")
        self.note(answer.headers)


def _instant(stamp: str) -> dt.datetime:
    try:
        instant = dt.datetime.fromisoformat(stamp)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise UnrecognisedReplyError(
            f"the replay's clock {stamp!r} is no instant with a time zone; mend the server that sends it."
        )
    return instant.astimezone(dt.UTC)
