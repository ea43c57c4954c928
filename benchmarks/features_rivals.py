"""The alternatives to the feature store's first version, each reading the same view and storing the same columns.

Part of ``python -m benchmarks features``. TA-Lib and Polars run here, qlib in ``.venv-bench`` (recipe in
features-requirements.txt); what is not installed is printed as not measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import talib

from benchmarks.features import QLIB_PUBLISHED_SECONDS, RIVALS_PYTHON, V1, Night, compile_first, floor, market

SYMBOLS = int(os.environ.get("BENCH_RIVAL_SYMBOLS", "500"))
QLIB_SHAPE = (800, 3_400)
BARS = "FROM market_data.adjusted_prices"


def clocked(work: Callable[[], object]) -> dict[str, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def stored(folder: Path, frame: pl.DataFrame) -> None:
    """What each alternative does at its end."""
    path = folder / "rival.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.register("made", frame)
        connection.execute("CREATE TABLE features AS FROM made")


def bars_of(night: Night) -> pl.DataFrame:
    with night.warehouse.connect() as connection:
        return connection.execute(BARS).pl().sort("symbol", "date")


def by_talib(bars: pl.DataFrame) -> pl.DataFrame:
    """The 22 indicators, TA-Lib symbol by symbol."""
    close, high, low, volume = (bars[name].to_numpy() for name in ("close", "high", "low", "volume"))
    names = [
        "rsi_14",
        "macd",
        "macd_signal",
        "macd_hist",
        "bb_upper",
        "bb_middle",
        "bb_lower",
        "bb_width",
        "bb_position",
    ]
    names += ["sma_5", "sma_10", "sma_20", "sma_50", "ema_12", "ema_26", "volume_sma_20", "volume_ratio", "obv"]
    names += ["price_change_1d", "price_change_5d", "price_change_20d", "high_low_range"]
    out = {name: np.empty(bars.height) for name in names}
    starts = np.flatnonzero(np.r_[True, bars["symbol"].to_numpy()[1:] != bars["symbol"].to_numpy()[:-1]])
    for low_row, high_row in zip(starts, np.r_[starts[1:], bars.height], strict=True):
        s = slice(low_row, high_row)
        c, v = close[s], volume[s]
        upper, middle, lower = talib.BBANDS(c, 20, 2, 2)
        mean_volume = talib.SMA(v, 20)
        made = [
            talib.RSI(c, 14),
            *talib.MACD(c),
            upper,
            middle,
            lower,
            (upper - lower) / middle,
            (c - lower) / (upper - lower),
        ]
        made += [talib.SMA(c, n) for n in (5, 10, 20, 50)] + [talib.EMA(c, n) for n in (12, 26)]
        made += [mean_volume, v / mean_volume, talib.OBV(c, v), *(talib.ROCP(c, n) for n in (1, 5, 20))]
        made += [(high[s] - low[s]) / c]
        for name, values in zip(names, made, strict=True):
            out[name][s] = values
    return bars.with_columns(pl.Series(name, values, nan_to_null=True) for name, values in out.items())


def by_polars(bars: pl.DataFrame) -> pl.DataFrame:
    """The 22 indicators as Polars expressions over symbols; averages seeded as Polars does."""
    close, volume = pl.col("close"), pl.col("volume")
    change = close.diff()
    gain = change.clip(lower_bound=0).ewm_mean(alpha=1 / 14, adjust=False, min_samples=14)
    loss = (-change).clip(lower_bound=0).ewm_mean(alpha=1 / 14, adjust=False, min_samples=14)
    mean, spread = close.rolling_mean(20), 2 * close.rolling_std(20, ddof=0)
    fast, slow = (close.ewm_mean(span=n, adjust=False, min_samples=n) for n in (12, 26))
    first = {
        "rsi_14": 100 * gain / (gain + loss),
        "macd": fast - slow,
        "bb_upper": mean + spread,
        "bb_middle": mean,
        "bb_lower": mean - spread,
        "bb_width": 2 * spread / mean,
        "bb_position": (close - mean + spread) / (2 * spread),
        **{f"sma_{n}": close.rolling_mean(n) for n in (5, 10, 20, 50)},
        "ema_12": fast,
        "ema_26": slow,
        "volume_sma_20": volume.rolling_mean(20),
        "volume_ratio": volume / volume.rolling_mean(20),
        "obv": (change.sign().fill_null(1) * volume).cum_sum(),
        **{f"price_change_{n}d": close.pct_change(n) for n in (1, 5, 20)},
    }
    made = bars.with_columns(expression.over("symbol").alias(name) for name, expression in first.items())
    signal = pl.col("macd").ewm_mean(span=9, adjust=False, min_samples=9).over("symbol")
    made = made.with_columns(
        signal.alias("macd_signal"), ((pl.col("high") - pl.col("low")) / close).alias("high_low_range")
    )
    return made.with_columns((pl.col("macd") - pl.col("macd_signal")).alias("macd_hist"))


def by_qlib(bars: pl.DataFrame, fields: str, folder: Path) -> dict[str, dict[str, float]]:
    """qlib's wall seconds (its work is spread over processes), or nothing where it is not installed."""
    if not RIVALS_PYTHON.exists():
        return {}
    path = folder / "bars.parquet"
    bars.select("symbol", "date", "open", "high", "low", "close", "volume").write_parquet(path)
    script = Path(__file__).with_name("features_qlib.py")
    command = [str(RIVALS_PYTHON), "-W", "ignore", str(script), str(path), fields, str(folder / f"qlib-{fields}")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        return {}
    return {name: {"wall": seconds} for name, seconds in json.loads(done.stdout.splitlines()[-1]).items()}


def in_memory(night: Night) -> None:
    """Our 22 indicators from the stored prices to a frame in memory, the mart's SQL included."""
    from quant_assets.features.causality import evaluate_mart
    from quant_assets.features.panel import computed
    from quant_assets.features.versions import version_1

    with night.warehouse.connect() as connection:
        windowed = computed(version_1(), connection.execute(BARS).pl())
        evaluate_mart(connection, night.project.manifest, 1, windowed)


def line(name: str, seconds: dict[str, float] | None, ours: dict[str, float]) -> None:
    if seconds is None:
        print(f"  {name:<44} not measured")
        return
    told = f"{seconds['wall'] / ours['wall']:.2f} x ours"
    if "cpu" in seconds:
        told = f"{seconds['cpu']:8.2f} cpu   {told} ({seconds['cpu'] / ours['cpu']:.2f} in cpu)"
    print(f"  {name:<44} {seconds['wall']:8.2f} s {told}")


def compare() -> None:
    """Print both comparisons."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        compile_first()
        night = Night(folder, *market(SYMBOLS))
        ours = night.run("run", "--select", *V1)
        print(f"\nversion 1 of {SYMBOLS} symbols x 5,000 sessions, read from the view and stored in DuckDB")
        line("ours, through dbt", ours, ours)
        line("floor, CREATE TABLE AS out of memory", floor(night, "features.feature_store_v1"), ours)
        for name, made in (("TA-Lib symbol by symbol", by_talib), ("Polars expressions", by_polars)):
            line(name, clocked(lambda made=made: stored(folder, made(bars_of(night)))), ours)
        qlib = by_qlib(bars_of(night), "indicators", folder)
        for name in ("uncached", "both caches cold"):
            line(f"qlib, {name} (not stored elsewhere)", qlib.get(name), ours)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        night = Night(folder, *market(*QLIB_SHAPE))
        night.run("run", "--select", "stg_regimes__market_regimes")
        ours = clocked(lambda: in_memory(night))
        shape = f"{QLIB_SHAPE[0]} symbols x {QLIB_SHAPE[1]:,} sessions"
        print(f"\nqlib's shape, {shape}: our 22 indicators, qlib's 14 factors, in memory")
        line("ours, from the stored prices", ours, ours)
        qlib = by_qlib(bars_of(night), "paper", folder)
        for name in ("uncached", "both caches cold", "both caches warm"):
            line(f"qlib run here, {name}", qlib.get(name), ours)
        line("qlib as published, both caches", {"wall": QLIB_PUBLISHED_SECONDS}, ours)
