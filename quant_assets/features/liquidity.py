"""Stored columns of version 2 about trading, from as-traded closes and volumes.

Functions are columns, as in ``indicators``. Sources: Y. Amihud (2002), Illiquidity and Stock Returns, J. Financial
Markets 5; J. Granville (1963), New Key to Stock Market Profits.
"""

from __future__ import annotations

import numpy as np

from quant_assets.features import parameters as p
from quant_assets.features.moments import rolling_known_mean
from quant_assets.features.windows import (
    Floats,
    Rows,
    lag,
    log_ratio,
    ratio,
    ratio_above,
    rolling_mean,
    rolling_std,
    sign_of_change,
)

__all__ = ["amihud_illiquidity_20", "dollar_volume_20", "dollar_volume_zscore_60", "obv_change_20d"]


def amihud_illiquidity_20(price_change_1d: Floats, dollar_volume: Floats, rows: Rows) -> Floats:
    """Mean over 20 bars of the absolute return per million of currency traded; bars without trading are left out."""
    mean = rolling_known_mean(ratio(np.abs(price_change_1d), dollar_volume / 1e6), 20, rows)
    return np.where(np.isnan(lag(price_change_1d, 19, rows)), np.nan, mean)


def dollar_volume_20(dollar_volume: Floats, rows: Rows) -> Floats:
    """Mean over 20 bars of the currency traded."""
    return rolling_mean(dollar_volume, 20, rows)


def dollar_volume_zscore_60(dollar_volume: Floats, rows: Rows) -> Floats:
    """Logarithm of the currency traded, in sample standard deviations from its mean of 60 bars."""
    logarithm = log_ratio(dollar_volume, np.ones(dollar_volume.size))
    deviation = rolling_std(logarithm, 60, 1, rows)
    return ratio_above(
        logarithm - rolling_mean(logarithm, 60, rows), deviation, np.full(deviation.size, p.LEAST_CHANGE)
    )


def obv_change_20d(close: Floats, volume: Floats, rows: Rows) -> Floats:
    """Change of on-balance volume over 20 bars relative to the volume of those bars, -1 to 1."""
    signed = sign_of_change(close, lag(close, 1, rows), p.LEAST_CHANGE) * volume
    return ratio(rolling_mean(signed, 20, rows), rolling_mean(volume, 20, rows))
