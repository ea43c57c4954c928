"""Bars around a path of closes: opens, ranges and volumes that fit, prices in ticks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quant_assets.replay.synthetic.paths import autoregression
from quant_assets.replay.synthetic.streams import MARKET, Purpose, stream

__all__ = ["bar_matrix", "intraday_draws", "volume_path"]

Floats = npt.NDArray[np.float64]

_INTRADAY_SHARE = 0.75
"""Share of a day's return made between open and close; the rest is the overnight gap."""
_INTRADAY_NOISE = 0.35
_WICK = 0.35
"""Mean reach of high and low beyond open and close, as a share of the day's volatility (times 0.8)."""
_VOLUME_LOG_SD = 0.3
_VOLUME_PERSISTENCE = 0.85
_VOLUME_RESPONSE = 0.45
"""Log volume gained with each standard deviation of absolute return."""
_TYPICAL_SHARES = 2e6
_TYPICAL_MARKET_SHARES = 2e9


def _in_ticks(prices: Floats) -> Floats:
    """Cents, or hundredths of a cent below one unit of currency."""
    rounded: Floats = np.where(prices >= 1.0, np.round(prices, 2), np.maximum(np.round(prices, 4), 0.0001))
    return rounded


def bar_matrix(*, close: Floats, log_returns: Floats, volatilities: Floats, volume: Floats, draws: Floats) -> Floats:
    """Open, high, low, close, volume of every session, shape (sessions, 5); low <= open, close <= high.

    The open is reached from the close of the same day, so it is on the same basis on the day of a split or dividend.

    Parameters
    ----------
    close, log_returns, volatilities, volume : array of float, shape (sessions,)
        Close as traded, the day's log return and its standard deviation, shares.
    draws : array of float, shape (sessions, 3)
        Standard normal.
    """
    intraday = _INTRADAY_SHARE * log_returns + _INTRADAY_NOISE * volatilities * draws[:, 0]
    opened = close * np.exp(-intraday)
    reach = _WICK * volatilities
    high = np.maximum(opened, close) * np.exp(reach * np.abs(draws[:, 1]))
    low = np.minimum(opened, close) * np.exp(-reach * np.abs(draws[:, 2]))
    prices = _in_ticks(np.column_stack((opened, high, low, close)))
    return np.column_stack((prices, np.round(volume)))


def volume_path(log_returns: Floats, volatilities: Floats, seed: int, number: int) -> Floats:
    """Shares traded before splits: a persistent level of its own, higher on days of large moves."""
    generator = stream(seed, Purpose.VOLUME, number)
    level = (_TYPICAL_MARKET_SHARES if number == MARKET else _TYPICAL_SHARES) * np.exp(generator.standard_normal())
    shocks = generator.standard_normal(len(log_returns)) * _VOLUME_LOG_SD * np.sqrt(1 - _VOLUME_PERSISTENCE**2)
    swings = autoregression(shocks, _VOLUME_PERSISTENCE)
    shares: Floats = level * np.exp(swings + _VOLUME_RESPONSE * np.abs(log_returns) / volatilities)
    return shares


def intraday_draws(seed: int, number: int, sessions: int) -> Floats:
    """Standard normal draws of :func:`bar_matrix`."""
    return stream(seed, Purpose.INTRADAY, number).standard_normal((sessions, 3))
