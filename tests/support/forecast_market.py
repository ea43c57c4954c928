"""Small made-up markets and portfolios for the tests of the forecasts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cache

import numpy as np
import polars as pl

from quant_assets.forecasts.distribution import Origin
from quant_assets.forecasts.history import PriceHistory, price_history
from quant_assets.forecasts.holdings import Holdings, Positions, read_holdings
from quant_assets.forecasts.parameters import ForecastSettings
from quant_assets.forecasts.record import Record
from quant_assets.forecasts.rolling_origins import Extension, extend_record
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.settings import Portfolio

START = dt.date(2006, 1, 3)
QUICK = ForecastSettings(horizon_days=10, rolling_paths=300, nightly_paths=2_000)


def sessions(count: int, start: dt.date = START) -> list[dt.date]:
    """Exchange sessions from a date on."""
    calendar = new_york_calendar()
    return calendar.sessions_between(start, calendar.shift(start, count - 1))


def closes(symbols: Sequence[str], count: int, *, seed: int = 1, start: dt.date = START) -> pl.DataFrame:
    """Random walks with a common factor, volatility that changes every 120 sessions, and fat tails."""
    rng = np.random.default_rng(seed)
    market = rng.standard_t(5, count) * 0.007
    level = np.where(np.arange(count) // 120 % 2 == 0, 1.0, 2.0)
    dates = sessions(count, start)
    frames = []
    for place, symbol in enumerate(symbols):
        returns = level * (market * (0.8 + 0.3 * place) + rng.standard_normal(count) * 0.008) + 0.0004
        prices = 50.0 * (place + 1) * np.exp(np.cumsum(returns))
        frames.append(pl.DataFrame({"symbol": [symbol] * count, "date": dates, "close": prices}))
    return pl.concat(frames)


def history_of(frame: pl.DataFrame, symbols: Sequence[str]) -> PriceHistory:
    """The whole frame as a history."""
    return price_history(frame, symbols, new_york_calendar(), frame["date"].max())


def weights(**named: float) -> Holdings:
    """Holdings by weight, worth 100,000."""
    return read_holdings(Portfolio(value=100_000, weights=named))


def shares(cash: float = 0.0, **named: float) -> Holdings:
    """Holdings by number of shares."""
    return read_holdings(Portfolio(cash=cash, shares=named))


def origin_of(returns, values, *, cash: float = 0.0, horizon: int = 10, date: dt.date = dt.date(2010, 6, 30)) -> Origin:
    """An origin with made-up returns of shape (n, k) and money in each of k holdings."""
    returns = np.asarray(returns, dtype=np.float64)
    calendar = new_york_calendar()
    end = int(np.searchsorted(calendar.sessions, np.datetime64(date, "D")))
    return Origin(
        date=date,
        symbols=tuple("ABCDEFGH"[: returns.shape[1]]),
        sessions=calendar.sessions[end - len(returns) : end + 1],
        returns=returns,
        positions=Positions(np.asarray(values, dtype=np.float64), cash),
        days_ahead=(calendar.sessions[end + 1 : end + 1 + horizon] - calendar.sessions[end]).astype(np.float64),
    )


@cache
def judged_market() -> tuple[pl.DataFrame, Holdings, Extension]:
    """Two holdings over 760 sessions with their whole record, made once."""
    frame = closes(["AA", "BB"], 760)
    holdings = weights(AA=0.6, BB=0.4)
    extension = extend_record(
        Record.empty(QUICK.horizon_days), {}, history_of(frame, holdings.symbols), holdings, QUICK
    )
    return frame, holdings, extension
