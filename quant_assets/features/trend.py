"""Stored columns of version 2 about trend: the long average and Wilder's directional movement.

Functions are columns, as in ``indicators``. Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978),
with TA-Lib's seeding.
"""

from __future__ import annotations

import numpy as np

from quant_assets.features import parameters as p
from quant_assets.features.windows import Floats, Rows, lag, ratio_above, rolling_mean, wilder_mean, wilder_sum

__all__ = ["adx_14", "minus_movement_14", "plus_movement_14", "sma_200", "true_range_14"]


def sma_200(close: Floats, rows: Rows) -> Floats:
    """Mean close of 200 bars."""
    return rolling_mean(close, 200, rows)


def _true_range(high: Floats, low: Floats, close: Floats, rows: Rows) -> Floats:
    """Range of the bar, reaching to the close before; unknown for a symbol's first bar."""
    before = lag(close, 1, rows)
    return np.maximum(high - low, np.maximum(np.abs(high - before), np.abs(low - before)))


def true_range_14(true_range: Floats, rows: Rows, previous: Floats) -> Floats:
    """Wilder sum of the true range over 14 bars."""
    return wilder_sum(true_range, 14, rows, previous)


def _directional_movement(high: Floats, low: Floats, rows: Rows) -> Floats:
    """Rises of the high where they exceed the falls of the low, and the other way round; 0 where they are equal.

    Equal up to rounding: as many ticks up as down is neither, whatever the adjustment has made of the ticks.
    """
    high_before = lag(high, 1, rows)
    rise, fall = high - high_before, lag(low, 1, rows) - low
    tie = p.LEAST_CHANGE * np.maximum(high, high_before)
    plus = np.where((rise - fall > tie) & (rise > tie), rise, 0.0)
    minus = np.where((fall - rise > tie) & (fall > tie), fall, 0.0)
    return np.where(np.isnan(rise - fall), np.nan, np.stack([plus, minus]))


def plus_movement_14(directional_movement: Floats, rows: Rows, previous: Floats) -> Floats:
    """Wilder sum over 14 bars of the rises of the high, where they exceed the falls of the low."""
    return wilder_sum(directional_movement[0], 14, rows, previous)


def minus_movement_14(directional_movement: Floats, rows: Rows, previous: Floats) -> Floats:
    """Wilder sum over 14 bars of the falls of the low, where they exceed the rises of the high."""
    return wilder_sum(directional_movement[1], 14, rows, previous)


def _directional_index(plus_movement_14: Floats, minus_movement_14: Floats, close: Floats) -> Floats:
    """100 |P - M| / (P + M); 0 where both are less than rounding of the price, as TA-Lib has it without movement."""
    movement = plus_movement_14 + minus_movement_14
    index = 100.0 * ratio_above(np.abs(plus_movement_14 - minus_movement_14), movement, p.LEAST_CHANGE * close)
    return np.where(np.isnan(index) & ~np.isnan(movement), 0.0, index)


def adx_14(directional_index: Floats, rows: Rows, previous: Floats) -> Floats:
    """Average directional index: Wilder average over 14 bars of the directional index."""
    return wilder_mean(directional_index, 14, rows, previous)
