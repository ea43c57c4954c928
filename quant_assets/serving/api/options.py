"""What an operator may set about the API: who may ask, how much, and how fast."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ApiOptions"]


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """Limits and access of one server.

    Parameters
    ----------
    tokens : tuple of str
        Bearer tokens that are accepted; none leaves the API open to whoever can reach it.
    hosts : tuple of str
        Values of the ``Host`` header that are served (without port); empty serves all. Keeps a web page that a person
        on this machine looks at from reading the API under a name of its own (DNS rebinding).
    requests_per_second : float
        Of one client, sustained; 0 sets no limit.
    burst : int
        Requests that one client may send at once before the rate counts.
    concurrent_requests : int
        In work at a time; more are told to come back.
    query_seconds : float
        After that a request is stopped.
    target_bytes : int
        Longest path with query.
    cache_bytes : int
        Memory for ready answers.
    watch_seconds : float
        How often a new publication is looked for.
    """

    tokens: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    requests_per_second: float = 500.0
    burst: int = 1_000
    concurrent_requests: int = 200
    query_seconds: float = 10.0
    target_bytes: int = 2_048
    cache_bytes: int = 64_000_000
    watch_seconds: float = 0.5
