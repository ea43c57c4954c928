"""One HTTP call to the vendor's endpoint: explicit time-outs, a bounded body, and a key that shows nowhere.

The key is added to the URL by the transport, below the HTTP client, so that neither the client's log lines nor the
request carried by its exceptions ever hold it.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from quant_assets.foundation.errors import TransportError
from resources.alpha_vantage.secrecy import redact

__all__ = ["Answer", "DisconnectedError", "Timeouts", "Wire", "proxy_for"]

_LARGEST_BODY = 64 * 1024 * 1024
"""Bytes; 25 years of adjusted bars as JSON are about 2 MB."""
_KEYLESS = "without_key"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``total`` bounds one call from the request to the last byte of the body, however slowly it drips."""

    connect: float = 10.0
    read: float = 30.0
    write: float = 10.0
    pool: float = 60.0
    total: float = 90.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sent; ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    latency_ms: float


class _KeyedTransport(httpx.BaseTransport):
    """Adds the key to the query of each request as it leaves."""

    def __init__(self, inner: httpx.BaseTransport, key: str) -> None:
        self._inner = inner
        self._key = key

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if not request.extensions.get(_KEYLESS):
            url = url.copy_merge_params({"apikey": self._key})
        keyed = httpx.Request(
            request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )
        return self._inner.handle_request(keyed)

    def close(self) -> None:
        self._inner.close()


class DisconnectedError(TransportError):
    """The server took the request and closed the connection without an answer."""


class Wire:
    """Calls one endpoint over kept connections; safe to share between threads.

    Parameters
    ----------
    base_url
        The endpoint, ``/query`` included.
    key
        The vendor's key.
    timeouts
        Bounds of one call.
    connections
        Calls in flight at most.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        timeouts: Timeouts | None = None,
        connections: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url
        self._key = key
        self._timeouts = timeouts or Timeouts()
        self._clock = clock
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        # Without TLS there is nothing to verify, and loading the certificates takes longer than some calls.
        uses_tls = urlsplit(base_url).scheme == "https"
        transport = httpx.HTTPTransport(verify=uses_tls, limits=limits, proxy=proxy_for(base_url))
        self._client = httpx.Client(
            transport=_KeyedTransport(transport, key),
            timeout=httpx.Timeout(
                connect=self._timeouts.connect,
                read=self._timeouts.read,
                write=self._timeouts.write,
                pool=self._timeouts.pool,
            ),
            headers={"User-Agent": "quant-assets", "Accept": "*/*"},
            # A redirect would send the key to whatever address the reply names.
            follow_redirects=False,
        )

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def get(self, parameters: Mapping[str, str], *, beside: str = "") -> Answer:
        """Make one call and read its body; ``beside`` names another page of the server, asked without the key.

        Raises
        ------
        TransportError
            The connection failed, timed out or ended early, or the body has no end. The message is free of the key.
        """
        started = self._clock()
        deadline = started + self._timeouts.total
        url = urljoin(self._base_url, beside) if beside else self._base_url
        request = self._client.build_request("GET", url, params=dict(parameters))
        if beside:
            request.extensions[_KEYLESS] = True
        try:
            response = self._client.send(request, stream=True)
            try:
                body = self._read(response, deadline)
            finally:
                response.close()
        except (httpx.TransportError, httpx.DecodingError) as error:
            reason = redact(str(error), self._key) or "no reason given"
            failure = DisconnectedError if isinstance(error, httpx.RemoteProtocolError) else TransportError
            raise failure(
                f"the price server did not answer ({type(error).__name__}: {reason}); "
                "check the network, it will be asked again."
            ) from None
        latency_ms = (self._clock() - started) * 1000
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, body, latency_ms)

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if size > _LARGEST_BODY:
                raise httpx.ReadError(f"the reply is larger than {_LARGEST_BODY} bytes")
            if self._clock() > deadline:
                raise httpx.ReadTimeout(f"the reply was not complete after {self._timeouts.total:g} s")
        return b"".join(chunks)


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for ``url``; never one for this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in {"localhost", "::1"} or host.startswith("127.") or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
