"""What a plan of calls depends on beside the symbols: the source's answers, this run so far, and a person's wish."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from quant_assets.foundation.errors import UsageError
from quant_assets.market_data.ports import FetchRequest, VendorFunction

__all__ = ["COMPACT", "FULL", "NEVER_REFUSED", "FetchSituation", "FetchWish"]

COMPACT, FULL = "compact", "full"
NEVER_REFUSED = (VendorFunction.DAILY, COMPACT)
"""Every plan has it, so it needs no trial."""


@dataclass(frozen=True, slots=True)
class FetchSituation:
    """What the source says and what this run did already.

    Parameters
    ----------
    session : date
        Last finished session by the source's clock.
    is_entitled : callable
        ``PriceSource.is_entitled``: False where the function, or the function with this output size, was refused.
    calls_left : int or None
        Calls the day still allows; ``None`` without a daily limit.
    proven : frozenset of (function, outputsize)
        What was answered with data in this run. Under a daily limit, a premium function that is neither refused nor
        proven is tried with one request before the others follow, so that a refusal costs one call and not twenty.
    attempted : frozenset of FetchRequest
        Requests of this run, however they ended; none is made twice.
    """

    session: dt.date
    is_entitled: Callable[[VendorFunction, str], bool]
    calls_left: int | None
    proven: frozenset[tuple[VendorFunction, str]] = frozenset()
    attempted: frozenset[FetchRequest] = frozenset()

    def allows(self, function: VendorFunction, outputsize: str) -> bool:
        """Whether neither the function nor the function with this output size was refused."""
        return self.is_entitled(function, "") and self.is_entitled(function, outputsize)

    def needs_trial(self, request: FetchRequest) -> bool:
        """Whether one request has to show first that the plan includes this kind."""
        kind = (request.function, request.outputsize)
        if self.calls_left is None or not request.outputsize or kind == NEVER_REFUSED:
            return False
        return kind not in self.proven and (request.function, FULL) not in self.proven


@dataclass(frozen=True, slots=True)
class FetchWish:
    """What a person asked for, beyond the nightly rule.

    Parameters
    ----------
    symbols : tuple of str or None
        Only these are fetched.
    outputsize : str
        ``compact`` or ``full``: asked for every symbol, current or not. Empty: as needed.
    start, end : date or None
        A span to back-fill. The vendor knows no spans: compact where the span starts within the newest 100 sessions,
        else full, for every symbol. :meth:`keeps` says which of the rows to store.
    """

    symbols: tuple[str, ...] | None = None
    outputsize: str = ""
    start: dt.date | None = None
    end: dt.date | None = None

    def __post_init__(self) -> None:
        if self.outputsize not in {"", COMPACT, FULL}:
            raise UsageError(f"the output size {self.outputsize!r} is not known; choose full or compact")
        if self.start and self.end and self.start > self.end:
            raise UsageError(f"the span from {self.start} to {self.end} is empty; give the earlier date first")

    @property
    def is_backfill(self) -> bool:
        """Whether prices are asked for whatever is stored."""
        return bool(self.outputsize or self.start or self.end)

    def keeps(self, bars: pl.DataFrame) -> pl.DataFrame:
        """The rows inside the span; all of them without one."""
        first, last = self.start or dt.date.min, self.end or dt.date.max
        return bars.filter(pl.col("date").is_between(first, last)) if self.start or self.end else bars
