"""Bars for the sentinel's tests: a small made-up market, and the packaged history with its corporate actions."""

import datetime as dt
from functools import cache

import numpy as np
import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.tables import CORPORATE_ACTIONS, DAILY_PRICES
from quant_assets.quality.scan_state import ScanInput
from quant_assets.replay.packaged import PACKAGED_TODAY, packaged_history

NOW = dt.datetime(2013, 3, 2, 2, 0, tzinfo=dt.UTC)
START = dt.date(2010, 1, 4)


def as_stored(bars, *, seen_at=NOW):
    """Bars with the further columns of market_data.daily_prices."""
    return bars.with_columns(
        pl.lit(None, dtype=pl.Float64).alias("adjusted_close"),
        pl.lit(None, dtype=pl.Float64).alias("dividend_amount"),
        pl.lit(None, dtype=pl.Float64).alias("split_coefficient"),
        pl.lit("test").alias("source"),
        pl.lit(seen_at).cast(pl.Datetime("us", "UTC")).alias("first_seen_at"),
        pl.lit(seen_at).cast(pl.Datetime("us", "UTC")).alias("updated_at"),
    ).select(pl.col(name).cast(dtype) for name, dtype in DAILY_PRICES.polars_schema.items())


def made_up_bars(symbols=6, sessions=300, *, seed=1, volatility=0.015, start=START):
    """Sane bars of a market with a common factor; prices to the cent, every session of every symbol."""
    rng = np.random.default_rng(seed)
    calendar = new_york_calendar()
    dates = calendar.sessions_between(start, dt.date(2025, 12, 31))[:sessions]
    market = rng.normal(0, volatility * 0.6, sessions)
    frames = []
    for number in range(symbols):
        moves = market + rng.normal(0, volatility * 0.8, sessions)
        close = np.round((40.0 + 10 * number) * np.exp(np.cumsum(moves)), 2)
        opened = np.round(close * np.exp(rng.normal(0, volatility / 3, sessions)), 2)
        reach = np.abs(rng.normal(0, volatility / 2, (2, sessions))) + 0.002
        frames.append(
            pl.DataFrame(
                {
                    "symbol": [f"S{number}"] * sessions,
                    "date": dates,
                    "open": opened,
                    "high": np.round(np.maximum(opened, close) * np.exp(reach[0]), 2),
                    "low": np.round(np.minimum(opened, close) * np.exp(-reach[1]), 2),
                    "close": close,
                    "volume": np.round(1e6 * np.exp(rng.normal(0, 0.3, sessions))).astype(int),
                }
            )
        )
    return pl.concat(frames)


def no_actions():
    """No corporate action."""
    return CORPORATE_ACTIONS.empty()


def actions_of(*rows):
    """Corporate actions from (symbol, date, kind, value)."""
    frame = pl.DataFrame(rows, schema=["symbol", "effective_date", "kind", "value"], orient="row")
    return frame.with_columns(
        pl.lit("test").alias("source"), pl.lit(NOW).cast(pl.Datetime("us", "UTC")).alias("first_seen_at")
    ).select(pl.col(name).cast(dtype) for name, dtype in CORPORATE_ACTIONS.polars_schema.items())


def scan_input(bars, actions=None, **changes):
    """A scan of stored bars as of their newest session."""
    return ScanInput(
        bars=bars,
        actions=no_actions() if actions is None else actions,
        calendar=new_york_calendar(),
        **{"as_of": bars["date"].max(), "now": NOW, "run_id": "test", **changes},
    )


def changed(bars, symbol, date, **values):
    """Bars with some values of one bar replaced: a number, or an expression of the columns."""
    here = (pl.col("symbol") == symbol) & (pl.col("date") == date)
    return bars.with_columns(
        pl.when(here).then(value).otherwise(pl.col(name)).cast(bars.schema[name]).alias(name)
        for name, value in values.items()
    )


@cache
def packaged():
    """The packaged history as stored bars and corporate actions, up to the replay's today."""
    history = packaged_history()
    bars, actions = [], []
    for symbol in history.symbols():
        bars.append(history.bars(symbol).with_columns(pl.lit(symbol).alias("symbol")))
        actions.extend((symbol, date, "split", factor) for date, factor in history.splits(symbol).iter_rows())
        actions.extend((symbol, date, "dividend", cash) for date, cash in history.dividends(symbol).iter_rows())
    stored = as_stored(pl.concat(bars).filter(pl.col("date") <= PACKAGED_TODAY)).sort("symbol", "date")
    return stored, actions_of(*actions)
