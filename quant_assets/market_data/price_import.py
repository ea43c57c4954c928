"""What an import would change, shown before anything is stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.market_data.corporate_actions import actions_from_bars
from quant_assets.market_data.price_files import PriceFile
from quant_assets.market_data.price_merge import PriceMerge, merge_bars
from quant_assets.market_data.split_factors import SPLIT, suspect_jumps

__all__ = ["ImportPreview", "preview_import"]

_SAMPLE_ROWS = 5
_SHARED_TO_JUDGE = 5
"""Days that file and table must share before their closes are compared."""
_CLOSES_APART = 0.01
"""Closes that differ by 1 % in the middle are not the same prices; restatements touch single days."""

_TOLD_JUMP = np.log(1.4)
"""Between the ratios 4/3 and 3/2, as a logarithm."""


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What storing the file would do, for a person to agree to.

    Parameters
    ----------
    merge : PriceMerge
        New and changed bars, revisions, counts.
    symbols : pl.DataFrame
        symbol, first_date, last_date, rows, new, changed, restated, unchanged, missing_sessions (sessions between the
        file's ends without a row).
    new_sample, revision_sample : pl.DataFrame
        A few of the rows that would be stored, and of the values that would replace others.
    warnings : tuple of str
        Sentences on what looks wrong, such as closes that do not fit the stored ones.
    """

    merge: PriceMerge
    symbols: pl.DataFrame
    new_sample: pl.DataFrame
    revision_sample: pl.DataFrame
    warnings: tuple[str, ...]


def preview_import(
    file: PriceFile, stored: pl.DataFrame, actions: pl.DataFrame, calendar: TradingCalendar
) -> ImportPreview:
    """Compare a file with what is stored.

    Parameters
    ----------
    file : PriceFile
        From ``read_price_file``.
    stored : pl.DataFrame
        Rows of market_data.daily_prices of the file's symbols.
    actions : pl.DataFrame
        symbol, effective_date, kind, value: known corporate actions.
    calendar : TradingCalendar
        Sessions.
    """
    merge = merge_bars(stored, file.bars)
    expected = [
        len(calendar.sessions_between(first, last))
        for first, last in merge.per_symbol.select("first_date", "last_date").iter_rows()
    ]
    symbols = merge.per_symbol.with_columns(missing_sessions=pl.Series(expected, dtype=pl.Int64) - pl.col("rows"))
    warnings = [
        *_closes_apart(file.bars, stored),
        *_split_days(file.bars, actions),
        *(
            f"{symbol} lacks {missing} sessions between {first} and {last}."
            for symbol, missing, first, last in symbols.filter(pl.col("missing_sessions") > 0)
            .select("symbol", "missing_sessions", "first_date", "last_date")
            .iter_rows()
        ),
    ]
    if file.ignored_columns:
        warnings.append(f"The columns {', '.join(file.ignored_columns)} are not used.")
    if file.skipped_lines:
        warnings.append(f"{len(file.skipped_lines)} lines without any price are left out.")
    return ImportPreview(
        merge=merge,
        symbols=symbols,
        new_sample=merge.new.head(_SAMPLE_ROWS),
        revision_sample=merge.revisions.head(_SAMPLE_ROWS),
        warnings=tuple(warnings),
    )


def _closes_apart(bars: pl.DataFrame, stored: pl.DataFrame) -> list[str]:
    """Symbols whose closes differ from the stored ones as a whole: another adjustment, or another share."""
    shared = bars.select("symbol", "date", "close").join(
        stored.select("symbol", "date", stored_close="close"), on=["symbol", "date"]
    )
    ratios = (
        shared.group_by("symbol")
        .agg(days=pl.len(), ratio=(pl.col("close") / pl.col("stored_close")).median())
        .filter((pl.col("days") >= _SHARED_TO_JUDGE) & ((pl.col("ratio") - 1).abs() > _CLOSES_APART))
        .sort("symbol")
    )
    return [
        f"{symbol}: on the {days} days that are stored already the file's closes are {ratio:.4g} times the stored "
        "ones; check --adjusted-for and the symbol."
        for symbol, days, ratio in ratios.iter_rows()
    ]


def _split_days(bars: pl.DataFrame, actions: pl.DataFrame) -> list[str]:
    """Known splits that the prices do not show, and jumps like splits that no known one explains."""
    closes = bars.select("symbol", "date", "close").with_columns(
        previous_close=pl.col("close").shift(1).over("symbol"), previous_date=pl.col("date").shift(1).over("symbol")
    )
    splits = actions.filter(pl.col("kind") == SPLIT).select("symbol", "effective_date", ratio="value")
    days = closes.join(splits, on="symbol").filter(
        (pl.col("effective_date") > pl.col("previous_date")) & (pl.col("effective_date") <= pl.col("date"))
    )
    jump, expected = np.log(days["previous_close"] / days["close"]), np.log(days["ratio"])
    smooth = days.filter(np.abs(jump) < np.abs(jump - expected))
    listed = [
        f"{symbol} does not move on {date}, where a split by {ratio:.4g} is known: its prices look adjusted for splits."
        for symbol, date, ratio in smooth.select("symbol", "effective_date", "ratio").iter_rows()
    ]
    # The file's own splits explain their days; smaller ratios than 3 for 2 are met by common crashes.
    known = pl.concat(
        [one.select("symbol", "effective_date", "kind") for one in (actions, actions_from_bars(bars).actions)]
    )
    jumps = suspect_jumps(bars, known).filter(pl.col("ratio").log().abs() > _TOLD_JUMP)
    return listed + [
        f"{symbol} moves on {date} as if by a split of {ratio:.4g}, and none is known."
        for symbol, date, ratio in jumps.iter_rows()
    ]
