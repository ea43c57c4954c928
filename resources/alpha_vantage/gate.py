"""Whether a call may leave this machine: the key, the day's quota, the breaker, the distance between calls.

Also what the plan refused before. Every part is asked before a call and told about its outcome after it.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from dataclasses import dataclass

from quant_assets.market_data.ports import EntitlementMemory, FetchOutcome, FetchRequest, QuotaLedger
from resources.alpha_vantage.breaker import VendorBreaker
from resources.alpha_vantage.limits import Pacer, Plan

__all__ = ["Gate", "Refusal", "Refusals"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is answered without a call."""

    outcome: FetchOutcome
    message: str


class Gate:
    """Admits calls one by one and counts them before they are made.

    Parameters
    ----------
    plan, key_hash
        The plan and the name of the key in stored state.
    quota
        The ledger; only a plan without any limit goes without.
    breaker, pacer
        Of this server and this plan.
    today
        The vendor's day by the source's clock.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        key_hash: str,
        quota: QuotaLedger | None,
        breaker: VendorBreaker,
        pacer: Pacer,
        today: Callable[[], dt.date],
    ) -> None:
        self._plan = plan
        self._key_hash = key_hash
        self._quota = quota
        self._breaker = breaker
        self._pacer = pacer
        self._today = today
        self._limit = sys.maxsize if plan.calls_per_day is None else plan.calls_per_day
        self._spent_on: dt.date | None = None
        self._key_rejected = ""

    def keep_distance(self, now: dt.datetime) -> None:
        """Keep the distance to the newest call of any process; ``now`` is the wall clock."""
        newest = None if self._quota is None else self._quota.last_call_at(self._key_hash)
        if newest is not None:
            age = (now - newest).total_seconds()
            if 0 <= age < self._plan.seconds_between_calls:
                self._pacer.hold(self._plan.seconds_between_calls - age)

    def closed(self) -> Refusal | None:
        """The reason why no call can be made now, without waiting or counting."""
        if self._key_rejected:
            return Refusal(FetchOutcome.KEY_REJECTED, self._key_rejected)
        if self._spent_on is not None and self._spent_on == self._today():
            return self._quota_spent()
        if self._breaker.is_open:
            return self._circuit_open()
        return None

    def enter(self) -> Refusal | None:
        """Wait for the turn and count the call; the reason where it may not be made after all."""
        if refusal := self.closed():
            return refusal
        self._pacer.wait()
        if refusal := self.closed():  # what other calls met in the meantime
            return refusal
        if not self._breaker.admits():
            return self._circuit_open()
        day = self._today()
        if self._quota is not None and not self._quota.reserve(self._key_hash, day, self._limit):
            self._spent_on = day
            return self._quota_spent()
        return None

    def came_back(self, outcome: FetchOutcome, message: str, *, is_fault: bool) -> None:
        """Draw the consequences of a call's outcome for the next ones."""
        if is_fault:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        if outcome is FetchOutcome.KEY_REJECTED:
            self._key_rejected = message
        if outcome is FetchOutcome.DAILY_QUOTA:
            self._spent_on = self._today()
            if self._quota is not None:
                self._quota.exhaust(self._key_hash, self._spent_on)

    def hold(self, seconds: float) -> None:
        """Let no call of this source start for some seconds, after a throttle."""
        self._pacer.hold(seconds)

    def calls_left(self) -> int | None:
        """Calls that the quota still allows today; ``None`` without a daily limit."""
        day = self._today()
        if self._spent_on == day or (self._quota is not None and self._quota.is_exhausted(self._key_hash, day)):
            return 0
        if self._plan.calls_per_day is None or self._quota is None:
            return None
        return max(0, self._limit - self._quota.used(self._key_hash, day))

    def _quota_spent(self) -> Refusal:
        return Refusal(FetchOutcome.DAILY_QUOTA, "the day's calls are spent; what is missing is fetched tomorrow")

    def _circuit_open(self) -> Refusal:
        return Refusal(
            FetchOutcome.CIRCUIT_OPEN,
            "the price server failed repeatedly and is left alone for some minutes; run again after that",
        )


class Refusals:
    """What the plan refused, as remembered and as learned since.

    The memory's key names the plan as well, so that a new plan starts without the old one's refusals.
    """

    def __init__(
        self, memory: EntitlementMemory | None, key_hash: str, plan: Plan, clock: Callable[[], dt.datetime]
    ) -> None:
        self._memory = memory
        self._name = f"{key_hash}/{plan.name}"
        self._clock = clock
        self._known: dict[tuple[str, str], bool] = {}

    def refusal(self, request: FetchRequest) -> Refusal | None:
        """The refusal that stands against ``request``, if any."""
        function = str(request.function)
        if not self._allows(function, ""):
            return Refusal(
                FetchOutcome.FUNCTION_NOT_ENTITLED,
                f"the plan refused {function} lately; it is tried again in some days",
            )
        if request.outputsize and not self._allows(function, request.outputsize):
            return Refusal(
                FetchOutcome.PARAMETER_NOT_ENTITLED,
                f"the plan refused {function} with outputsize={request.outputsize} lately; "
                "it is tried again in some days",
            )
        return None

    def learn(self, request: FetchRequest, outcome: FetchOutcome) -> None:
        """Remember a refusal by the vendor; other outcomes teach nothing."""
        if outcome not in (FetchOutcome.FUNCTION_NOT_ENTITLED, FetchOutcome.PARAMETER_NOT_ENTITLED):
            return
        outputsize = request.outputsize if outcome is FetchOutcome.PARAMETER_NOT_ENTITLED else ""
        self._known[str(request.function), outputsize] = False
        if self._memory is not None:
            self._memory.refuse(self._name, str(request.function), outputsize, self._clock())

    def _allows(self, function: str, outputsize: str) -> bool:
        # Looked up once: a read for each of some hundred symbols would be a tenth of a fast fetch.
        known = self._known.get((function, outputsize))
        if known is None:
            known = self._memory is None or self._memory.allows(self._name, function, outputsize, self._clock())
            self._known[function, outputsize] = known
        return known
