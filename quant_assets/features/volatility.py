"""Stored columns of version 2 about volatility, annualised with 252 sessions.

Functions are columns, as in ``indicators``. Sources: J. W. Wilder (1978); M. Parkinson (1980), The Extreme Value Method
for Estimating the Variance of the Rate of Return, J. Business 53; M. Garman and M. Klass (1980), On the Estimation of
Security Price Volatilities from Historical Data, J. Business 53; D. Yang and Q. Zhang (2000), Drift-Independent
Volatility Estimation Based on High, Low, Open, and Close Prices, J. Business 73; F. Sortino and R. van der Meer (1991),
Downside Risk, J. Portfolio Management 17.
"""

from __future__ import annotations

import math

import numpy as np

from quant_assets.features.parameters import SESSIONS_A_YEAR, YANG_ZHANG_ALPHA
from quant_assets.features.windows import Floats, Rows, lag, log_ratio, rolling_mean, rolling_std, wilder_mean

__all__ = [
    "atr_14",
    "downside_deviation_ann_60",
    "garman_klass_volatility_ann_20",
    "parkinson_volatility_ann_20",
    "realised_volatility_ann_20",
    "realised_volatility_ann_60",
    "yang_zhang_volatility_ann_20",
]

_YEAR = math.sqrt(SESSIONS_A_YEAR)
_YANG_ZHANG_WEIGHT = (YANG_ZHANG_ALPHA - 1.0) / (YANG_ZHANG_ALPHA + 21.0 / 19.0)
"""Weight of the open-to-close variance for 20 bars: 0.34 / (1.34 + (n + 1) / (n - 1))."""


def atr_14(true_range: Floats, rows: Rows, previous: Floats) -> Floats:
    """Average true range: Wilder average over 14 bars."""
    return wilder_mean(true_range, 14, rows, previous)


def _log_return(close: Floats, rows: Rows) -> Floats:
    """Logarithm of the close over the close before."""
    return log_ratio(close, lag(close, 1, rows))


def _overnight_log_return(open: Floats, close: Floats, rows: Rows) -> Floats:  # noqa: A002 - columns name parameters
    """Logarithm of the open over the close before."""
    return log_ratio(open, lag(close, 1, rows))


def _intraday_log_return(open: Floats, close: Floats) -> Floats:  # noqa: A002 - columns name parameters
    """Logarithm of the close over the open."""
    return log_ratio(close, open)


def _log_range(high: Floats, low: Floats) -> Floats:
    """Logarithm of the high over the low."""
    return log_ratio(high, low)


def realised_volatility_ann_20(log_return: Floats, rows: Rows) -> Floats:
    """Sample standard deviation of 20 log returns."""
    return _YEAR * rolling_std(log_return, 20, 1, rows)


def realised_volatility_ann_60(log_return: Floats, rows: Rows) -> Floats:
    """Sample standard deviation of 60 log returns."""
    return _YEAR * rolling_std(log_return, 60, 1, rows)


def parkinson_volatility_ann_20(log_range: Floats, rows: Rows) -> Floats:
    """Root of the mean of 20 squared log ranges over 4 ln 2."""
    return _YEAR * np.sqrt(rolling_mean(log_range**2, 20, rows) / (4.0 * math.log(2.0)))


def garman_klass_volatility_ann_20(log_range: Floats, intraday_log_return: Floats, rows: Rows) -> Floats:
    """Root of the mean over 20 bars of 0.5 range^2 - (2 ln 2 - 1) intraday^2, in logarithms."""
    variance = 0.5 * log_range**2 - (2.0 * math.log(2.0) - 1.0) * intraday_log_return**2
    return _YEAR * np.sqrt(np.maximum(rolling_mean(variance, 20, rows), 0.0))


def _rogers_satchell(open: Floats, high: Floats, low: Floats, close: Floats) -> Floats:  # noqa: A002 - a column
    """Variance of one bar that does not depend on drift: ln(H/C) ln(H/O) + ln(L/C) ln(L/O)."""
    return log_ratio(high, close) * log_ratio(high, open) + log_ratio(low, close) * log_ratio(low, open)


def yang_zhang_volatility_ann_20(
    overnight_log_return: Floats, intraday_log_return: Floats, rogers_satchell: Floats, rows: Rows
) -> Floats:
    """Root of overnight variance + k intraday variance + (1 - k) mean Rogers-Satchell variance over 20 bars."""
    overnight = rolling_std(overnight_log_return, 20, 1, rows) ** 2
    intraday = rolling_std(intraday_log_return, 20, 1, rows) ** 2
    inside = np.maximum(rolling_mean(rogers_satchell, 20, rows), 0.0)
    return _YEAR * np.sqrt(overnight + _YANG_ZHANG_WEIGHT * intraday + (1.0 - _YANG_ZHANG_WEIGHT) * inside)


def downside_deviation_ann_60(log_return: Floats, rows: Rows) -> Floats:
    """Root of the mean of 60 squared log returns of which gains count as 0."""
    return _YEAR * np.sqrt(rolling_mean(np.minimum(log_return, 0.0) ** 2, 60, rows))
