"""A home with a synthetic feature store whose truth is known.

Volatility foretells jumps and nothing foretells direction. DuckDB, operations store, model folders and MLflow are real;
no prices are fetched and no dbt runs.
"""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from quant_assets.features.tables import feature_store
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.home import Home
from quant_assets.foundation.tables import Table
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import RUN_STATE
from quant_assets.signals.feature_list import FEATURES, REGIME_COLUMN, VOLATILITY_LEVELS
from quant_assets.signals.ledger import ModelLedger
from quant_assets.signals.registration import ModelRegistry
from quant_assets.signals.tables import TABLES
from resources.model_registry import MlflowRecords, ModelFolders
from resources.warehouse import Warehouse

SYMBOLS, SESSIONS, LATER = 4, 1700, 90
FIRST = dt.date(2004, 1, 2)
PRICES = Table("market_data", "adjusted_prices", ADJUSTED_PRICES.columns, ADJUSTED_PRICES.key, "As a plain table.")
STORE = feature_store(2)
NEVER_KNOWN = "amihud_illiquidity_20"


@dataclass(frozen=True)
class SignalHome:
    """A home as a run sees it."""

    path: Path
    run_id: str = "test"

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(Home(self.path).warehouse, run_id=self.run_id)

    @property
    def operations(self) -> OperationsStore:
        return OperationsStore(Home(self.path).operations)

    @property
    def folders(self) -> ModelFolders:
        return ModelFolders(self.path / "models")

    @property
    def records(self) -> MlflowRecords:
        return MlflowRecords(self.path / "mlflow")

    def registry(self, records: MlflowRecords | None = None) -> ModelRegistry:
        operations = self.operations
        return ModelRegistry(self.folders, records or self.records, ModelLedger(operations), operations)

    def copy(self, path: Path) -> SignalHome:
        """Another home with the same content."""
        shutil.copytree(self.path, path)
        return SignalHome(path)

    def advance_to(self, session: int) -> dt.date:
        """Let the night of a session come: its bars and features, those missing before it, and the run's state."""
        history = market()
        as_of: dt.date = history.sessions[session - 1]
        known = self.warehouse.read(RUN_STATE)
        after = known["as_of"][0] if known.height else FIRST - dt.timedelta(days=1)
        new = (pl.col("date") > after) & (pl.col("date") <= as_of)
        with self.warehouse.transaction() as connection:
            self.warehouse.append_within(connection, PRICES, history.bars.filter(new))
            self.warehouse.append_within(connection, STORE, history.features.filter(new))
        clock = dt.datetime.combine(as_of + dt.timedelta(days=1), dt.time(11), dt.UTC)
        state = {"as_of": as_of, "source": "test", "dividend_adjustment": "vendor", "source_clock": clock}
        self.warehouse.replace(RUN_STATE, pl.DataFrame([state], schema=RUN_STATE.polars_schema))
        return as_of

    def alerts(self) -> list[tuple[str, str]]:
        """Subject and body of every alert."""
        rows = self.operations.query("SELECT subject, body FROM alerts ORDER BY created_at")
        return [(str(row[0]), str(row[1])) for row in rows]


@dataclass(frozen=True)
class Market:
    """Sessions, bars and feature rows of the synthetic market."""

    sessions: tuple[dt.date, ...]
    bars: pl.DataFrame
    features: pl.DataFrame


@lru_cache
def market(seed: int = 0) -> Market:
    """The whole market, later sessions included; the same for the same seed."""
    rng = np.random.default_rng(seed)
    count = SESSIONS + LATER
    calendar = new_york_calendar()
    sessions = tuple(calendar.sessions_between(FIRST, calendar.shift(FIRST, count - 1)))
    level = np.empty((count, SYMBOLS))
    level[0] = 0.0
    for t in range(1, count):
        level[t] = 0.97 * level[t - 1] + 0.15 * rng.standard_normal(SYMBOLS)
    volatility = 0.014 * np.exp(level)
    returns = volatility * rng.standard_normal((count, SYMBOLS))
    close = 100.0 * np.exp(np.cumsum(returns, axis=0))
    rows = count * SYMBOLS
    # What is known after session t of the volatility of session t + 1, seen through noise.
    ahead = np.vstack([volatility[1:], volatility[-1:]])
    keys = pl.DataFrame(
        {
            "symbol": np.repeat([f"S{n}" for n in range(SYMBOLS)], count),
            "date": pl.Series([*sessions] * SYMBOLS, dtype=pl.Date),
        }
    )
    columns = {name: rng.standard_normal(rows) for name in FEATURES}
    for name in VOLATILITY_LEVELS:
        columns[name] = (ahead * np.exp(0.2 * rng.standard_normal(ahead.shape))).T.reshape(-1)
    columns["price_change_1d"] = returns.T.reshape(-1)
    flat = {name: close.T.reshape(-1) for name in ("open", "high", "low", "close")}
    bars = keys.with_columns(**{n: pl.Series(v) for n, v in flat.items()}, volume=pl.lit(1e6))
    known = keys.with_columns(
        **{name: pl.Series(values) for name, values in columns.items() if name != NEVER_KNOWN},
        **{NEVER_KNOWN: pl.lit(None, pl.Float64), REGIME_COLUMN: pl.lit("sideways")},
    )
    return Market(sessions, bars.select(PRICES.column_names).sort("symbol", "date"), _as_stored(known, bars))


def _as_stored(known: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Rows of the feature store: bars, the features, 1 or null for whatever else it has."""
    frame = known.join(bars, on=["symbol", "date"])
    rest = [
        (pl.lit(None) if column.nullable else pl.lit(1)).alias(column.name)
        for column in STORE.columns
        if column.name not in frame.columns
    ]
    schema = STORE.polars_schema
    cast = frame.with_columns(rest).with_columns(pl.col(name).cast(kind, strict=False) for name, kind in schema.items())
    return cast.select(STORE.column_names).sort("symbol", "date")


def empty_home(path: Path) -> SignalHome:
    """A home with tables and without rows."""
    path.mkdir(parents=True)
    home = SignalHome(path)
    home.warehouse.ensure([*TABLES, PRICES, STORE, RUN_STATE])
    return home
