"""The truth of a synthetic market as tables, to score detectors, regimes and forecasts against."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from quant_assets.replay.history import RESTATEMENTS_SCHEMA
from quant_assets.replay.synthetic.anomalies import ANOMALIES_SCHEMA
from quant_assets.replay.synthetic.simulation import SimulatedSymbol

__all__ = ["MarketTruth", "truth_of"]

_ACTIONS_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "effective_date": pl.Date(),
    "kind": pl.String(),
    "value": pl.Float64(),
    "is_listed": pl.Boolean(),
}
_LISTINGS_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "listed_on": pl.Date(),
    "delisted_on": pl.Date(),
}
_HALTS_SCHEMA: dict[str, pl.DataType] = {"symbol": pl.String(), "date": pl.Date(), "last_date": pl.Date()}


@dataclass(frozen=True, slots=True)
class MarketTruth:
    """What happened, whether the vendor shows it or not.

    Attributes
    ----------
    regimes : DataFrame
        ``date``, ``regime`` (name of the state), ``log_return`` (the market's, fraction), ``volatility`` (its true
        standard deviation, fraction a day).
    anomalies : DataFrame
        Planted bad data: ``symbol``, ``date``, ``last_date``, ``kind``, ``magnitude``.
    actions : DataFrame
        ``symbol``, ``effective_date``, ``kind`` (split or dividend), ``value``, ``is_listed`` (False: a missed split).
    listings : DataFrame
        ``symbol``, ``listed_on`` (null: not within the sessions), ``delisted_on`` (date of the last bar, or null).
    halts : DataFrame
        Sessions without trading: ``symbol``, ``date``, ``last_date``.
    restatements : DataFrame
        ``symbol``, ``date``, ``field``, ``earlier_value``, ``restated_on``.
    """

    regimes: pl.DataFrame
    anomalies: pl.DataFrame
    actions: pl.DataFrame
    listings: pl.DataFrame
    halts: pl.DataFrame
    restatements: pl.DataFrame


def truth_of(regimes: pl.DataFrame, symbols: list[SimulatedSymbol]) -> MarketTruth:
    """Collect the truth of all symbols into tables, sorted by symbol (as given) and date."""
    named = [(symbol.listing.symbol, symbol) for symbol in symbols]
    return MarketTruth(
        regimes=regimes,
        anomalies=_table(ANOMALIES_SCHEMA, [(name, *row) for name, symbol in named for row in symbol.anomalies]),
        actions=_table(_ACTIONS_SCHEMA, [(name, *row) for name, symbol in named for row in symbol.actions]),
        listings=_table(
            _LISTINGS_SCHEMA, [(name, symbol.listing.listed_on, symbol.listing.delisted_on) for name, symbol in named]
        ),
        halts=_table(_HALTS_SCHEMA, [(name, *row) for name, symbol in named for row in symbol.halts]),
        restatements=_table(
            {"symbol": pl.String(), **RESTATEMENTS_SCHEMA},
            [(name, *row) for name, symbol in named for row in symbol.frames.restatements.rows()],
        ),
    )


def _table(schema: dict[str, pl.DataType], rows: list[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")
