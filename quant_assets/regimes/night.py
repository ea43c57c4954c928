"""A night of the room: new feature rows, models where a refit date has come, labels, changes; one transaction.

What is stored stays: a night adds sessions after the newest stored one of the market and of each symbol. A restated
price therefore changes no earlier label (it was what was known then); ``--full-refresh`` makes everything again.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import polars as pl

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.foundation.table_store import TableStore
from quant_assets.foundation.tables import Table
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.regimes.changes import CONTEXT
from quant_assets.regimes.features import CROSS, LOOKBACK
from quant_assets.regimes.market import MarketPath, label_market, market_features
from quant_assets.regimes.model import FitReport
from quant_assets.regimes.path import Standing
from quant_assets.regimes.records import report_rows, stored_reports
from quant_assets.regimes.refits import RefitEvery, refit_date
from quant_assets.regimes.symbols import SymbolPath, SymbolSettings, label_symbols
from quant_assets.regimes.tables import MARKET_FEATURES, MARKET_REGIMES, MODELS, REGIME_CHANGES, SYMBOL_REGIMES
from quant_assets.regimes.threshold import AVERAGE, MEMORY

__all__ = ["NightReport", "run_night"]

_CLOSES = ("symbol", "date", "close")
_OWN_LOOKBACK = MEMORY + AVERAGE
"""Sessions of the market symbol that a new feature row can depend on: the rule's volatility memory, with room."""


@dataclass(frozen=True, slots=True)
class NightReport:
    """What a night added.

    Parameters
    ----------
    market_sessions, symbol_sessions : int
        New labels.
    changes : polars.DataFrame
        New confirmed changes.
    fits : tuple of FitReport
        Refit dates that came, failures included.
    is_rebuilt : bool
        Whether everything was made again: asked for, or another symbol stands for the market now.
    """

    market_sessions: int
    symbol_sessions: int
    changes: pl.DataFrame
    fits: tuple[FitReport, ...]
    is_rebuilt: bool


def run_night(store: TableStore, market: str | None, *, now: dt.datetime, is_full_refresh: bool = False) -> NightReport:
    """Bring the room's nightly tables up to the newest adjusted prices.

    Parameters
    ----------
    store : TableStore
        The warehouse.
    market : str, optional
        Symbol that stands for the market.
    now : datetime
        The source's clock, in UTC; dates what is fitted and found.
    is_full_refresh : bool
        Forget stored features, models and labels.

    Raises
    ------
    ConfigurationError
        Where no symbol stands for the market.
    DataError
        Where the market symbol has no prices.
    """
    if market is None:
        raise ConfigurationError(
            "the universe file names no 'market'; add one of its symbols as 'market', since regimes are judged by it."
        )
    stored = store.read(MARKET_FEATURES)
    other = stored.filter(pl.col("symbol") != market).height > 0
    is_rebuilt = is_full_refresh or other
    models = MODELS.empty() if is_full_refresh else store.read(MODELS)
    new_features, path = _market(store, market, stored.clear() if is_rebuilt else stored, models, other=is_rebuilt)
    symbols = _symbols(store, models, is_full_refresh=is_full_refresh)
    changes = pl.concat([path.changes, symbols.changes]).with_columns(
        pl.lit(now, dtype=pl.Datetime("us", "UTC")).alias("detected_at")
    )
    fits = pl.concat([report_rows(path.reports, "market", now), report_rows(symbols.reports, "symbols", now)])
    with store.transaction() as connection:
        if is_rebuilt:
            _forget(store, connection, is_full_refresh=is_full_refresh)
        for table, rows in (
            (MARKET_FEATURES, new_features),
            (MARKET_REGIMES, path.rows),
            (SYMBOL_REGIMES, symbols.rows),
            (REGIME_CHANGES, changes),
            (MODELS, fits),
        ):
            store.append_within(connection, table, _fitting(table, rows))
    return NightReport(path.rows.height, symbols.rows.height, changes, (*path.reports, *symbols.reports), is_rebuilt)


def _market(
    store: TableStore, market: str, stored: pl.DataFrame, models: pl.DataFrame, *, other: bool
) -> tuple[pl.DataFrame, MarketPath]:
    """New feature rows of the market and what was labelled with them."""
    last: dt.date | None = stored["date"].max() if stored.height else None  # type: ignore[assignment] # a DATE column
    new = market_features(_market_closes(store, market, last), market, last)
    new = new.with_columns(pl.lit(market).alias("symbol")).select(MARKET_FEATURES.column_names)
    known = () if other else stored_reports(models, "market")
    standing = None
    if not other:
        rows = store.query(_NEWEST_MARKET_LABEL)
        standing = Standing.of_row(rows.row(0, named=True)) if rows.height else None
    return new, label_market(pl.concat([stored, new]), known, standing)


def _market_closes(store: TableStore, market: str, last: dt.date | None) -> pl.DataFrame:
    """Closes that the features of sessions after ``last`` depend on; all where nothing is stored yet."""
    if last is None:
        return store.read(ADJUSTED_PRICES, _CLOSES)
    back = store.read(ADJUSTED_PRICES, ["date"], "symbol = ? AND date <= ?", [market, last])["date"].reverse()
    own_from, others_from = back[:_OWN_LOOKBACK][-1], back[: CROSS + 2][-1]
    needed = "(symbol = ? AND date >= ?) OR (symbol <> ? AND date >= ?)"
    return store.read(ADJUSTED_PRICES, _CLOSES, needed, [market, own_from, market, others_from])


def _symbols(store: TableStore, models: pl.DataFrame, *, is_full_refresh: bool) -> SymbolPath:
    """Labels of every symbol's new sessions."""
    known = stored_reports(models, "symbols")
    newest = SYMBOL_REGIMES.empty() if is_full_refresh else store.query(_NEWEST_LABELS)
    standings = {row["symbol"]: Standing.of_row(row) for row in newest.iter_rows(named=True)}
    if not standings:
        return label_symbols(store.read(ADJUSTED_PRICES, _CLOSES), known)
    closes = store.query(_TAILS, [LOOKBACK + CONTEXT])
    if _refit_is_due(closes, standings, known):
        closes = store.read(ADJUSTED_PRICES, _CLOSES)
    return label_symbols(closes, known, standings)


def _refit_is_due(closes: pl.DataFrame, standings: dict[str, Standing], known: tuple[FitReport, ...]) -> bool:
    last = {symbol: standing.date for symbol, standing in standings.items()}
    labelled_to = pl.col("symbol").replace_strict(last, default=None, return_dtype=pl.Date)
    new = closes.filter(labelled_to.is_null() | (pl.col("date") > labelled_to))["date"]
    fitted = {report.effective_from for report in known}
    every: RefitEvery = SymbolSettings().every
    return not {refit_date(date, every) for date in new.unique()} <= fitted


def _forget(store: TableStore, connection: duckdb.DuckDBPyConnection, *, is_full_refresh: bool) -> None:
    """Delete what is made again: all, or what hangs on the market symbol."""
    for statement in _FORGET_ALL if is_full_refresh else _FORGET_MARKET:
        connection.execute(statement)
        store.note_change(connection, statement.split()[2])


def _fitting(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Columns in storage order, rows by key."""
    return rows.select(table.column_names).sort(table.key)


_FORGET_ALL = (
    "DELETE FROM regimes.market_features",
    "DELETE FROM regimes.market_regimes",
    "DELETE FROM regimes.symbol_regimes",
    "DELETE FROM regimes.regime_changes",
    "DELETE FROM regimes.models",
)
_FORGET_MARKET = (
    "DELETE FROM regimes.market_features",
    "DELETE FROM regimes.market_regimes",
    "DELETE FROM regimes.regime_changes WHERE scope = 'market'",
    "DELETE FROM regimes.models WHERE kind = 'market'",
)
_NEWEST_MARKET_LABEL = "SELECT * FROM regimes.market_regimes ORDER BY date DESC LIMIT 1"
_NEWEST_LABELS = """
SELECT labels.*
FROM regimes.symbol_regimes AS labels
JOIN (SELECT symbol, max(date) AS date FROM regimes.symbol_regimes GROUP BY symbol) AS newest
    ON labels.symbol = newest.symbol AND labels.date = newest.date
"""
_TAILS = """
WITH newest AS (
    SELECT symbol, max(date) AS date FROM regimes.symbol_regimes GROUP BY symbol
), fresh AS (
    SELECT DISTINCT prices.symbol, newest.date
    FROM market_data.adjusted_prices AS prices
    LEFT JOIN newest ON prices.symbol = newest.symbol
    WHERE newest.date IS NULL OR prices.date > newest.date
), bounds AS (
    SELECT prices.symbol, list_min(max(prices.date, ?)) AS first_date
    FROM market_data.adjusted_prices AS prices
    JOIN fresh ON prices.symbol = fresh.symbol AND prices.date <= fresh.date
    GROUP BY prices.symbol
)
SELECT prices.symbol, prices.date, prices.close
FROM market_data.adjusted_prices AS prices
JOIN fresh ON prices.symbol = fresh.symbol
LEFT JOIN bounds ON prices.symbol = bounds.symbol
WHERE bounds.first_date IS NULL OR prices.date >= bounds.first_date
"""
"""Of symbols with new sessions: those after the newest label, and as many before as their features can depend on.
Collecting the newest dates of each symbol is twenty times as fast as numbering 500 symbols x 5,000 sessions."""
