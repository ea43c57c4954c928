"""Regimes: a night's update, the walk-forward of the market and of 500 symbols, beside filtering again with hmmlearn.

The naive way to a night's labels is what most code on HMM regimes does: run the library's forward-backward over each
symbol's whole history again. It is timed on a sample of symbols and scaled up.

Run: python -m benchmarks.regimes [--symbols 500] [--sessions 5000]
     python -m benchmarks.regimes --reference 10     scores on the reference market, all methods, instead of times
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from hmmlearn.hmm import GaussianHMM

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.tables import Table
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.regimes.baselines import BASELINES
from quant_assets.regimes.evaluation import evaluate_market, summarise_markets
from quant_assets.regimes.features import SERIES_FEATURES, own_scale, series_features
from quant_assets.regimes.market import label_market, market_features
from quant_assets.regimes.night import run_night
from quant_assets.regimes.symbols import label_symbols
from quant_assets.regimes.tables import TABLES
from resources.warehouse import Warehouse

MARKET = "S000"
NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
SAMPLE = 10
PRICES = Table("market_data", "adjusted_prices", ADJUSTED_PRICES.columns, ADJUSTED_PRICES.key, "As a plain table.")
SHOWN = ("accuracy", "accuracy_to_ceiling", "macro_f1", "median_delay", "missed_share", "false_switches_per_year")


def make_closes(symbols: int, sessions: int) -> pl.DataFrame:
    """Correlated random walks whose volatility moves slowly."""
    rng = np.random.default_rng(0)
    volatility = 0.012 * np.exp(0.4 * np.sin(np.arange(sessions) / 150))[:, None]
    returns = volatility * (rng.normal(size=(sessions, 1)) + rng.normal(size=(sessions, symbols)))
    calendar = new_york_calendar()
    start = dt.date(2000, 1, 3)
    dates = calendar.sessions_between(start, calendar.shift(start, sessions - 1))
    prices = {f"S{i:03d}": column for i, column in enumerate(100 * np.exp(np.cumsum(returns, axis=0)).T)}
    wide = pl.DataFrame({"date": dates, **prices})
    return wide.unpivot(index="date", variable_name="symbol", value_name="close").select("symbol", "date", "close")


def add_prices(store: Warehouse, closes: pl.DataFrame) -> None:
    flat = {name: pl.col("close") for name in ("open", "high", "low")}
    bars = closes.with_columns(**flat, volume=pl.lit(1000.0)).select(PRICES.column_names).sort("symbol", "date")
    with store.transaction() as connection:
        store.append_within(connection, PRICES, bars)


class Seconds(float):
    """Wall seconds that also know the CPU seconds of all threads: those of a busy machine say more."""

    cpu = 0.0

    def __format__(self, spec: str) -> str:
        return f"{float(self):{spec}} s ({self.cpu:.2f} s CPU)"


def timed(work):
    started, used = time.perf_counter(), time.process_time()
    result = work()
    seconds = Seconds(time.perf_counter() - started)
    seconds.cpu = time.process_time() - used
    return seconds, result


def naive_night(closes: pl.DataFrame, model) -> Seconds:
    """Seconds to filter every symbol's whole history again with the library, from a sample."""
    library = GaussianHMM(4, covariance_type="diag", init_params="", params="")
    library.startprob_, library.transmat_ = model.stationary, np.array(model.transition)
    library.means_, library.n_features = np.array(model.means), len(model.features)
    library.covars_ = np.array(model.variances)
    names = [feature.name for feature in SERIES_FEATURES]
    columns = [names.index(name) for name in model.features]
    groups = closes.partition_by("symbol")

    def filter_again() -> None:
        for frame in groups[:SAMPLE]:
            close = frame["close"].to_numpy()
            matrix = series_features(close, own_scale(close))[:, columns]
            library.predict_proba(matrix[np.isfinite(matrix).all(axis=1)])

    sample, _ = timed(filter_again)
    seconds = Seconds(sample * len(groups) / SAMPLE)
    seconds.cpu = sample.cpu * len(groups) / SAMPLE
    return seconds


def time_everything(symbols: int, sessions: int) -> None:
    closes = make_closes(symbols, sessions)
    small = closes.filter(pl.col("symbol").is_in(["S000", "S001"]))
    label_market(market_features(small, MARKET))
    label_symbols(small)
    print(f"{symbols} symbols x {sessions} sessions, wall and CPU seconds\n")
    features_seconds, features = timed(lambda: market_features(closes, MARKET))
    print(f"market, features of the walk-forward {features_seconds:8.2f}")
    market_seconds, path = timed(lambda: label_market(features))
    print(f"market, {len(path.reports):>3} monthly refits, labels  {market_seconds:8.2f}   goal for both 120 s")
    symbols_seconds, path = timed(lambda: label_symbols(closes))
    print(f"symbols, {len(path.reports):>2} yearly refits, labels   {symbols_seconds:8.2f}   goal 300 s")
    last = closes["date"].max()
    with tempfile.TemporaryDirectory() as folder:
        store = Warehouse(Path(folder) / "warehouse.duckdb", run_id="bench")
        store.ensure([*TABLES, PRICES])
        add_prices(store, closes.filter(pl.col("date") < last))
        first_seconds, _ = timed(lambda: run_night(store, MARKET, now=NOW))
        add_prices(store, closes.filter(pl.col("date") == last))
        night_seconds, report = timed(lambda: run_night(store, MARKET, now=NOW))
    assert not report.fits
    print(f"first night, DuckDB included         {first_seconds:8.2f}")
    print(f"a night, one new session, no refit   {night_seconds:8.2f}   goal 3 s, DuckDB included")
    naive_seconds = naive_night(closes, next(r.model for r in reversed(path.reports) if r.model))
    print(f"naive: hmmlearn over it all          {naive_seconds:8.2f}   features and forward-backward of every symbol")
    ratio = naive_seconds.cpu / night_seconds.cpu
    print(f"\na night takes {ratio:.1f} times less CPU than the naive way, reading and writing included")


def score_reference(markets: int) -> None:
    rows = summarise_markets({seed: evaluate_market(seed) for seed in range(markets)})
    total = rows.filter(pl.col("slice") == "all", pl.col("measure").is_in(SHOWN))
    print(f"{markets} reference markets, seeds 0 to {markets - 1}\n")
    print(f"{'method':<20}" + "".join(f"{measure:>26}" for measure in SHOWN))
    for method in ("ceiling", "ceiling_labelled", "hmm", "hmm_most_probable", *BASELINES):
        own = {row["measure"]: row["value"] for row in total.filter(pl.col("method") == method).iter_rows(named=True)}
        print(f"{method:<20}" + "".join(f"{own[measure]:>26.3f}" for measure in SHOWN))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--reference", type=int, default=0, metavar="MARKETS")
    arguments = parser.parse_args()
    if arguments.reference:
        score_reference(arguments.reference)
    else:
        time_everything(arguments.symbols, arguments.sessions)


if __name__ == "__main__":
    main()
