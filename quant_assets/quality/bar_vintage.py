"""Which stored bars were never scored as they are now: new ones, and restated ones.

``updated_at`` alone does not tell: it is the source's clock, and that of a replay stands still while a person imports a
bar, so a restatement can carry the very instant of what it replaces. The values therefore count too, through a weighted
sum that the scores keep and that SQL and Polars compute to the same bit.
"""

from __future__ import annotations

import polars as pl

__all__ = ["CHECKSUM_SQL", "VINTAGE_COLUMNS", "bar_checksum", "pending_bars"]

_WEIGHTS = {
    "open": "7.548777e-01",
    "high": "5.698403e-01",
    "low": "3.247180e-01",
    "close": "8.191725e-01",
    "volume": "1e0",
}
"""Any numbers do of which no simple multiples cancel: powers of the plastic ratio's inverse, and one for shares."""

VINTAGE_COLUMNS = ("bar_updated_at", "bar_checksum")
"""Columns of ``quality.bar_scores`` that say which vintage was scored."""

CHECKSUM_SQL = " + ".join(f"coalesce(CAST(prices.{name} AS DOUBLE), -1e0) * {w}" for name, w in _WEIGHTS.items())
"""The same in SQL, of a table called prices."""


def bar_checksum() -> pl.Expr:
    """Weighted sum of a bar's open, high, low, close and volume; a missing value counts as -1."""
    terms = [pl.col(name).cast(pl.Float64).fill_null(-1.0) * float(weight) for name, weight in _WEIGHTS.items()]
    total = terms[0]
    for term in terms[1:]:
        total += term
    return total


def pending_bars(bars: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Bars that were never scored in their present vintage.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, open, high, low, close, volume, updated_at.
    scores : pl.DataFrame
        symbol, date, bar_updated_at, bar_checksum.

    Returns
    -------
    pl.DataFrame
        symbol, date, bar_updated_at, bar_checksum, sorted; one row per symbol and date.
    """
    newest = bars.group_by("symbol", "date").agg(
        pl.col("updated_at").max().alias("bar_updated_at"), bar_checksum().sum().alias("bar_checksum")
    )
    known = scores.select("symbol", "date", *(pl.col(name).alias(f"known_{name}") for name in VINTAGE_COLUMNS))
    joined = newest.join(known, on=("symbol", "date"), how="left")
    is_new = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"known_{name}")) for name in VINTAGE_COLUMNS)
    return joined.filter(is_new).select("symbol", "date", *VINTAGE_COLUMNS).sort("symbol", "date")
