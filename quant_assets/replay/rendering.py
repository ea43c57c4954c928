"""Bodies of data replies, byte for byte in the vendor's shapes: key names, order, number formats, line ends.

Plain daily prices have four decimals; adjusted daily prints the shortest decimal of every price, four decimals of a
dividend and at least one of a split. CSV lines end in CRLF, JSON is indented by four spaces, both run newest first.
Time series are rendered by the Polars CSV writer, JSON ones too: their double quotes are the writer's separator.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import polars as pl

from quant_assets.replay.actions import actions_by_bar, adjusted_closes
from quant_assets.replay.history import Listing, SymbolFrames

__all__ = [
    "COMPACT_BARS",
    "adjusted_csv",
    "adjusted_json",
    "daily_csv",
    "daily_json",
    "dividends_csv",
    "dividends_json",
    "listing_csv",
    "quote_csv",
    "quote_json",
    "search_csv",
    "search_json",
    "splits_csv",
    "splits_json",
    "vendor_json",
]

COMPACT_BARS = 100
"""Bars of a reply with ``outputsize=compact``."""

_TIME_ZONE = "US/Eastern"
_PRICES = ("open", "high", "low", "close")
_FOUR_DECIMALS = pl.Decimal(18, 4)
"""Rounds to four decimals; the writer prints it five times as fast as a float with a precision."""
_DAILY_INFORMATION = "Daily Prices (open, high, low, close) and Volumes"
_ADJUSTED_INFORMATION = "Daily Time Series with Splits and Dividend Events"
_SEARCH_FIELDS = (
    "symbol", "name", "type", "region", "marketOpen", "marketClose", "timezone", "currency", "matchScore",
)  # fmt: skip
_QUOTE_FIELDS = (
    ("symbol", "symbol"), ("open", "open"), ("high", "high"), ("low", "low"), ("price", "price"),
    ("volume", "volume"), ("latest trading day", "latestDay"), ("previous close", "previousClose"),
    ("change", "change"), ("change percent", "changePercent"),
)  # fmt: skip


def _newest_first(frame: pl.DataFrame, *, full: bool) -> pl.DataFrame:
    return (frame if full else frame.tail(COMPACT_BARS)).reverse()


def _adjusted_rows(frames: SymbolFrames, *, full: bool) -> pl.DataFrame:
    """Rows of the adjusted series, newest first, columns in CSV order."""
    bars = frames.bars
    paid, split = actions_by_bar(bars, frames.splits, frames.dividends)
    rows = bars.select(
        pl.col("date").alias("timestamp"),
        *_PRICES,
        pl.Series("adjusted_close", adjusted_closes(bars, frames.splits, frames.dividends)),
        "volume",
        pl.Series("dividend_amount", paid).cast(_FOUR_DECIMALS),
        pl.Series("split_coefficient", split),
    )
    return _newest_first(rows, full=full)


def _daily_rows(frames: SymbolFrames, *, full: bool) -> pl.DataFrame:
    bars = _newest_first(frames.bars, full=full)
    return bars.select(pl.col("date").alias("timestamp"), pl.col(_PRICES).cast(_FOUR_DECIMALS), "volume")


def _csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(line_terminator="\r\n", quote_style="never").encode()


def _series_json(rows: pl.DataFrame, head: dict[str, str], keys: Sequence[str]) -> bytes:
    start = vendor_json({"Meta Data": head}).removesuffix(b"\n}")
    start += b',\n    "Time Series (Daily)": {\n'
    if rows.is_empty():
        return start.removesuffix(b"\n") + b"}\n}"
    # `        "2013-03-01": {\n            "1. open": "438.0000",\n ...        },` with each quote a separator.
    cells: list[pl.Expr] = [pl.lit("        "), pl.col("timestamp"), pl.lit(": {\n            ")]
    for number, (key, column) in enumerate(zip(keys, rows.columns[1:], strict=True), start=1):
        after = ",\n            " if number < len(keys) else "\n        },"
        cells += [pl.lit(f"{number}. {key}"), pl.lit(": "), pl.col(column), pl.lit(after)]
    table = rows.select(cell.alias(str(position)) for position, cell in enumerate(cells))
    body = table.write_csv(include_header=False, separator='"', quote_style="never")
    return start + body.removesuffix(",\n").encode() + b"\n    }\n}"


def _meta(information: str, symbol: str, refreshed: str, *, full: bool) -> dict[str, str]:
    return {
        "1. Information": information,
        "2. Symbol": symbol,
        "3. Last Refreshed": refreshed,
        "4. Output Size": "Full size" if full else "Compact",
        "5. Time Zone": _TIME_ZONE,
    }


def daily_csv(frames: SymbolFrames, *, full: bool) -> bytes:
    """TIME_SERIES_DAILY as CSV."""
    return _csv(_daily_rows(frames, full=full))


def daily_json(frames: SymbolFrames, symbol: str, refreshed: str, *, full: bool) -> bytes:
    """TIME_SERIES_DAILY as JSON."""
    head = _meta(_DAILY_INFORMATION, symbol, refreshed, full=full)
    return _series_json(_daily_rows(frames, full=full), head, (*_PRICES, "volume"))


def adjusted_csv(frames: SymbolFrames, *, full: bool) -> bytes:
    """TIME_SERIES_DAILY_ADJUSTED as CSV."""
    return _csv(_adjusted_rows(frames, full=full))


def adjusted_json(frames: SymbolFrames, symbol: str, refreshed: str, *, full: bool) -> bytes:
    """TIME_SERIES_DAILY_ADJUSTED as JSON."""
    head = _meta(_ADJUSTED_INFORMATION, symbol, refreshed, full=full)
    keys = (*_PRICES, "adjusted close", "volume", "dividend amount", "split coefficient")
    return _series_json(_adjusted_rows(frames, full=full), head, keys)


def splits_csv(frames: SymbolFrames) -> bytes:
    """SPLITS as CSV; the header alone where there is none."""
    return _csv(frames.splits.reverse().cast({"split_factor": _FOUR_DECIMALS}))


def splits_json(frames: SymbolFrames, symbol: str) -> bytes:
    """SPLITS as JSON."""
    rows = [
        {"effective_date": f"{date}", "split_factor": f"{factor:.4f}"}
        for date, factor in frames.splits.reverse().rows()
    ]
    return vendor_json({"symbol": symbol, "data": rows})


def dividends_csv(frames: SymbolFrames) -> bytes:
    """DIVIDENDS as CSV. The dates other than the ex-date are unknown, which the vendor writes as None."""
    unknown = {f"{name}_date": pl.lit("None") for name in ("declaration", "record", "payment")}
    return _csv(frames.dividends.reverse().select("ex_dividend_date", **unknown, amount="amount"))


def dividends_json(frames: SymbolFrames, symbol: str) -> bytes:
    """DIVIDENDS as JSON."""
    unknown = {f"{name}_date": "None" for name in ("declaration", "record", "payment")}
    rows = [
        {"ex_dividend_date": f"{date}", **unknown, "amount": f"{amount}"}
        for date, amount in frames.dividends.reverse().rows()
    ]
    return vendor_json({"symbol": symbol, "data": rows})


def vendor_json(content: object) -> bytes:
    """JSON indented by four spaces, as the vendor sends it."""
    lines = orjson.dumps(content, option=orjson.OPT_INDENT_2).split(b"\n")
    return b"\n".join(b" " * (len(line) - len(line.lstrip(b" "))) + line for line in lines)


def _quote_values(bars: pl.DataFrame, symbol: str) -> list[str]:
    date, *prices, volume = bars.row(-1)
    before = bars.item(-2, "close") if bars.height > 1 else prices[-1]
    change = prices[-1] - before
    return [
        symbol,
        *(f"{price:.4f}" for price in prices),
        f"{volume}",
        f"{date}",
        f"{before:.4f}",
        f"{change:.4f}",
        f"{100 * change / before:.4f}%",
    ]


def quote_csv(frames: SymbolFrames, symbol: str) -> bytes:
    """GLOBAL_QUOTE as CSV."""
    header = ",".join(column for _, column in _QUOTE_FIELDS)
    return f"{header}\r\n{','.join(_quote_values(frames.bars, symbol))}\r\n".encode()


def quote_json(frames: SymbolFrames, symbol: str) -> bytes:
    """GLOBAL_QUOTE as JSON."""
    keys = [f"{number:02d}. {key}" for number, (key, _) in enumerate(_QUOTE_FIELDS, start=1)]
    return vendor_json({"Global Quote": dict(zip(keys, _quote_values(frames.bars, symbol), strict=True))})


def _search_values(listing: Listing, score: float) -> tuple[str, ...]:
    kind = "Equity" if listing.asset_type == "Stock" else listing.asset_type
    return (
        listing.symbol, listing.name, kind, "United States", "09:30", "16:00", "UTC-05", "USD", f"{score:.4f}",
    )  # fmt: skip


def search_csv(matches: Sequence[tuple[Listing, float]]) -> bytes:
    """SYMBOL_SEARCH as CSV, best match first."""
    lines = [_SEARCH_FIELDS, *(_search_values(listing, score) for listing, score in matches)]
    return "".join(f"{','.join(line)}\r\n" for line in lines).encode()


def search_json(matches: Sequence[tuple[Listing, float]]) -> bytes:
    """SYMBOL_SEARCH as JSON, best match first."""
    keys = [f"{number}. {name}" for number, name in enumerate(_SEARCH_FIELDS, start=1)]
    rows = [dict(zip(keys, _search_values(listing, score), strict=True)) for listing, score in matches]
    return vendor_json({"bestMatches": rows})


def listing_csv(listings: Sequence[Listing], *, delisted: bool) -> bytes:
    """LISTING_STATUS, which the vendor has as CSV alone."""
    lines = ["symbol,name,exchange,assetType,ipoDate,delistingDate,status"]
    for entry in listings:
        gone, status = (f"{entry.delisted_on}", "Delisted") if delisted else ("null", "Active")
        first = entry.listed_on or "null"
        name = f'"{entry.name}"' if "," in entry.name else entry.name
        lines.append(f"{entry.symbol},{name},{entry.exchange},{entry.asset_type},{first},{gone},{status}")
    return "".join(f"{line}\r\n" for line in lines).encode()
