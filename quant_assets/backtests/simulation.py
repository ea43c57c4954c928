"""A whole history through the compiled account, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quant_assets.backtests import kernel
from quant_assets.backtests.costs import Costs
from quant_assets.backtests.market import Market
from quant_assets.backtests.rules import Rules
from quant_assets.foundation.errors import UsageError
from quant_assets.strategies.targets import Targets

__all__ = ["EVENT_KINDS", "Scratch", "Simulation", "simulate"]

Floats = npt.NDArray[np.float64]

EVENT_KINDS = ("no_fill", "capped", "scaled", "closed_out", "cash_in_lieu", "not_reinvested", "ruin")
"""Names of the compiled event kinds, in their order."""
_TRIPS = 1024
_EVENTS = 4096
"""Events are for reading; the first so many are kept and all are counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """Path, round trips and events of one simulated account.

    Parameters
    ----------
    first, last : int
        Sessions of the panel, inclusive; the account opens with cash at the close of ``first``.
    path : ndarray of shape (7, last - first + 1)
        Equity, gross exposure, net exposure, traded value, costs, financing, dividends, by session.
    trips : ndarray of shape (n_trips, 12)
        Round trips in the order of their end, then those still open; columns ``kernel.TRIP_*``.
    events : ndarray of shape (n_events, 4)
        Session, symbol (-1: the account), kind, value.
    event_count : int
        All events, also those beyond the ones kept.
    """

    first: int
    last: int
    path: Floats = field(repr=False)
    trips: Floats = field(repr=False)
    events: Floats = field(repr=False)
    event_count: int = 0

    @property
    def equity(self) -> Floats:
        """Equity at each close."""
        return np.asarray(self.path[kernel.PATH_EQUITY])

    @property
    def closed_trips(self) -> Floats:
        """Round trips that ended."""
        return np.asarray(self.trips[self.trips[:, kernel.TRIP_OPEN] == 0])


@dataclass(eq=False)
class Scratch:
    """Buffers of one thread, reused from run to run so that a search allocates nothing.

    ``fields`` is ``kernel.PATH_FIELDS_MEASURED`` where only the measures are wanted.
    """

    path: Floats = field(default_factory=lambda: np.zeros((kernel.PATH_FIELDS, 0)))
    fields: int = kernel.PATH_FIELDS
    trips: Floats = field(default_factory=lambda: np.zeros((_TRIPS, kernel.TRIP_FIELDS)))
    events: Floats = field(default_factory=lambda: np.zeros((_EVENTS, kernel.EVENT_FIELDS)))

    def path_of(self, sessions: int) -> Floats:
        """A path buffer of that many sessions."""
        if self.path.shape[1] != sessions:
            self.path = np.zeros((self.fields, sessions))
        return self.path


def simulate(
    market: Market,
    targets: Targets,
    rules: Rules,
    costs: Costs,
    *,
    first: int = 0,
    last: int | None = None,
    scratch: Scratch | None = None,
) -> Simulation:
    """Trade ``targets`` from session ``first`` to ``last`` inclusive.

    Targets of the close of t become orders that are filled in t+1 or later, never in t. What a strategy already
    holds at ``first`` is bought on the close of ``first`` as a decision of that day. With ``scratch`` the arrays of
    the result are overwritten by the next run that uses it.

    Raises
    ------
    UsageError
        Where the span holds fewer than two sessions or the targets do not fit the panel.
    """
    sessions, symbols = market.panel.shape
    last = sessions - 1 if last is None else last
    if targets.weights.shape != (sessions, symbols):
        raise UsageError(f"targets have the shape {targets.weights.shape}, the price panel {(sessions, symbols)}")
    if not 0 <= first < last < sessions:
        raise UsageError("a backtest needs at least two sessions inside the price history; widen its dates")
    buffers = scratch or Scratch()
    path = buffers.path_of(last - first + 1)
    # Another memory layout would be compiled anew.
    weights = np.ascontiguousarray(targets.weights[first : last + 1])
    decided = np.ascontiguousarray(targets.decided[first : last + 1])
    if weights[0].any():
        decided = decided.copy()
        decided[0] |= weights[0] != 0
    terms = rules.terms(costs)
    while True:
        book, ledger = np.zeros((kernel.BOOK_FIELDS, symbols)), np.zeros(kernel.LEDGER_FIELDS)
        ledger[kernel.CASH] = ledger[kernel.EQUITY] = rules.capital
        kernel.advance(
            first, last, market.layers, market.clock, weights, decided, terms, book, ledger,
            buffers.trips, buffers.events, path,
        )  # fmt: skip
        kernel.record_open(last, market.layers, book, ledger, buffers.trips)
        count = int(ledger[kernel.TRIPS])
        if count <= len(buffers.trips):
            break
        buffers.trips = np.zeros((2 * count, kernel.TRIP_FIELDS))
    seen = int(ledger[kernel.EVENTS])
    return Simulation(first, last, path, buffers.trips[:count], buffers.events[: min(seen, _EVENTS)], seen)
