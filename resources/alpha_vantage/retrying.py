"""Which outcomes are tried again, how often and after which pause. Nothing else in this package repeats a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
import tenacity

from quant_assets.market_data.ports import FetchOutcome

__all__ = ["ATTEMPTS", "Attempt", "retrying"]

ATTEMPTS: dict[FetchOutcome, int] = {
    FetchOutcome.THROTTLED: 5,
    FetchOutcome.SERVER_FAULT: 4,
    FetchOutcome.TRANSPORT: 4,
    FetchOutcome.EMPTY: 2,
}
"""Calls at most for one request, by how the last one ended; outcomes that are not named are final.

An empty reply gets one more try: it is how the vendor's faults have looked, and also how it answers for symbols that
it does not know.
"""
_PAUSE_AFTER_FAULT = tenacity.wait_exponential_jitter(multiplier=0.5, max=10.0, jitter=0.5)
_PAUSE_AFTER_THROTTLE = tenacity.wait_exponential_jitter(multiplier=2.0, max=30.0, jitter=1.0)
"""Four pauses make at least 30 s, half of the window in which a premium plan's calls are counted."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one try ended; ``was_called`` is False where it never left this machine."""

    outcome: FetchOutcome
    message: str
    frame: pl.DataFrame | None = None
    was_called: bool = True
    latency_ms: float = 0.0
    body_sha256: str = ""


def retrying(*, sleep: Callable[[float], None], hold: Callable[[float], None]) -> tenacity.Retrying:
    """A caller that repeats a function returning an :class:`Attempt` and returns the last one; it never raises.

    Parameters
    ----------
    sleep
        Lets seconds pass.
    hold
        Told the pause after a throttle, so that other threads pause as well.
    """

    def hold_others(state: tenacity.RetryCallState) -> None:
        if _ended(state).outcome is FetchOutcome.THROTTLED and state.next_action is not None:
            hold(state.next_action.sleep)

    return tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda attempt: attempt.was_called and attempt.outcome in ATTEMPTS),
        stop=lambda state: state.attempt_number >= ATTEMPTS[_ended(state).outcome],
        wait=_pause,
        before_sleep=hold_others,
        sleep=sleep,
        retry_error_callback=_ended,
    )


def _ended(state: tenacity.RetryCallState) -> Attempt:
    """The attempt that has just ended."""
    if state.outcome is None:
        raise RuntimeError("a retry is decided only after an attempt")
    attempt: Attempt = state.outcome.result()
    return attempt


def _pause(state: tenacity.RetryCallState) -> float:
    throttled = _ended(state).outcome is FetchOutcome.THROTTLED
    return (_PAUSE_AFTER_THROTTLE if throttled else _PAUSE_AFTER_FAULT)(state)
