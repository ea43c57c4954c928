"""A client as plain as can be for replay servers in tests, and tiny histories to serve."""

import datetime as dt

import httpx
import polars as pl

from quant_assets.replay.history import BARS_SCHEMA, DIVIDENDS_SCHEMA, SPLITS_SCHEMA, FrameHistory, SymbolFrames
from quant_assets.replay.server import ReplayServer

KEY = "a-key-of-the-tests"


def call(server: ReplayServer, function: str, *, timeout: float = 10.0, **parameters: str) -> httpx.Response:
    """One call of the vendor's protocol on a connection of its own."""
    query = {"function": function, "apikey": KEY, **parameters}
    return httpx.get(server.url, params=query, timeout=timeout)


def bars_frame(closes: dict[dt.date, float], *, volume: int = 1000) -> pl.DataFrame:
    """Bars whose open is their close, with a range of one unit at either side."""
    rows = [(date, close, close + 1, close - 1, close, volume) for date, close in closes.items()]
    return pl.DataFrame(rows, schema=BARS_SCHEMA, orient="row")


def splits_frame(*rows: tuple[dt.date, float]) -> pl.DataFrame:
    """Splits: effective date and factor."""
    return pl.DataFrame(list(rows), schema=SPLITS_SCHEMA, orient="row")


def dividends_frame(*rows: tuple[dt.date, float]) -> pl.DataFrame:
    """Dividends: ex-date and amount."""
    return pl.DataFrame(list(rows), schema=DIVIDENDS_SCHEMA, orient="row")


def one_symbol_history(bars: pl.DataFrame, symbol: str = "TEST", **frames: pl.DataFrame) -> FrameHistory:
    """A history of one symbol."""
    return FrameHistory({symbol: SymbolFrames(bars, **frames)}, identity="test")
