"""Who may ask, and how often: bearer tokens compared in constant time, and a token bucket per client."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections import OrderedDict
from collections.abc import Sequence

__all__ = ["RateLimiter", "TokenGate"]

_CLIENTS_REMEMBERED = 10_000
_ROUNDING = 1e-9
"""Of a request: sums of clock times are off by the last bit, and the wait that was named has to suffice."""


class TokenGate:
    """Checks bearer tokens; keeps only their digests.

    Parameters
    ----------
    tokens : sequence of str
        Accepted tokens; where there is none, everybody passes.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self._digests = tuple(_digest(token.encode()) for token in tokens)

    @property
    def is_open(self) -> bool:
        """Whether no token is asked for."""
        return not self._digests

    def admits(self, authorization: bytes | None) -> bool:
        """Whether an ``Authorization`` header names an accepted token.

        Every accepted token is compared, whatever the outcome, so that the time tells nothing.
        """
        if self.is_open:
            return True
        scheme, _, token = (authorization or b"").partition(b" ")
        given = _digest(token.strip())
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return scheme.lower() == b"bearer" and any(matches)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


class RateLimiter:
    """A token bucket per client; forgets the clients that asked longest ago.

    Parameters
    ----------
    per_second : float
        Refill; 0 sets no limit.
    burst : int
        Size of the bucket.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, client: str, now: float) -> int:
        """Take one request out of the client's bucket.

        Parameters
        ----------
        client : str
        now : float
            A monotonic clock in seconds.

        Returns
        -------
        int
            0 where the request may pass; otherwise whole seconds until the next one may.
        """
        if self._per_second <= 0:
            return 0
        left, seen = self._buckets.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - seen) * self._per_second)
        passes = left >= 1 - _ROUNDING
        self._buckets[client] = (left - 1 if passes else left, now)
        if len(self._buckets) > _CLIENTS_REMEMBERED:
            self._buckets.popitem(last=False)
        return 0 if passes else max(1, math.ceil((1 - left) / self._per_second))
