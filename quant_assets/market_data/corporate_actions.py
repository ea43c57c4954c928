"""Corporate actions as evidence: what bars, the vendor's lists and adjusted closes each say.

Each function reads one source and returns an :class:`ActionEvidence`; ``action_reconciliation`` makes one table
of them. Kinds:

- ``split``: ``value`` is shares after for one share before (2 for two-for-one, 0.1 for a reverse split);
- ``spin_off``: ``value`` is the price ratio of the vendor's split channel (1.046); shares do not change;
- ``dividend``: currency per share as paid, in units of the share as it trades on the effective date;
- ``special_dividend``: the same, above 5 % of the price: named by size alone, the vendor does not tell them apart.

An action's effective date is the ex-date: the first session on which the share trades without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from quant_assets.market_data.split_factors import SPIN_OFF, SPLIT, read_split_factor

__all__ = [
    "CASH_KINDS",
    "DIVIDEND",
    "FACTOR_KINDS",
    "FOUND_SCHEMA",
    "INFERRED",
    "SPECIAL_DIVIDEND",
    "SPECIAL_DIVIDEND_YIELD",
    "VENDOR_BARS",
    "VENDOR_DIVIDENDS",
    "VENDOR_SPLITS",
    "ActionEvidence",
    "actions_from_bars",
    "actions_from_dividend_list",
    "actions_from_split_list",
    "found_actions",
    "named_by_size",
]

DIVIDEND = "dividend"
SPECIAL_DIVIDEND = "special_dividend"
FACTOR_KINDS = (SPLIT, SPIN_OFF)
CASH_KINDS = (DIVIDEND, SPECIAL_DIVIDEND)

VENDOR_BARS = "vendor_bars"
VENDOR_SPLITS = "vendor_splits"
VENDOR_DIVIDENDS = "vendor_dividends"
INFERRED = "inferred"

SPECIAL_DIVIDEND_YIELD = 0.05
"""Above this part of the ex-date close a dividend is called special. Regular quarterly ones stay near 1 to 2 %;
in the packaged history the largest regular one is 0.9 % and the one special dividend (MSFT, 2004-11-15) 11.2 %."""

FOUND_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "effective_date": pl.Date(),
    "kind": pl.String(),
    "value": pl.Float64(),
    "source": pl.String(),
}


@dataclass(frozen=True, slots=True)
class ActionEvidence:
    """What one source says.

    Parameters
    ----------
    source : str
        ``vendor_bars``, ``vendor_splits``, ``vendor_dividends``, ``inferred``, or the name of an import.
    actions : pl.DataFrame
        ``FOUND_SCHEMA``. Inferred cash is the whole amount implied for the date, recorded dividends included.
    looked_at : pl.DataFrame
        symbol and, where the source speaks of single days, date: where it would have said so if there had been an
        action. A stored action of the same source there, but not in ``actions``, has been withdrawn.
    unexplained : pl.DataFrame
        symbol, date, ratio: moves of the adjusted close that are no action (inference only, else empty).
    """

    source: str
    actions: pl.DataFrame
    looked_at: pl.DataFrame
    unexplained: pl.DataFrame


def _no_unexplained() -> pl.DataFrame:
    return pl.DataFrame(schema={"symbol": pl.String, "date": pl.Date, "ratio": pl.Float64})


def _with_read_factors(frame: pl.DataFrame) -> pl.DataFrame:
    """Replace each split factor by its cleaned kind and value; rows without an event go."""
    read = {factor: read_split_factor(factor) for factor in frame["value"].unique().drop_nulls().to_list()}
    kinds = {factor: found.kind for factor, found in read.items() if found is not None}
    values = {factor: found.value for factor, found in read.items() if found is not None}
    return frame.with_columns(
        kind=pl.col("value").replace_strict(kinds, default=None, return_dtype=pl.String),
        value=pl.col("value").replace_strict(values, default=None, return_dtype=pl.Float64),
    ).drop_nulls(["kind", "value"])


def found_actions(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    """Rows with symbol, effective_date, kind, value as ``FOUND_SCHEMA``, stamped with their source."""
    stamped = frame.with_columns(source=pl.lit(source))
    return stamped.select(pl.col(name).cast(dtype) for name, dtype in FOUND_SCHEMA.items())


def actions_from_bars(bars: pl.DataFrame, *, source: str = VENDOR_BARS) -> ActionEvidence:
    """Read the events that bars of the adjusted function carry.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, dividend_amount, split_coefficient. Null means that the function does not tell: such bars say
        nothing, neither that there was an action nor that there was none. A dividend of 0, a coefficient of 1 and
        values that cannot be (negative, coefficient 0) mean no action.
    source : str
        Recorded as the actions' source.
    """
    telling = bars.filter(pl.col("dividend_amount").is_not_null() | pl.col("split_coefficient").is_not_null())
    cash = telling.filter((pl.col("dividend_amount") > 0) & pl.col("dividend_amount").is_finite()).select(
        "symbol", effective_date="date", kind=pl.lit(DIVIDEND), value="dividend_amount"
    )
    factors = telling.filter((pl.col("split_coefficient") > 0) & (pl.col("split_coefficient") != 1)).select(
        "symbol", effective_date="date", kind=pl.lit(SPLIT), value="split_coefficient"
    )
    found = pl.concat([found_actions(cash, source), found_actions(_with_read_factors(factors), source)])
    looked_at = telling.drop_nulls(["dividend_amount", "split_coefficient"]).select("symbol", "date")
    return ActionEvidence(source, found.sort("symbol", "effective_date", "kind"), looked_at, _no_unexplained())


def actions_from_split_list(listed: pl.DataFrame, symbols: list[str]) -> ActionEvidence:
    """Read replies of SPLITS.

    Parameters
    ----------
    listed : pl.DataFrame
        ``ACTIONS_SCHEMA``; empty where the vendor knows no split.
    symbols : list of str
        The symbols whose list was received. A list is whole, so what it no longer holds has been withdrawn.
    """
    rows = listed.filter(pl.col("kind") == SPLIT).drop_nulls(["effective_date", "value"])
    found = found_actions(_with_read_factors(rows), VENDOR_SPLITS).unique(
        ["symbol", "effective_date"], maintain_order=True
    )
    return ActionEvidence(VENDOR_SPLITS, found, pl.DataFrame({"symbol": symbols}), _no_unexplained())


def actions_from_dividend_list(listed: pl.DataFrame, symbols: list[str]) -> ActionEvidence:
    """Read replies of DIVIDENDS; parameters as for :func:`actions_from_split_list`.

    Two amounts on one date (a regular and a special dividend) are both kept. Dates may lie ahead: dividends are
    listed once declared.
    """
    rows = listed.filter((pl.col("kind") == DIVIDEND) & (pl.col("value") > 0) & pl.col("value").is_finite())
    found = found_actions(rows.drop_nulls(["effective_date"]), VENDOR_DIVIDENDS)
    return ActionEvidence(VENDOR_DIVIDENDS, found, pl.DataFrame({"symbol": symbols}), _no_unexplained())


def named_by_size(actions: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Call a dividend special above 5 % of the close on its effective date, or on the first bar after it.

    Parameters
    ----------
    actions : pl.DataFrame
        ``FOUND_SCHEMA``; splits and spin-offs pass through.
    bars : pl.DataFrame
        symbol, date, close as traded. Without a bar on or after the date the dividend keeps its kind.
    """
    is_cash = pl.col("kind").is_in(CASH_KINDS)
    day = ["symbol", "effective_date"]
    closes = bars.select("symbol", effective_date="date", close="close").filter(pl.col("close") > 0)
    priced = actions.join(closes.join(actions, on=day, how="semi"), on=day, how="left")
    # Nearly every date has its bar; the search for the next one runs over the few symbols that lack it.
    gaps = priced.filter(is_cash & pl.col("close").is_null())
    later = (
        gaps.drop("close")
        .sort("effective_date")
        .join_asof(
            closes.join(gaps, on="symbol", how="semi").sort("effective_date"),
            on="effective_date",
            by="symbol",
            strategy="forward",
            coalesce=True,
            check_sortedness=False,
        )
    )
    priced = pl.concat([priced.filter(~is_cash | pl.col("close").is_not_null()), later.select(priced.columns)])
    is_special = pl.col("value") > SPECIAL_DIVIDEND_YIELD * pl.col("close")
    by_size = pl.when(is_special).then(pl.lit(SPECIAL_DIVIDEND)).otherwise(pl.lit(DIVIDEND))
    renamed = pl.when(is_cash & pl.col("close").is_not_null()).then(by_size).otherwise("kind")
    return priced.with_columns(kind=renamed).select(FOUND_SCHEMA.keys())
