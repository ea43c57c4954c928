"""What the replay server serves: the histories of some symbols, as one small protocol.

A history holds the whole truth, later events and corrections included. What of it may be seen at an instant is decided
in :mod:`quant_assets.replay.vintage`, never here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import polars as pl

from quant_assets.foundation.errors import UsageError

__all__ = [
    "BARS_SCHEMA",
    "DIVIDENDS_SCHEMA",
    "RESTATEMENTS_SCHEMA",
    "SPLITS_SCHEMA",
    "FrameHistory",
    "History",
    "Listing",
    "SymbolFrames",
]

BARS_SCHEMA: dict[str, pl.DataType] = {
    "date": pl.Date(),
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Int64(),
}
"""Bars as traded: prices in the currency of the day with at most four decimals, volume in shares of the day."""

SPLITS_SCHEMA: dict[str, pl.DataType] = {"effective_date": pl.Date(), "split_factor": pl.Float64()}
"""New shares per old share, from the open of ``effective_date``."""

DIVIDENDS_SCHEMA: dict[str, pl.DataType] = {"ex_dividend_date": pl.Date(), "amount": pl.Float64()}
"""Currency per share as paid, in shares of the ex-date."""

RESTATEMENTS_SCHEMA: dict[str, pl.DataType] = {
    "date": pl.Date(),
    "field": pl.String(),
    "earlier_value": pl.Float64(),
    "restated_on": pl.Date(),
}
"""``field`` of the bar of ``date`` was served as ``earlier_value`` until the session of ``restated_on`` was over."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of the vendor's listing file; ``delisted_on`` is the date of the last bar of a dead symbol."""

    symbol: str
    name: str
    asset_type: str = "Stock"
    exchange: str = "NYSE"
    listed_on: dt.date | None = None
    delisted_on: dt.date | None = None


class History(Protocol):
    """The whole history of some symbols. Frames are sorted by date and hold no null."""

    @property
    def identity(self) -> str:
        """Names the history for good: ``packaged`` or ``synthetic-<seed>``."""
        ...

    @property
    def last_session(self) -> dt.date:
        """Session after which the clock of a replay stands unless it is moved."""
        ...

    def symbols(self) -> tuple[str, ...]:
        """Every symbol, dead and not yet listed ones included."""
        ...

    def listing(self, symbol: str) -> Listing:
        """Name and listing interval of a symbol."""
        ...

    def bars(self, symbol: str) -> pl.DataFrame:
        """Bars as traded (``BARS_SCHEMA``)."""
        ...

    def splits(self, symbol: str) -> pl.DataFrame:
        """Splits (``SPLITS_SCHEMA``)."""
        ...

    def dividends(self, symbol: str) -> pl.DataFrame:
        """Dividends (``DIVIDENDS_SCHEMA``)."""
        ...

    def restatements(self, symbol: str) -> pl.DataFrame:
        """Values that were served differently at first (``RESTATEMENTS_SCHEMA``)."""
        ...


@dataclass(frozen=True, slots=True)
class SymbolFrames:
    """The frames of one symbol; what is left out is empty."""

    bars: pl.DataFrame
    splits: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SPLITS_SCHEMA))
    dividends: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DIVIDENDS_SCHEMA))
    restatements: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=RESTATEMENTS_SCHEMA))

    def __post_init__(self) -> None:
        for name, schema in (
            ("bars", BARS_SCHEMA),
            ("splits", SPLITS_SCHEMA),
            ("dividends", DIVIDENDS_SCHEMA),
            ("restatements", RESTATEMENTS_SCHEMA),
        ):
            frame: pl.DataFrame = getattr(self, name)
            if dict(frame.schema) != schema:
                raise UsageError(f"the {name} of a history need the columns {schema}, not {dict(frame.schema)}")
            dates = frame.to_series(0)
            if not dates.is_sorted() or (name == "bars" and not dates.is_unique().all()):
                raise UsageError(f"the {name} of a history must be sorted by date, bars without a repeated date")


@dataclass(frozen=True)
class FrameHistory:
    """A history held in memory.

    Parameters
    ----------
    frames : mapping of symbol to SymbolFrames
        At least one symbol.
    identity : str
        Sent to clients as the name of the source.
    listings : mapping of symbol to Listing, optional
        Symbols left out are listed as stocks under their own symbol from their first bar.
    default_session : date, optional
        Session after which the clock stands unless moved; the newest bar's where it is not given.
    """

    frames: Mapping[str, SymbolFrames]
    identity: str = "frames"
    listings: Mapping[str, Listing] = field(default_factory=dict)
    default_session: dt.date | None = None

    def __post_init__(self) -> None:
        if not any(frames.bars.height for frames in self.frames.values()):
            raise UsageError("a history needs at least one symbol with a bar")

    @property
    def last_session(self) -> dt.date:
        """``default_session``, or the date of the newest bar."""
        if self.default_session is not None:
            return self.default_session
        newest: dt.date = max(frames.bars.item(-1, "date") for frames in self.frames.values() if frames.bars.height)
        return newest

    def symbols(self) -> tuple[str, ...]:
        """Symbols in the order given."""
        return tuple(self.frames)

    def listing(self, symbol: str) -> Listing:
        """The listing given, or one under the symbol itself; listed from the first bar where it does not say."""
        listing = self.listings.get(symbol, Listing(symbol, symbol))
        bars = self.frames[symbol].bars
        if listing.listed_on is None and bars.height:
            listing = replace(listing, listed_on=bars.item(0, "date"))
        return listing

    def bars(self, symbol: str) -> pl.DataFrame:
        """Bars as given."""
        return self.frames[symbol].bars

    def splits(self, symbol: str) -> pl.DataFrame:
        """Splits as given."""
        return self.frames[symbol].splits

    def dividends(self, symbol: str) -> pl.DataFrame:
        """Dividends as given."""
        return self.frames[symbol].dividends

    def restatements(self, symbol: str) -> pl.DataFrame:
        """Restatements as given."""
        return self.frames[symbol].restatements
