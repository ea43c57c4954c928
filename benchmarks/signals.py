"""Signals: a night's scoring with contributions, and the walk-forward, beside the obvious way to do the same.

The naive night asks the model for each symbol by itself, as most code does. The walk-forward of 500 symbols over 5,000
sessions is timed on its first, middle and last fold, in processor seconds of one thread each, and added up over all
folds by a straight line through them, shared among the cores; ``--whole`` runs every fold by the clock. Beside it:
scikit-learn's histogram boosting on one thread, with the same rounds, leaves and bins, on the middle fold.

Run: python -m benchmarks.signals [--symbols 500] [--sessions 5000] [--whole]
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from benchmarks.scorecard.rows import write_measurement
from quant_assets.features.tables import feature_store
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.home import Home
from quant_assets.foundation.tables import Table
from quant_assets.foundation.walk_forward import walk_forward_folds
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import RUN_STATE
from quant_assets.signals.feature_list import FEATURES, VOLATILITY_LEVELS
from quant_assets.signals.fold_training import FoldTask, fit_fold, folds_at_once
from quant_assets.signals.ledger import CHAMPION, ModelLedger
from quant_assets.signals.model_spec import DEFAULT_MODELS
from quant_assets.signals.registration import ModelRegistry
from quant_assets.signals.score_night import score_night
from quant_assets.signals.scoring import model_rows
from quant_assets.signals.tables import TABLES
from quant_assets.signals.training import Circumstances, TrainedModel, train_model
from quant_assets.signals.training_table import TrainingTable
from quant_assets.signals.walk_forward_training import run_walk_forward
from resources.model_registry import MlflowRecords, ModelFolders
from resources.warehouse import Warehouse

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
FIRST = dt.date(2000, 1, 3)
PRICES = Table("market_data", "adjusted_prices", ADJUSTED_PRICES.columns, ADJUSTED_PRICES.key, "As a plain table.")
STORE = feature_store(2)
JUMP = next(spec for spec in DEFAULT_MODELS if spec.name == "jump")
EMBEDDED = (7, 3562)
"""Symbols and sessions of the embedded source."""


def make_table(symbols: int, sessions: int) -> TrainingTable:
    """Rows whose event depends on the volatility features, sorted by date, then symbol."""
    rng = np.random.default_rng(0)
    calendar = new_york_calendar()
    dates = np.array(calendar.sessions_between(FIRST, calendar.shift(FIRST, sessions)), dtype="datetime64[D]")
    rows = symbols * sessions
    matrix = rng.standard_normal((rows, len(FEATURES)), dtype=np.float32)
    level = rng.standard_normal(rows, dtype=np.float32)
    for name in VOLATILITY_LEVELS:
        matrix[:, FEATURES.index(name)] += 2.0 * level
    returns = 0.014 * np.exp(0.5 * level) * rng.standard_normal(rows)
    return TrainingTable(
        FEATURES,
        np.tile([f"S{number:03d}" for number in range(symbols)], sessions),
        np.repeat(dates[:-1], symbols),
        matrix,
        (returns > JUMP.label.threshold).astype(np.float64),
        returns,
        np.repeat(dates[1:], symbols),
        np.repeat(np.arange(sessions), symbols),
        np.full(rows, "sideways"),
    )


def timed(work):
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def processor_timed(work):
    """Seconds of processor time, which other work on the machine does not stretch."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def fold_pool(table: TrainingTable) -> tuple[ThreadPoolExecutor, int]:
    """Folds side by side, as a run trains them, and how many at once."""
    at_once = folds_at_once(table, os.cpu_count() or 1)
    return ThreadPoolExecutor(at_once), at_once


def make_home(folder: Path, trained: TrainedModel, frame: pl.DataFrame) -> tuple[Warehouse, ModelRegistry]:
    """A home with one champion and one session of rows to score."""
    store = Warehouse(Home(folder).warehouse, run_id="bench")
    store.ensure([*TABLES, PRICES, STORE, RUN_STATE])
    operations = OperationsStore(Home(folder).operations)
    registry = ModelRegistry(
        ModelFolders(folder / "models"), MlflowRecords(folder / "mlflow"), ModelLedger(operations), operations
    )
    registry.files.write("jump-1", trained.model.files())
    registry.ledger.note("jump", "jump-1", "promoted", actor="bench", reason="bench", alias=CHAMPION)
    as_of = frame["date"][0]
    state = {"as_of": as_of, "source": "bench", "dividend_adjustment": "vendor", "source_clock": NOW}
    store.replace(RUN_STATE, pl.DataFrame([state], schema=RUN_STATE.polars_schema))
    rest = [
        (pl.lit(None) if column.nullable else pl.lit(1)).alias(column.name)
        for column in STORE.columns
        if column.name not in frame.columns
    ]
    rows = frame.with_columns(rest).select(
        pl.col(name).cast(kind, strict=False) for name, kind in STORE.polars_schema.items()
    )
    bars = frame.select("symbol", "date", *(pl.lit(1.0).alias(n) for n in ("open", "high", "low", "close", "volume")))
    with store.transaction() as connection:
        store.append_within(connection, STORE, rows)
        store.append_within(connection, PRICES, bars)
    return store, registry


def time_night(symbols: int, trained: TrainedModel) -> dict:
    table = make_table(symbols, 2)
    frame = pl.DataFrame(table.matrix[:symbols], schema=list(FEATURES)).select(
        pl.Series("symbol", table.symbols[:symbols]),
        pl.Series("date", table.dates[:symbols]).cast(pl.Date).dt.offset_by("9000d"),
        *FEATURES,
    )
    model_rows(trained.model, frame.head(2), decided_at=NOW)
    seconds, rows = timed(lambda: model_rows(trained.model, frame, decided_at=NOW))
    print(f"{symbols} symbols x {len(FEATURES)} features, {trained.model.card.rounds} trees\n")
    print(
        f"scoring with contributions     {seconds:8.2f} s   goal   2 s   ({rows.contributions.height:,} contributions)"
    )
    with tempfile.TemporaryDirectory() as folder:
        store, registry = make_home(Path(folder), trained, frame)
        night, _ = timed(lambda: score_night(store, registry))
    print(f"the night's scoring, DuckDB    {night:8.2f} s             (champion of jump, heuristic of direction)")
    naive, _ = timed(lambda: [model_rows(trained.model, one, decided_at=NOW) for one in frame.iter_slices(1)])
    print(f"naive: symbol by symbol        {naive:8.2f} s   ratio {naive / seconds:.0f}\n")
    return {"symbols": symbols, "scoring_s": seconds, "night_s": night, "naive_ratio": naive / seconds}


def time_folds(symbols: int, sessions: int) -> dict:
    """Seconds of a whole walk-forward, from three of its folds."""
    seconds, table = timed(lambda: make_table(symbols, sessions))
    folds = walk_forward_folds(table.dates, table.matures_on, JUMP.split)
    print(f"{symbols} symbols x {sessions} sessions: {len(table):,} rows, {len(folds)} folds (made in {seconds:.0f} s)")
    measured = []
    for number in (0, len(folds) // 2, len(folds) - 1):
        fold = folds[number]
        seconds, _ = processor_timed(lambda fold=fold: fit_fold(FoldTask(table, fold, JUMP, threads=1)))
        measured.append((len(fold.train), seconds))
        print(f"  fold {number + 1:>2}: {len(fold.train):>9,} training rows {seconds:8.1f} processor s", flush=True)
    slope, level = np.polyfit(*np.array(measured).T, 1)
    at_once = fold_pool(table)[1]
    whole = float(sum(slope * len(fold.train) + level for fold in folds)) / at_once
    print(f"walk-forward, added up         {whole:8.0f} s   goal 1200 s   ({at_once} folds at once)")
    middle = folds[len(folds) // 2]
    rival = HistGradientBoostingClassifier(
        max_iter=JUMP.boosting.rounds,
        learning_rate=JUMP.boosting.learning_rate,
        max_leaf_nodes=JUMP.boosting.leaves,
        min_samples_leaf=JUMP.boosting.min_rows_in_leaf,
        max_bins=JUMP.boosting.bins,
        early_stopping=False,
    )
    with threadpool_limits(limits=1):
        seconds, _ = processor_timed(lambda: rival.fit(table.matrix[middle.train], table.labels[middle.train]))
    ratio = seconds / measured[1][1]
    print(f"scikit-learn, the same fold    {seconds:8.1f} processor s   ratio {ratio:.1f} (its fit alone)\n")
    return {"symbols": symbols, "sessions": sessions, "folds": len(folds), "whole_s": whole}


def time_whole(symbols: int, sessions: int) -> dict:
    """Seconds of every fold of a walk-forward."""
    table = make_table(symbols, sessions)
    pool, _ = fold_pool(table)
    seconds, result = timed(
        lambda: run_walk_forward(table, JUMP, fold_map=pool.map, threads=1, report=lambda line: print(f"  {line}"))
    )
    print(f"walk-forward, every fold       {seconds:8.0f} s   goal 1200 s   ({seconds / 60:.1f} minutes)\n")
    return {"symbols": symbols, "sessions": sessions, "folds": len(result.folds), "whole_s": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--whole", action="store_true")
    arguments = parser.parse_args()
    small = make_table(*EMBEDDED)
    circumstances = Circumstances("jump-1", 2, NOW, "")
    pool, _ = fold_pool(small)
    seconds, trained = timed(lambda: train_model(small, JUMP, circumstances, fold_map=pool.map, threads=1))
    folds = len(trained.result.folds)
    print(f"as large as the embedded source ({EMBEDDED[0]} x {EMBEDDED[1]}), {folds} folds, one model:")
    print(f"walk-forward, fit, evaluation  {seconds:8.1f} s   goal  60 s\n")
    figures = {"embedded_s": seconds, "night": time_night(arguments.symbols, trained)}
    run = time_whole if arguments.whole else time_folds
    figures["walk_forward"] = run(arguments.symbols, arguments.sessions)
    write_measurement("signals_speed", figures)


if __name__ == "__main__":
    main()
