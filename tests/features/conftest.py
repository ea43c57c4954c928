from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import bokeh_sampledata
import dagster as dg
import duckdb
import numpy as np
import polars as pl
import pytest

from quant_assets.features.causality import evaluate_mart
from quant_assets.features.cross_section import RANKED_COLUMNS
from quant_assets.features.dbt import feature_store_models
from quant_assets.features.dbt_project import load_project
from quant_assets.features.panel import computed
from quant_assets.features.tables import TABLES
from quant_assets.features.versions import stored_versions
from quant_assets.ops.tables import TABLES as OPS_TABLES
from quant_assets.regimes.tables import MARKET_REGIMES, SYMBOL_REGIMES
from resources.warehouse import Warehouse

Frame = pl.DataFrame


@pytest.fixture(scope="session")
def sessions() -> Callable[[int], list[dt.date]]:
    """Weekdays from 2010-01-04 on, as sessions of a made-up exchange."""

    def first(count: int) -> list[dt.date]:
        days = np.arange(np.datetime64("2010-01-04"), np.datetime64("2010-01-04") + count * 2 + 7)
        return days[np.is_busday(days)][:count].tolist()

    return first


@pytest.fixture(scope="session")
def make_bars(sessions) -> Callable[..., Frame]:
    """Seeded bars of several symbols: random walks with volatility, gaps between close and open, and volume."""

    def bars(symbols: Sequence[str] = ("A", "B", "M"), count: int = 500, level: float = 50.0, seed: int = 7) -> Frame:
        generator = np.random.default_rng(seed)
        market = 0.01 * generator.standard_normal(count)
        frames = []
        for symbol in symbols:
            moves = market + 0.012 * generator.standard_normal(count)
            close = level * np.exp(np.cumsum(moves))
            open_ = close * np.exp(0.004 * generator.standard_normal(count))
            high = np.maximum(open_, close) * np.exp(0.006 * np.abs(generator.standard_normal(count)))
            low = np.minimum(open_, close) * np.exp(-0.006 * np.abs(generator.standard_normal(count)))
            volume = np.round(np.exp(13 + 0.6 * generator.standard_normal(count)))
            frames.append(
                pl.DataFrame(
                    {
                        "symbol": [symbol] * count,
                        "date": sessions(count),
                        "open": open_,
                        "high": high,
                        "low": low,
                        "close": close,
                        "volume": volume,
                    }
                )
            )
        return pl.concat(frames)

    return bars


def _packaged_bars() -> Frame:
    path = Path(bokeh_sampledata.__file__).parent / "_data" / "stocks.csv.gz"
    names = ["symbol", "date", "open", "high", "low", "close", "volume", "adjusted_close"]
    raw = pl.read_csv(path, new_columns=names).filter(pl.col("symbol").is_in(["AAPL", "IBM", "MSFT"]))
    return raw.with_columns(pl.col("date").str.to_date(), pl.col("volume").cast(pl.Float64)).sort("symbol", "date")


@pytest.fixture(scope="session")
def real_bars() -> Frame:
    """Packaged real history of AAPL, IBM and MSFT, prices adjusted by the packaged adjusted close."""
    factor = pl.col("adjusted_close") / pl.col("close")
    prices = ("open", "high", "low", "close")
    return _packaged_bars().with_columns(pl.col(*prices) * factor).drop("adjusted_close")


@pytest.fixture(scope="session")
def traded_bars() -> Frame:
    """The same history as traded: every price a whole number of ticks, so that many of them tie."""
    return _packaged_bars().drop("adjusted_close")


@pytest.fixture(scope="session")
def aligned() -> Callable[..., Frame]:
    """Adds what version 2 reads beside the bars: the close of the market symbol, and close times volume."""

    def with_inputs(bars: Frame, market: str = "M") -> Frame:
        closes = bars.filter(pl.col("symbol") == market).select("date", pl.col("close").alias("market_close"))
        return bars.join(closes, on="date", how="left").with_columns(dollar_volume=pl.col("close") * pl.col("volume"))

    return with_inputs


@pytest.fixture(scope="session")
def price_warehouse() -> Callable[[Path, Frame], Path]:
    """Makes a warehouse with the given prices (M is the market) and nothing built yet."""

    def priced(path: Path, bars: Frame) -> Path:
        path.parent.mkdir(exist_ok=True)
        Warehouse(path).ensure((*OPS_TABLES, *TABLES, MARKET_REGIMES, SYMBOL_REGIMES))
        with duckdb.connect(str(path)) as found:
            found.execute("CREATE SCHEMA market_data")
            found.register("bars", bars)
            found.execute("CREATE TABLE market_data.adjusted_prices AS FROM bars")
            found.execute(
                "CREATE TABLE market_data.daily_prices AS SELECT * REPLACE (volume::BIGINT AS volume) FROM bars"
            )
            found.execute("INSERT INTO ops.instruments VALUES ('A', 'A', 'equity', false), ('M', 'M', 'etf', true)")
        return path

    return priced


@pytest.fixture(scope="session")
def _priced_template(make_bars, price_warehouse, tmp_path_factory) -> Path:
    return price_warehouse(
        tmp_path_factory.mktemp("priced") / "warehouse.duckdb", make_bars(("A", "B", "M"), count=300)
    )


@pytest.fixture
def priced_warehouse(_priced_template, tmp_path) -> Path:
    """A warehouse with prices of three symbols over 300 sessions (M is the market), and nothing built yet."""
    return Path(shutil.copy(_priced_template, tmp_path / "warehouse.duckdb"))


@pytest.fixture(scope="session")
def _built_template(_priced_template, tmp_path_factory) -> Path:
    path = Path(shutil.copy(_priced_template, tmp_path_factory.mktemp("built") / "warehouse.duckdb"))
    assert dg.materialize([feature_store_models], resources={"warehouse": Warehouse(path)}).success
    return path


@pytest.fixture
def built_warehouse(_built_template, tmp_path) -> Path:
    """The same warehouse after a run that built the feature store."""
    return Path(shutil.copy(_built_template, tmp_path / "warehouse.duckdb"))


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory warehouse with what the marts join: no regimes and no ranks."""
    with duckdb.connect() as found:
        for table in (MARKET_REGIMES, SYMBOL_REGIMES):
            for statement in table.ddl():
                found.execute(statement)
        found.execute("CREATE SCHEMA features_staging")
        for name in ("market_regimes", "symbol_regimes"):
            found.execute(f"CREATE VIEW features_staging.stg_regimes__{name} AS FROM regimes.{name}")
        found.execute("CREATE TABLE features_staging.stg_ops__instruments (symbol VARCHAR, is_index BOOLEAN)")
        found.execute("CREATE SCHEMA features_intermediate")
        ranks = ", ".join(f"{column}_rank DOUBLE" for column in RANKED_COLUMNS)
        found.execute(
            f"CREATE TABLE features_intermediate.int_symbols_ranked (symbol VARCHAR, date DATE, {ranks}, "
            "session_hash BIGINT)"
        )
        yield found


@pytest.fixture
def features_of(connection, aligned) -> Callable[..., Frame]:
    """The mart of a version over some bars: the column functions, then the mart's own SQL."""

    def features(bars: Frame, version: int = 2, market: str = "M") -> Frame:
        windowed = computed(stored_versions()[version], aligned(bars, market))
        return evaluate_mart(connection, load_project().manifest, version, windowed)

    return features
