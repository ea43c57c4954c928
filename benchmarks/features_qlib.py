"""qlib's expression engine over the same bars; runs in the rivals' environment and prints JSON.

usage: features_qlib.py BARS.parquet FIELDS FOLDER    with FIELDS one of paper, indicators

Prints seconds for: uncached, both caches cold (filling them), both caches warm. qlib locks its caches through a Redis
server; one process needs no lock, so the locks are replaced by nothing here.
"""

import contextlib
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")

WINDOWS = (5, 10, 20, 50)
PAPER = [
    *(f"$close / Ref($close, {n}) - 1" for n in (1, 5, 20)),
    *(f"Mean($close, {n}) / $close" for n in WINDOWS),
    *(f"EMA($close, {n}) / $close" for n in (12, 26)),
    "Std($close, 20) / $close",
    "Mean($volume, 20)",
    "$volume / Mean($volume, 20)",
    "($high - $low) / $close",
    "4 * Std($close, 20) / Mean($close, 20)",
]
"""Fourteen factors of the usual kind; the paper does not list its own."""
_GAIN = "If($close > Ref($close, 1), $close - Ref($close, 1), 0)"
_LOSS = "If($close < Ref($close, 1), Ref($close, 1) - $close, 0)"
_MACD = "(EMA($close, 12) - EMA($close, 26))"
INDICATORS = [
    f"100 * EMA({_GAIN}, 27) / (EMA({_GAIN}, 27) + EMA({_LOSS}, 27))",
    _MACD,
    f"EMA({_MACD}, 9)",
    f"{_MACD} - EMA({_MACD}, 9)",
    "Mean($close, 20) + 2 * Std($close, 20)",
    "Mean($close, 20)",
    "Mean($close, 20) - 2 * Std($close, 20)",
    "4 * Std($close, 20) / Mean($close, 20)",
    "($close - Mean($close, 20) + 2 * Std($close, 20)) / (4 * Std($close, 20))",
    *(f"Mean($close, {n})" for n in WINDOWS),
    *(f"EMA($close, {n})" for n in (12, 26)),
    "Mean($volume, 20)",
    "$volume / Mean($volume, 20)",
    "Sum(Sign($close - Ref($close, 1)) * $volume, 0)",
    *(f"$close / Ref($close, {n}) - 1" for n in (1, 5, 20)),
    "($high - $low) / $close",
]


def write_provider(bars: pd.DataFrame, folder: Path) -> None:
    """Bars in qlib's own files: one float32 file per symbol and field."""
    days = np.sort(bars["date"].unique())
    (folder / "calendars").mkdir(parents=True)
    (folder / "calendars" / "day.txt").write_text("\n".join(pd.Timestamp(day).strftime("%Y-%m-%d") for day in days))
    (folder / "instruments").mkdir()
    first, last = (pd.Timestamp(day).strftime("%Y-%m-%d") for day in (days[0], days[-1]))
    names = bars["symbol"].unique()
    (folder / "instruments" / "all.txt").write_text("\n".join(f"{name}\t{first}\t{last}" for name in names))
    for name, frame in bars.groupby("symbol"):
        place = folder / "features" / name.lower()
        place.mkdir(parents=True)
        for column in ("open", "high", "low", "close", "volume"):
            values = np.concatenate([[0.0], frame[column].to_numpy()]).astype("<f4")
            values.tofile(place / f"{column}.day.bin")


def main() -> None:
    path, fields, folder = Path(sys.argv[1]), {"paper": PAPER, "indicators": INDICATORS}[sys.argv[2]], Path(sys.argv[3])
    write_provider(pd.read_parquet(path), folder)
    import qlib
    from qlib.data import D
    from qlib.data.cache import CacheUtils

    qlib.utils.can_use_cache = lambda: True
    CacheUtils.reader_lock = staticmethod(lambda *_: contextlib.nullcontext())
    CacheUtils.writer_lock = staticmethod(lambda *_: contextlib.nullcontext())
    seconds = {}
    for name, caches in (
        ("uncached", {"expression_cache": None, "dataset_cache": None}),
        ("both caches cold", {"expression_cache": "DiskExpressionCache", "dataset_cache": "DiskDatasetCache"}),
    ):
        qlib.init(provider_uri=str(folder), kernels=1, logging_level=50, mount_path=str(folder), **caches)
        begun = time.perf_counter()
        D.features(D.instruments("all"), fields, freq="day", disk_cache=1 if caches["dataset_cache"] else 0)
        seconds[name] = time.perf_counter() - begun
    begun = time.perf_counter()
    D.features(D.instruments("all"), fields, freq="day", disk_cache=1)
    seconds["both caches warm"] = time.perf_counter() - begun
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
