"""Stored columns of version 2 that say where the close lies in its recent range, or how fast it moved.

Functions are columns, as in ``indicators``. Sources: G. Lane (1984), Lane's Stochastics; D. Lambert (1980), Commodity
Channel Index; G. Quong and A. Soudack (1989), Volume-weighted RSI: money flow.
"""

from __future__ import annotations

import numpy as np

from quant_assets.features import parameters as p
from quant_assets.features.moments import rolling_absolute_deviation, rolling_max, rolling_min
from quant_assets.features.windows import Floats, Rows, lag, ratio, ratio_above, rolling_mean, sign_of_change

__all__ = ["cci_20", "mfi_14", "rate_of_change_10d", "rate_of_change_60d", "stochastic_d_14", "stochastic_k_14"]


def stochastic_k_14(high: Floats, low: Floats, close: Floats, rows: Rows) -> Floats:
    """Where the close lies between the lowest low and the highest high of 14 bars, 0 to 100."""
    highest, lowest = rolling_max(high, 14, rows), rolling_min(low, 14, rows)
    return 100.0 * ratio_above(close - lowest, highest - lowest, p.LEAST_CHANGE * highest)


def stochastic_d_14(stochastic_k_14: Floats, rows: Rows) -> Floats:
    """Mean of three values of %K."""
    return rolling_mean(stochastic_k_14, p.STOCHASTIC_D_WINDOW, rows)


def _typical_price(high: Floats, low: Floats, close: Floats) -> Floats:
    """Mean of high, low and close."""
    return (high + low + close) / 3.0


def cci_20(typical_price: Floats, rows: Rows) -> Floats:
    """Distance of the typical price from its mean of 20 bars, in units of 0.015 mean absolute deviations."""
    mean = rolling_mean(typical_price, 20, rows)
    deviation = rolling_absolute_deviation(typical_price, 20, rows)
    return ratio_above(typical_price - mean, deviation, p.LEAST_CHANGE * mean) / p.CCI_SCALE


def mfi_14(typical_price: Floats, volume: Floats, rows: Rows) -> Floats:
    """Share, 0 to 100, of money flow (typical price times volume) on rises of the typical price in 14 bars."""
    direction = sign_of_change(typical_price, lag(typical_price, 1, rows), p.LEAST_CHANGE)
    flow = typical_price * volume
    rises = rolling_mean(np.maximum(direction, 0.0) * flow, 14, rows)
    falls = rolling_mean(np.maximum(-direction, 0.0) * flow, 14, rows)
    return 100.0 * ratio(rises, rises + falls)


def rate_of_change_10d(close: Floats, rows: Rows) -> Floats:
    """Return over 10 bars."""
    return ratio(close, lag(close, 10, rows)) - 1.0


def rate_of_change_60d(close: Floats, rows: Rows) -> Floats:
    """Return over 60 bars."""
    return ratio(close, lag(close, 60, rows)) - 1.0
