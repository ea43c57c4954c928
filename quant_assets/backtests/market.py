"""A price panel laid out for the compiled account."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quant_assets.backtests import kernel
from quant_assets.backtests.rules import Rules
from quant_assets.strategies.panel import PricePanel

__all__ = ["DAYS_PER_YEAR", "IMPACT_WINDOW", "Market", "lay_out"]

Floats = npt.NDArray[np.float64]

DAYS_PER_YEAR = 365.0
"""Financing is charged actual/365."""
IMPACT_WINDOW = 21
"""Sessions of volatility and dollar volume behind the impact model; a month, the usual span of "average volume"."""
_LEAST = 5
"""Impact is not charged before this many sessions of history exist."""


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """What the account trades on; made by :func:`lay_out`.

    Parameters
    ----------
    panel : PricePanel
    layers : ndarray of shape (7, n_sessions, n_symbols)
        Fill price (NaN: no trade), mark, volume, impact scale, split, dividend, close-out flag.
    clock : ndarray of shape (2, n_sessions)
        Years since the session before, and whether any corporate action or close-out falls on the session.
    """

    panel: PricePanel
    layers: Floats = field(repr=False)
    clock: Floats = field(repr=False)


def lay_out(panel: PricePanel, rules: Rules) -> Market:
    """Prepare ``panel`` for accounts under ``rules`` (of which the fill and the halt limit matter here).

    A session without a bar, with a volume of zero or without the fill's price does not fill orders. After
    ``halt_limit`` sessions in a row without a bar a symbol is closed out, whether or not it comes back later: nobody
    could know on that day.
    """
    price = panel.open if rules.fill == "open" else panel.close
    trades = panel.has_bar & (price > 0) & ~(panel.volume == 0)
    layers = np.zeros((7, *panel.shape))
    layers[kernel.PRICE] = np.where(trades, price, np.nan)
    layers[kernel.MARK] = panel.mark
    layers[kernel.VOLUME] = panel.volume
    layers[kernel.IMPACT] = _impact_scale(panel)
    layers[kernel.SPLIT_RATIO] = panel.split
    layers[kernel.DIVIDEND] = panel.dividend
    layers[kernel.CLOSING] = _sessions_without_bar(panel) == rules.halt_limit
    clock = np.zeros((2, panel.shape[0]))
    days = np.diff(panel.dates).astype("timedelta64[D]").astype(np.float64)
    clock[kernel.ELAPSED, 1:] = days / DAYS_PER_YEAR
    acts = (panel.split != 1) | (panel.dividend != 0) | (layers[kernel.CLOSING] != 0)
    clock[kernel.EVENTFUL] = acts.any(axis=1)
    return Market(panel, layers, clock)


def _sessions_without_bar(panel: PricePanel) -> npt.NDArray[np.int64]:
    """Sessions since the last bar; 0 on a session with one, and before the first."""
    rows = np.arange(panel.shape[0])[:, None]
    last = np.maximum.accumulate(np.where(panel.has_bar, rows, -1), axis=0)
    return np.where(last >= 0, rows - last, 0)


def _impact_scale(panel: PricePanel) -> Floats:
    """Daily volatility over the root of mean dollar volume, of the sessions before each one."""
    worth = panel.mark * panel.growth
    steps = np.zeros_like(worth)
    seen = worth[:-1] > 0
    np.log(np.divide(worth[1:], worth[:-1], out=np.ones_like(steps[1:]), where=seen), out=steps[1:])
    dollars = np.nan_to_num(panel.close * panel.volume)
    variance = _trailing_mean(steps**2)
    volume = _trailing_mean(dollars)
    scale = np.zeros_like(worth)
    np.divide(np.sqrt(variance), np.sqrt(volume), out=scale, where=volume > 0)
    lagged = np.zeros_like(scale)
    lagged[1:] = scale[:-1]
    lagged[:_LEAST] = 0.0
    return lagged


def _trailing_mean(values: Floats) -> Floats:
    """Mean of up to ``IMPACT_WINDOW`` rows ending with each one, summed anew per row: no drift of running sums."""
    padded = np.concatenate([np.zeros((IMPACT_WINDOW - 1, values.shape[1])), values])
    total = np.zeros_like(values)
    for lag in range(IMPACT_WINDOW):
        total += padded[lag : lag + len(values)]
    counts = np.minimum(np.arange(1, len(values) + 1), IMPACT_WINDOW)[:, None]
    mean: Floats = total / counts
    return mean
