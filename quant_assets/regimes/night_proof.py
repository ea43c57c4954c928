"""The causality proof on what is stored: a past month of the market and some symbols, labelled without its future."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from quant_assets.foundation.table_store import TableStore
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.regimes.causality import CausalityFinding, differing_market_rows, differing_symbol_rows
from quant_assets.regimes.path import Standing
from quant_assets.regimes.records import stored_reports
from quant_assets.regimes.tables import MARKET_FEATURES, MARKET_REGIMES, MODELS

__all__ = ["prove_night"]

_STRETCH, _FUTURE, _SYMBOLS = 25, 40, 5
"""25 sessions always hold the first of a month; 40 later ones are what is cut off."""

_CLOSES = ("symbol", "date", "close")
_LOOKBACK = dt.timedelta(days=2200)
"""Over 1,400 sessions, more than a market feature or the rule looks back."""


def prove_night(store: TableStore, market: str, *, rng: np.random.Generator) -> CausalityFinding:
    """Compare a stretch of 25 sessions that ended 40 sessions ago, for the market and up to five symbols.

    Models that were fitted before the stretch are taken as stored; refit dates inside it are fitted again each time.
    Returns zero rows where the history is shorter than the stretch and its future.
    """
    rows = store.read(MARKET_REGIMES)
    if rows.height <= _STRETCH + _FUTURE:
        return CausalityFinding(0, 0, 0)
    start, end = rows["date"][-_STRETCH - _FUTURE - 1], rows["date"][-_FUTURE - 1]
    models = store.read(MODELS)
    known = {
        kind: stored_reports(models.filter(pl.col("effective_from") <= start), kind) for kind in ("market", "symbols")
    }
    features = store.read(MARKET_FEATURES).filter(pl.col("date") <= start).drop("symbol")
    standing = Standing.of_row(rows.row(-_STRETCH - _FUTURE - 1, named=True))
    recent = store.read(ADJUSTED_PRICES, _CLOSES, "date >= ?", [start - _LOOKBACK])
    own = differing_market_rows(recent, market, features, known["market"], before=standing, end=end, rng=rng)
    last = store.query(_STANDINGS, [start])
    names = sorted(last["symbol"])
    chosen = [names[i] for i in rng.permutation(len(names))[:_SYMBOLS]]
    before = {row["symbol"]: Standing.of_row(row) for row in last.iter_rows(named=True) if row["symbol"] in chosen}
    some = store.read(ADJUSTED_PRICES, _CLOSES, "symbol IN (SELECT unnest(?))", [chosen])
    theirs = differing_symbol_rows(some, known["symbols"], before=before, end=end, rng=rng)
    return CausalityFinding(
        own.rows_compared + theirs.rows_compared,
        own.rows_different + theirs.rows_different,
        own.refits + theirs.refits,
    )


_STANDINGS = """
SELECT labels.*
FROM regimes.symbol_regimes AS labels
JOIN (SELECT symbol, max(date) AS date FROM regimes.symbol_regimes WHERE date <= ? GROUP BY symbol) AS newest
    ON labels.symbol = newest.symbol AND labels.date = newest.date
ORDER BY labels.symbol
"""
