"""Fill ``regimes.evaluation``: the stored history every night, the reference market and slow baselines when asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from quant_assets.foundation.table_store import TableStore
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.regimes.baselines import BASELINES
from quant_assets.regimes.evaluation import evaluate_history, evaluate_market, summarise_markets
from quant_assets.regimes.tables import EVALUATION, MARKET_FEATURES, MARKET_REGIMES

__all__ = ["QUICK_BASELINES", "reference_rows", "store_evaluation"]

QUICK_BASELINES = ("threshold",)
"""Baselines without a fit, which every night can afford; the others take a minute or two on 14 years."""

Mapper = Callable[[Callable[[int], Any], Iterable[int]], Iterable[Any]]


def store_evaluation(
    store: TableStore,
    market: str,
    *,
    now: dt.datetime,
    seeds: Sequence[int] = (),
    mapper: Mapper = map,
) -> pl.DataFrame:
    """Evaluate and store; figures of methods that are not evaluated now stay.

    Parameters
    ----------
    store : TableStore
        The warehouse.
    market : str
        Symbol that stands for the market.
    now : datetime
        The source's clock, in UTC.
    seeds : sequence of int
        Reference markets to label, about a minute and a half each with all baselines; empty for the history alone with
        the quick baseline.
    mapper : callable
        ``map``, or that of a process pool.

    Returns
    -------
    polars.DataFrame
        The rows stored.
    """
    parts = []
    rows = store.read(MARKET_REGIMES)
    if rows.height:
        names = tuple(BASELINES) if seeds else QUICK_BASELINES
        closes = store.read(ADJUSTED_PRICES, ["symbol", "date", "close"], "symbol = ?", [market]).drop("symbol")
        features = store.read(MARKET_FEATURES)
        history = evaluate_history(closes, features, rows, {name: BASELINES[name] for name in names})
        parts.append(history.with_columns(pl.lit("history").alias("source")))
    if seeds:
        reference = reference_rows(dict(zip(seeds, mapper(evaluate_market, seeds), strict=True)))
        parts.append(reference)
    if not parts:
        return EVALUATION.empty()
    found = pl.concat([part.select(sorted(part.columns)) for part in parts])
    found = found.with_columns(pl.lit(now, dtype=pl.Datetime("us", "UTC")).alias("computed_at"))
    found = found.select(EVALUATION.column_names).sort(EVALUATION.key)
    with store.transaction() as connection:
        store.merge_within(connection, EVALUATION, EVALUATION.validate(found), ignore=["computed_at"])
    return found


def reference_rows(scores: Mapping[int, Mapping[str, Mapping[str, float]]]) -> pl.DataFrame:
    """Rows of the reference market. A median delay that is infinite (most switches missed) is null."""
    return summarise_markets(scores).with_columns(
        pl.lit("reference").alias("source"),
        pl.lit("").alias("detail"),
        pl.when(pl.col("value").is_finite()).then(pl.col("value")).alias("value"),
    )
