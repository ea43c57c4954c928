"""The packaged public-domain history as a price panel."""

import datetime as dt
from functools import cache
from pathlib import Path

import bokeh_sampledata
import polars as pl

from quant_assets.strategies import PricePanel


@cache
def packaged_bars():
    """symbol, date, open, high, low, close, volume as traded, adjusted_close."""
    path = Path(bokeh_sampledata.__file__).parent / "_data" / "stocks.csv.gz"
    names = ["symbol", "date", "open", "high", "low", "close", "volume", "adjusted_close"]
    return pl.read_csv(path, new_columns=names).with_columns(pl.col("date").str.to_date())


def packaged_panel(symbols, *, start=dt.date(2000, 1, 1), end=dt.date(2013, 12, 31)):
    """Bars as packaged, without corporate actions."""
    bars = packaged_bars().filter(pl.col("symbol").is_in(symbols), pl.col("date").is_between(start, end))
    return PricePanel.from_frames(bars, symbols=symbols)
