"""How far below its own peak an equity curve stood, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quant_assets.foundation.performance.growth import Floats

__all__ = ["Drawdown", "drawdown_series", "max_drawdown"]


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One fall from a peak; positions count sessions from the start of the curve.

    Parameters
    ----------
    depth : float
        Trough over peak less one, so 0 or negative; -0.25 is a fall of a quarter.
    peak, trough : int
        Where the fall began and where it was deepest.
    recovery : int
        First session at or above the peak again; -1 where that has not happened yet.
    """

    depth: float
    peak: int
    trough: int
    recovery: int


def drawdown_series(equity: Floats) -> Floats:
    """Equity over its running peak less one, shape (n_sessions,), each value 0 or negative."""
    return equity / np.maximum.accumulate(equity) - 1.0


def max_drawdown(equity: Floats) -> Drawdown:
    """The deepest fall (the first one, where two are equally deep); depth 0 at position 0 where there is none."""
    falls = drawdown_series(equity)
    trough = int(np.argmin(falls))
    depth = float(falls[trough])
    if depth == 0:
        return Drawdown(0.0, 0, 0, 0)
    peak = int(np.argmax(equity[: trough + 1]))
    back = np.flatnonzero(equity[trough:] >= equity[peak])
    return Drawdown(depth, peak, trough, trough + int(back[0]) if len(back) else -1)
