"""Packaged history: real public prices that come with two installed packages, served without any key.

- ``bokeh_sampledata``: AAPL, FB, GOOG, IBM and MSFT, 2000-03-01 (or their listing) to 2013-03-01. Prices and volume are
  as traded; splits and dividends are derived from the adjusted close, which also holds later events (AAPL's is based
  on a day after its split of 2014) and is therefore never served.
- ``arch``: daily bars of the S&P 500 (SPX) and the NASDAQ Composite (IXIC), 1999 to 2018, without events.

The files are read where they lie, without importing the packages (``arch`` alone takes over a second to import).
"""

from __future__ import annotations

import datetime as dt
import gzip
import importlib.util
from functools import lru_cache
from pathlib import Path

import polars as pl

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.replay.actions import derive_actions
from quant_assets.replay.history import BARS_SCHEMA, FrameHistory, Listing, SymbolFrames

__all__ = ["PACKAGED_TODAY", "packaged_history", "packaged_stock_closes"]

PACKAGED_TODAY = dt.date(2013, 3, 1)
"""Newest session of the packaged stocks: where the clock of the embedded source stands unless moved."""

_STOCK_DECIMALS = 4
_INDEX_DECIMALS = 2
"""The index files went through 32-bit floats (1229.22998); their levels are published to the cent."""
_LISTINGS = {
    "AAPL": Listing("AAPL", "Apple Inc", exchange="NASDAQ"),
    "FB": Listing("FB", "Facebook Inc", exchange="NASDAQ"),
    "GOOG": Listing("GOOG", "Google Inc", exchange="NASDAQ"),
    "IBM": Listing("IBM", "International Business Machines Corp", exchange="NYSE"),
    "MSFT": Listing("MSFT", "Microsoft Corporation", exchange="NASDAQ"),
    "SPX": Listing("SPX", "S&P 500", asset_type="Index", exchange="NYSE"),
    "IXIC": Listing("IXIC", "NASDAQ Composite", asset_type="Index", exchange="NASDAQ"),
}
_INDEX_FILES = {"SPX": "data/sp500/sp500.csv.gz", "IXIC": "data/nasdaq/nasdaq.csv.gz"}


def _packaged_file(package: str, path: str) -> bytes:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (file := Path(folder) / path).is_file():
            return gzip.decompress(file.read_bytes())
    raise ConfigurationError(
        f"the packaged history {path} of {package} is not installed; install it with: pip install {package}"
    )


def packaged_stock_closes() -> pl.DataFrame:
    """The packaged stocks as packaged: symbol, date, open, high, low, close, volume, adjusted_close; sorted.

    ``adjusted_close`` looks ahead: it holds events after the newest bar. It is here to derive actions from and to
    check them against.
    """
    names = ["symbol", "date", "open", "high", "low", "close", "volume", "adjusted_close"]
    frame = pl.read_csv(_packaged_file("bokeh_sampledata", "_data/stocks.csv.gz"), try_parse_dates=True)
    return frame.rename(dict(zip(frame.columns, names, strict=True))).sort("symbol", "date")


def _vendor_bars(frame: pl.DataFrame, decimals: int) -> pl.DataFrame:
    prices = pl.col("open", "high", "low", "close").cast(pl.Float64).round(decimals)
    return frame.select("date", prices, pl.col("volume").cast(pl.Int64)).match_to_schema(BARS_SCHEMA)


def _index_frames(path: str) -> SymbolFrames:
    raw = pl.read_csv(_packaged_file("arch", path)).rename(str.lower)
    dated = raw.with_columns(pl.col("date").str.to_date("%m/%d/%Y")).sort("date")
    return SymbolFrames(_vendor_bars(dated, _INDEX_DECIMALS))


@lru_cache(maxsize=1)
def packaged_history() -> FrameHistory:
    """The seven packaged symbols, read once per process (tens of milliseconds).

    The indices run to the end of 2018; a replay whose clock is not moved past :data:`PACKAGED_TODAY` withholds that.

    Raises
    ------
    ConfigurationError
        Where a package that holds the files is not installed.
    """
    frames: dict[str, SymbolFrames] = {}
    for (symbol,), stock in packaged_stock_closes().group_by("symbol", maintain_order=True):
        splits, dividends = derive_actions(stock)
        frames[str(symbol)] = SymbolFrames(_vendor_bars(stock, _STOCK_DECIMALS), splits, dividends)
    for symbol, path in _INDEX_FILES.items():
        frames[symbol] = _index_frames(path)
    return FrameHistory(frames, identity="packaged", listings=_LISTINGS, default_session=PACKAGED_TODAY)
