"""What a strategy did: its round trips, its turnover, how much of the time money was at work."""

from __future__ import annotations

import numpy as np

from quant_assets.foundation.performance.growth import Floats
from quant_assets.foundation.performance.periods import SESSIONS_PER_YEAR

__all__ = ["average_exposure", "average_trade", "profit_factor", "turnover_ann", "win_rate"]


def win_rate(pnl: Floats) -> float:
    """Share of closed round trips with a profit after costs; NaN without any. ``pnl`` in money, shape (n_trips,)."""
    return float(np.mean(pnl > 0)) if len(pnl) else float("nan")


def profit_factor(pnl: Floats) -> float:
    """Money won on winning round trips over money lost on losing ones; infinite without a loser, NaN without any."""
    won = float(np.sum(pnl[pnl > 0]))
    lost = float(-np.sum(pnl[pnl < 0]))
    if lost == 0:
        return float("inf") if won > 0 else float("nan")
    return won / lost


def average_trade(trade_returns: Floats) -> float:
    """Mean return of closed round trips, as a fraction of the money put into each; NaN without any."""
    return float(np.mean(trade_returns)) if len(trade_returns) else float("nan")


def turnover_ann(traded: Floats, equity: Floats) -> float:
    """One-way turnover a year: mean over sessions of half the traded value over equity, times 252.

    ``traded`` is the sum of absolute trade values of each session, in money, shape (n_sessions,), as is ``equity``.
    Replacing the whole portfolio once a year (selling all, buying all) gives 1. Sessions without equity count as 0.
    """
    share = np.divide(traded, 2.0 * equity, out=np.zeros_like(equity), where=equity > 0)
    return float(np.mean(share) * SESSIONS_PER_YEAR)


def average_exposure(gross_exposure: Floats) -> float:
    """Mean over sessions of the absolute position values over equity at the close."""
    return float(np.mean(gross_exposure))
