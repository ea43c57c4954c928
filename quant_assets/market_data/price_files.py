"""Importing a person's own price file: all of it or nothing, after a preview.

What a file's prices are adjusted for cannot be read from it, and storing adjusted prices as traded ones would be a
quiet error in every later number. So a file with Alpha Vantage's column names is taken as traded, which is what that
vendor sends, and any other must say what it is: ``splits`` (Yahoo's open, high, low, close, volume and dividends are
divided by all later splits, spin-offs among them, and so are Stooq's) or ``none`` (as traded). ``splits`` is undone
with the file's own column of splits or with the known ones. Prices adjusted for dividends cannot be imported: with
Stooq, switch that off before the download.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.errors import UsageError
from quant_assets.market_data.bar_order import in_order
from quant_assets.market_data.ports import BARS_SCHEMA
from quant_assets.market_data.price_file_columns import FileLayout, Vendor, recognise_columns
from quant_assets.market_data.price_file_rejects import MAX_DETAILS, RejectedPriceFileError
from quant_assets.market_data.price_file_splits import file_splits, undo_splits
from quant_assets.market_data.price_file_text import RawTable, read_raw_table
from quant_assets.market_data.price_file_values import Rejects, find_impossible_rows, parse_dates, parse_numbers

__all__ = ["FileSetting", "ImportOptions", "PriceFile", "read_price_file"]

_PRICES = ("open", "high", "low", "close")
_ADJUSTED_FOR = ("none", "splits")


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the person says about the file.

    Parameters
    ----------
    symbol : str or None
        The file's symbol; needed where neither a column nor the file's name has it.
    adjusted_for : str or None
        ``none`` or ``splits``; may be left out for a file with Alpha Vantage's column names.
    adjusted_on : date or None
        Day of the download, up to which splits are in the prices; the newest session where left out.
    """

    symbol: str | None = None
    adjusted_for: str | None = None
    adjusted_on: dt.date | None = None

    def __post_init__(self) -> None:
        if self.adjusted_for not in {None, *_ADJUSTED_FOR}:
            raise UsageError(f"--adjusted-for {self.adjusted_for!r} is not known; write none or splits")


@dataclass(frozen=True, slots=True)
class FileSetting:
    """What the home knows.

    Parameters
    ----------
    symbols : frozenset of str
        The universe; other symbols are refused.
    last_session : date
        Last finished session by the source's clock; later rows are in the future.
    calendar : TradingCalendar
        Sessions.
    actions : pl.DataFrame
        symbol, effective_date, kind, value: known corporate actions.
    splits_known_for : frozenset of str
        Symbols whose whole list of splits was received; without it nothing can be undone.
    """

    symbols: frozenset[str]
    last_session: dt.date
    calendar: TradingCalendar
    actions: pl.DataFrame
    splits_known_for: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PriceFile:
    """A file that can be imported.

    ``bars`` has ``BARS_SCHEMA``, as traded, sorted by symbol and date, each one once. ``skipped_lines`` held no price
    at all (Yahoo writes such lines). ``adjusted_for`` is what was undone.
    """

    bars: pl.DataFrame
    vendor: Vendor
    adjusted_for: str
    ignored_columns: tuple[str, ...]
    skipped_lines: tuple[int, ...]

    @property
    def is_reinvested_at_ex_close(self) -> bool:
        """How the adjusted close was made, for inference: Yahoo reinvests at the close before the ex-date."""
        return self.vendor is not Vendor.YAHOO


def read_price_file(path: Path, options: ImportOptions, setting: FileSetting) -> PriceFile:
    """Read, check and convert a price file.

    Parameters
    ----------
    path : Path
        CSV or Parquet, with the column names of Alpha Vantage, Yahoo or Stooq in any case.
    options : ImportOptions
        What the person says about it.
    setting : FileSetting
        Universe, clock, calendar and known splits.

    Raises
    ------
    RejectedPriceFileError
        One sentence on what to do; ``details`` lists the lines. Rejected are values that are no number (thousands
        separators included), dates in the future, before 1990 or without a session, repeated rows, missing or
        non-positive prices, a high below the low, symbols outside the universe.
    """
    raw = read_raw_table(path)
    layout = recognise_columns(path.name, raw.frame.columns)
    adjusted_for = _adjusted_for(path.name, layout, options)
    raw, skipped = _without_empty_rows(raw, layout)
    rejects = Rejects(raw)
    bars = parse_numbers(raw, layout, rejects).with_columns(
        parse_dates(raw, layout, rejects), symbol=_symbols(path, raw, layout, options, setting)
    )
    _reject_unknown_symbols(bars["symbol"], layout, rejects, setting)
    find_impossible_rows(bars, layout, rejects, setting.last_session, setting.calendar)
    if rejects.found:
        found = rejects.sorted()
        lines = len({reject.line for reject in found})
        raise RejectedPriceFileError(
            f"{path.name} is not imported: {lines} of its {len(raw.lines)} rows are rejected (first: {found[0]}); "
            "mend them and import again.",
            found[:MAX_DETAILS],
            len(found),
        )
    # Yahoo writes 0 where there is no split, Alpha Vantage 1.
    no_split = pl.col("split_coefficient") == 0
    bars = bars.with_columns(split_coefficient=pl.when(no_split).then(1.0).otherwise("split_coefficient"))
    bars = _without_single_precision_noise(in_order(bars))
    if adjusted_for == "splits":
        bars = _as_traded(path.name, bars, options, setting)
    volume = pl.col("volume").round().cast(pl.Int64)
    bars = bars.with_columns(volume).select(pl.col(name).cast(dtype) for name, dtype in BARS_SCHEMA.items())
    return PriceFile(bars, layout.vendor, adjusted_for, layout.ignored, skipped)


def _adjusted_for(file_name: str, layout: FileLayout, options: ImportOptions) -> str:
    if options.adjusted_for:
        return options.adjusted_for
    if layout.vendor is Vendor.ALPHA_VANTAGE:
        return "none"
    raise RejectedPriceFileError(
        f"{file_name} does not say what its prices are adjusted for; add --adjusted-for splits (files of Yahoo and "
        "Stooq) or --adjusted-for none (prices as traded)."
    )


def _without_empty_rows(raw: RawTable, layout: FileLayout) -> tuple[RawTable, tuple[int, ...]]:
    """Leave out rows without any price, and say which lines they were."""
    numbers = parse_numbers(raw, layout, Rejects(raw))
    texts = raw.frame.select(pl.col(layout.columns[name]).cast(pl.String).str.contains("[0-9]") for name in _PRICES)
    has_price = texts.select(pl.any_horizontal(pl.all().fill_null(value=False))).to_series()
    is_empty = ~has_price & (numbers["volume"].fill_null(0) == 0)
    if is_empty.all():
        raise RejectedPriceFileError("the file has no row with a price; nothing to import.")
    kept = (~is_empty).to_numpy()
    return RawTable(raw.frame.filter(kept), raw.lines[kept]), tuple(raw.lines[~kept].tolist())


def _symbols(path: Path, raw: RawTable, layout: FileLayout, options: ImportOptions, setting: FileSetting) -> pl.Series:
    if column := layout.columns.get("symbol"):
        if options.symbol:
            raise RejectedPriceFileError(
                f"{path.name} has a column of symbols ({column!r}); leave out --symbol, or take the column out."
            )
        return raw.frame[column].cast(pl.String).str.strip_chars().str.to_uppercase().str.strip_suffix(".US")
    symbol = options.symbol.upper() if options.symbol else _symbol_of_name(path, setting.symbols)
    return pl.Series([symbol]).new_from_index(0, len(raw.lines))


def _symbol_of_name(path: Path, symbols: frozenset[str]) -> str:
    """The one symbol of the universe in a name such as ``IBM.csv``, ``aapl_us_d.csv`` or ``daily_BRK-B.csv``."""
    words = set(re.split(r"[^A-Z0-9-]+", path.stem.upper()))
    found = sorted(words & symbols)
    if len(found) == 1:
        return found[0]
    raise RejectedPriceFileError(
        f"{path.name} has no column of symbols and its name does not tell which symbol of the universe it holds; "
        "add --symbol."
    )


def _reject_unknown_symbols(symbols: pl.Series, layout: FileLayout, rejects: Rejects, setting: FileSetting) -> None:
    if column := layout.columns.get("symbol"):
        # One line for each symbol: the others say the same.
        unknown = ~symbols.is_in(list(setting.symbols)) & symbols.is_first_distinct()
        rejects.add(unknown | symbols.is_null(), column, "it is not in the universe file; add it there first")
        return
    if (symbol := symbols[0]) not in setting.symbols:
        raise RejectedPriceFileError(f"{symbol!r} is not in the universe file; add it there before the import.")


def _without_single_precision_noise(bars: pl.DataFrame) -> pl.DataFrame:
    """Round prices kept in single precision to their seven digits: 118.559998 was 118.56."""
    return bars.with_columns(
        pl.when(((pl.col(name).cast(pl.Float32).cast(pl.Float64).round(6) - pl.col(name)).abs() < 6e-7).all())
        .then(pl.col(name).round_sig_figs(7))
        .otherwise(name)
        .alias(name)
        for name in _PRICES
    )


def _as_traded(file_name: str, bars: pl.DataFrame, options: ImportOptions, setting: FileSetting) -> pl.DataFrame:
    own = file_splits(bars)
    known = setting.splits_known_for | (frozenset(bars["symbol"].unique()) if own is not None else frozenset())
    if blind := sorted(set(bars["symbol"].unique()) - known):
        raise RejectedPriceFileError(
            f"{file_name} cannot be turned into prices as traded, because the splits of {', '.join(blind)} are not "
            "known here yet; run `quant run` once to fetch them, or use a file as traded."
        )
    through = options.adjusted_on or setting.last_session
    newest = bars["date"].max()
    if isinstance(newest, dt.date) and through < newest:
        raise RejectedPriceFileError(
            f"{file_name} has rows up to {newest}, after --adjusted-on {through}; give the day of its download."
        )
    return undo_splits(bars, own, setting.actions, through)
