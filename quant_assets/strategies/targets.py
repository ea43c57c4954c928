"""What a strategy hands to the simulator."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numba
import numpy as np
import numpy.typing as npt

from quant_assets.foundation.errors import UsageError

__all__ = ["PATIENCE", "Targets", "nothing", "on_change", "rebalanced"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.uint8]

PATIENCE = 10
"""Sessions in a row without a bar after which a symbol counts as closed out; the default of ``Rules.halt_limit``."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Target weights decided at each close.

    Parameters
    ----------
    weights : ndarray of shape (n_sessions, n_symbols)
        Wanted position as a fraction of equity, negative is short; never NaN.
    decided : uint8 ndarray of the same shape
        1 where the close of that session is a decision to trade towards the weight; 0 holds on to what there is.
    reason : str
        Why there is nothing to trade, where there is nothing; empty otherwise.
    most : float
        Largest gross weight of any session where the maker knows it; infinite has it looked up.
    """

    weights: Floats = field(repr=False)
    decided: Flags = field(repr=False)
    reason: str = ""
    most: float = math.inf

    def checked(self, *, max_leverage: float, strategy: str) -> Targets:
        """Return these targets where the simulator may be asked for them.

        Raises
        ------
        UsageError
            Where a weight is NaN, or a row asks for more than ``max_leverage``.
        """
        if self.most <= max_leverage * (1 + 1e-9):
            return self
        gross = _largest_gross(np.ascontiguousarray(self.weights))
        if not np.isfinite(gross):
            row, column = np.argwhere(~np.isfinite(self.weights))[0]
            raise UsageError(
                f"the strategy {strategy} asks for a weight that is not a number (session {row}, symbol {column}); "
                "return 0 where there is nothing to hold"
            )
        if gross > max_leverage * (1 + 1e-9):
            raise UsageError(
                f"the strategy {strategy} asks for {gross:.2f} times the equity where {max_leverage:g} is "
                "allowed; lower its weights or raise max_leverage"
            )
        return self


@numba.njit(cache=True, nogil=True)
def _largest_gross(weights: Floats) -> float:  # pragma: no cover
    """Largest sum of absolute weights of any session; not finite where any weight is not."""
    largest = 0.0
    for t in range(weights.shape[0]):
        gross = 0.0
        for s in range(weights.shape[1]):
            gross += abs(weights[t, s])
        if not gross <= largest:  # also true for NaN, which then stays
            largest = gross
            if not np.isfinite(gross):
                break
    return largest


def on_change(weights: Floats) -> Targets:
    """Trade a symbol only when its weight changes; weights drift with prices in between."""
    decided = np.empty(weights.shape, dtype=np.uint8)
    decided[0] = weights[0] != 0
    np.not_equal(weights[1:], weights[:-1], out=decided[1:], casting="unsafe")
    return Targets(weights, decided)


def nothing(shape: tuple[int, int], reason: str) -> Targets:
    """Stay in cash, and say why."""
    return Targets(np.zeros(shape), np.zeros(shape, dtype=np.uint8), reason)


def rebalanced(weights: Floats, every: int, has_bar: npt.NDArray[np.bool_]) -> Targets:
    """Trade every symbol with a bar to its weight each ``every`` sessions, counted from the first of the history.

    All arrays have shape (n_sessions, n_symbols). In between, the weights last decided stay. A symbol without a bar
    that day is left alone: it keeps its weight, and the others share what that leaves of theirs, until it has had no
    bar for ``PATIENCE`` sessions.
    """
    kept, decided = np.empty(weights.shape), np.zeros(weights.shape, dtype=np.uint8)
    _rebalance(np.ascontiguousarray(weights), every, np.ascontiguousarray(has_bar), kept, decided)
    return Targets(kept, decided)


@numba.njit(cache=True, nogil=True)
def _rebalance(  # pragma: no cover - numba knows no keyword-only arguments
    weights: Floats, every: int, has_bar: npt.NDArray[np.bool_], kept: Floats, decided: Flags
) -> None:
    sessions, symbols = weights.shape
    missing = np.zeros(symbols, dtype=np.int64)
    held = np.zeros(symbols)
    for t in range(sessions):
        asked = waiting = 0.0
        for s in range(symbols):
            missing[s] = 0 if has_bar[t, s] else missing[s] + 1
            if missing[s] >= PATIENCE:
                held[s] = 0.0
            if has_bar[t, s]:
                asked += abs(weights[t, s])
            else:
                waiting += abs(held[s])
        if t % every == 0:
            room = max(1.0 - waiting / asked, 0.0) if asked > 0.0 else 0.0
            for s in range(symbols):
                if has_bar[t, s]:
                    held[s] = weights[t, s] * room
                    decided[t, s] = 1
        kept[t] = held
