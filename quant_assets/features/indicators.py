"""The stored columns of version 1: whatever needs more than the row itself.

Each public function is a column: its name is the column's, its parameters are the columns that it reads, ``rows``
(where each symbol's bars lie) and, for a recursive average, ``previous`` (its own stored values). What follows from
one row alone (ratios, bands, RSI from its two averages) is SQL in the marts. Sources: J. W. Wilder, New Concepts in
Technical Trading Systems (1978); J. Bollinger, Bollinger on Bollinger Bands (2001); G. Appel, The MACD (1979);
seeding of recursive averages as in TA-Lib.
"""

from __future__ import annotations

import numpy as np

from quant_assets.features import parameters as p
from quant_assets.features.windows import (
    Floats,
    Rows,
    cumulate,
    exponential_mean,
    lag,
    ratio,
    rolling_mean,
    rolling_std,
    sign_of_change,
    wilder_mean,
)

__all__ = [
    "average_gain",
    "average_loss",
    "bb_distance",
    "ema_12",
    "ema_26",
    "macd_fast",
    "macd_signal",
    "obv",
    "price_change_1d",
    "price_change_5d",
    "price_change_20d",
    "sma_5",
    "sma_10",
    "sma_20",
    "sma_50",
    "volume_sma_20",
]


def average_gain(close: Floats, rows: Rows, previous: Floats) -> Floats:
    """Wilder average of the rises of the close (a fall counts as 0)."""
    return wilder_mean(np.maximum(close - lag(close, 1, rows), 0.0), p.RSI_SPAN, rows, previous)


def average_loss(close: Floats, rows: Rows, previous: Floats) -> Floats:
    """Wilder average of the falls of the close (a rise counts as 0)."""
    return wilder_mean(np.maximum(lag(close, 1, rows) - close, 0.0), p.RSI_SPAN, rows, previous)


def sma_5(close: Floats, rows: Rows) -> Floats:
    """Mean close of 5 bars."""
    return rolling_mean(close, 5, rows)


def sma_10(close: Floats, rows: Rows) -> Floats:
    """Mean close of 10 bars."""
    return rolling_mean(close, 10, rows)


def sma_20(close: Floats, rows: Rows) -> Floats:
    """Mean close of 20 bars; the middle Bollinger band."""
    return rolling_mean(close, 20, rows)


def sma_50(close: Floats, rows: Rows) -> Floats:
    """Mean close of 50 bars."""
    return rolling_mean(close, 50, rows)


def bb_distance(close: Floats, rows: Rows) -> Floats:
    """Distance of the Bollinger bands from their middle: 2 population standard deviations of 20 closes."""
    return p.BOLLINGER_DEVIATIONS * rolling_std(close, p.BOLLINGER_WINDOW, 0, rows)


def ema_12(close: Floats, rows: Rows, previous: Floats) -> Floats:
    """Exponential average of the close over 12 bars."""
    return exponential_mean(close, 12, rows, previous)


def ema_26(close: Floats, rows: Rows, previous: Floats) -> Floats:
    """Exponential average of the close over 26 bars; the slow average of MACD."""
    return exponential_mean(close, p.MACD_SLOW, rows, previous)


def macd_fast(close: Floats, rows: Rows, previous: Floats) -> Floats:
    """Fast average of MACD: over 12 bars, begun where the slow one begins (TA-Lib), unlike ``ema_12``."""
    delayed = close.copy()
    for s, low in enumerate(rows.bounds[:-1]):
        delayed[low : min(low + p.MACD_SLOW - p.MACD_FAST, rows.bounds[s + 1])] = np.nan
    return exponential_mean(delayed, p.MACD_FAST, rows, previous)


def macd_signal(macd_fast: Floats, ema_26: Floats, rows: Rows, previous: Floats) -> Floats:
    """Exponential average over 9 bars of the MACD line."""
    return exponential_mean(macd_fast - ema_26, p.MACD_SIGNAL, rows, previous)


def volume_sma_20(volume: Floats, rows: Rows) -> Floats:
    """Mean volume of 20 bars."""
    return rolling_mean(volume, 20, rows)


def obv(close: Floats, volume: Floats, rows: Rows, previous: Floats) -> Floats:
    """On-balance volume: begins with the first volume, then adds it on a rise and takes it off on a fall."""
    before = lag(close, 1, rows)
    direction = np.where(np.isnan(before), 1.0, sign_of_change(close, before, p.LEAST_CHANGE))
    return cumulate(direction * volume, rows, previous)


def price_change_1d(close: Floats, rows: Rows) -> Floats:
    """Return over 1 bar."""
    return ratio(close, lag(close, 1, rows)) - 1.0


def price_change_5d(close: Floats, rows: Rows) -> Floats:
    """Return over 5 bars."""
    return ratio(close, lag(close, 5, rows)) - 1.0


def price_change_20d(close: Floats, rows: Rows) -> Floats:
    """Return over 20 bars."""
    return ratio(close, lag(close, 20, rows)) - 1.0
