"""Stored columns of version 2 about how a return came about: momentum, drawdown, night and day, shape.

Functions are columns, as in ``indicators``. Sources: N. Jegadeesh and S. Titman (1993), Returns to Buying Winners and
Selling Losers, J. Finance 48; T. George and C. Hwang (2004), The 52-Week High and Momentum Investing, J. Finance 59;
D. Lou, C. Polk and S. Skouras (2019), A Tug of War: Overnight versus Intraday Expected Returns, J. Financial Economics
134.
"""

from __future__ import annotations

import numpy as np

from quant_assets.features import parameters as p
from quant_assets.features.moments import rolling_correlation, rolling_max, rolling_skewness
from quant_assets.features.windows import Floats, Rows, lag, ratio, rolling_mean

__all__ = [
    "drawdown_252d",
    "intraday_return_20d",
    "momentum_12_1",
    "overnight_return_1d",
    "overnight_return_20d",
    "return_autocorrelation_60",
    "return_skewness_60",
]


def momentum_12_1(close: Floats, rows: Rows) -> Floats:
    """Return from 252 to 21 bars ago: twelve months without the last one."""
    return ratio(lag(close, p.MOMENTUM_SKIPPED_BARS, rows), lag(close, p.MOMENTUM_BARS, rows)) - 1.0


def drawdown_252d(close: Floats, rows: Rows) -> Floats:
    """Close relative to the highest close of 252 bars, minus 1."""
    return ratio(close, rolling_max(close, 252, rows)) - 1.0


def overnight_return_1d(open: Floats, close: Floats, rows: Rows) -> Floats:  # noqa: A002 - columns name parameters
    """Open relative to the close before, minus 1."""
    return ratio(open, lag(close, 1, rows)) - 1.0


def overnight_return_20d(overnight_log_return: Floats, rows: Rows) -> Floats:
    """Compounded return of the last 20 nights."""
    return np.expm1(20.0 * rolling_mean(overnight_log_return, 20, rows))


def intraday_return_20d(intraday_log_return: Floats, rows: Rows) -> Floats:
    """Compounded return of the last 20 sessions, open to close."""
    return np.expm1(20.0 * rolling_mean(intraday_log_return, 20, rows))


def return_skewness_60(log_return: Floats, rows: Rows) -> Floats:
    """Population skewness of 60 log returns."""
    return rolling_skewness(log_return, 60, p.LEAST_CHANGE, rows)


def return_autocorrelation_60(log_return: Floats, rows: Rows) -> Floats:
    """Correlation of 60 log returns with the ones before them."""
    return rolling_correlation(log_return, lag(log_return, 1, rows), 60, p.LEAST_CHANGE, rows)
