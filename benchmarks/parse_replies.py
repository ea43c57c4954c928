"""Parsing replies of daily bars: our parser against Polars and DuckDB on the same replies, in the same run.

The alternatives only read; ours also checks the header, the dates, every value and the order, adds the missing
columns of the schema and hashes the body, as the client does for each reply. Only ratios within one run count.

Run: python benchmarks/parse_replies.py [--replies 500] [--bars 5000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import hashlib
import io
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import orjson
import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.ports import FetchRequest, VendorFunction
from resources.alpha_vantage.limits import Plan
from resources.alpha_vantage.parsing import parse_reply
from resources.alpha_vantage.replies import classify_body

SCHEMA = {
    "timestamp": pl.Date,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Int64,
}
FINISHED = dt.date(2030, 1, 1)


def make_csv(bars: int, seed: int) -> bytes:
    """A reply as the vendor sends it: newest first, four decimals, CRLF."""
    random = np.random.default_rng(seed)
    days = np.arange(np.datetime64("1999-11-01"), np.datetime64("2029-12-31"))
    dates = days[np.is_busday(days)][:bars][::-1]
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.015, len(dates))))
    frame = pl.DataFrame(
        {
            "timestamp": dates,
            "open": close * (1 + random.normal(0, 0.003, len(dates))),
            "high": close * 1.01,
            "low": close * 0.99,
            "close": close,
            "volume": random.integers(100_000, 50_000_000, len(dates)),
        }
    )
    return frame.write_csv(float_precision=4, line_terminator="\r\n").encode()


def as_json(body: bytes, symbol: str) -> bytes:
    """The same reply as JSON."""
    labels = ["1. open", "2. high", "3. low", "4. close", "5. volume"]
    rows = list(csv.reader(io.StringIO(body.decode())))[1:]
    series = {row[0]: dict(zip(labels, row[1:], strict=True)) for row in rows}
    meta = {"2. Symbol": symbol, "3. Last Refreshed": rows[0][0], "5. Time Zone": "US/Eastern"}
    return orjson.dumps({"Meta Data": meta, "Time Series (Daily)": series}, option=orjson.OPT_INDENT_2)


def parse_one(symbol: str, body: bytes) -> pl.DataFrame:
    hashlib.sha256(body).hexdigest()
    request = FetchRequest(symbol, VendorFunction.DAILY, "full")
    document = classify_body(body).document
    return parse_reply(request, body, document, finished=FINISHED, calendar=new_york_calendar()).frame


def parse_ours(bodies: dict[str, bytes]) -> int:
    return pl.concat([parse_one(symbol, body) for symbol, body in bodies.items()]).height


def parse_ours_in_threads(bodies: dict[str, bytes]) -> int:
    """As the client does: each worker parses what it fetched."""
    with ThreadPoolExecutor(Plan.parse(None).workers) as pool:
        return pl.concat(list(pool.map(parse_one, bodies.keys(), bodies.values()))).height


def orjson_and_polars(bodies: dict[str, bytes]) -> int:
    frames = []
    for symbol, body in bodies.items():
        series = orjson.loads(body)["Time Series (Daily)"]
        rows = [{"date": date, **bar} for date, bar in series.items()]
        frames.append(
            pl.DataFrame(rows).select(
                pl.lit(symbol).alias("symbol"),
                pl.col("date").str.to_date(),
                pl.col("5. volume").cast(pl.Int64),
                pl.exclude("date", "5. volume").cast(pl.Float64),
            )
        )
    return pl.concat(frames).height


def duckdb_json(folder: Path) -> int:
    query = (
        "SELECT entry.key::DATE, (entry.value->>'1. open')::DOUBLE, (entry.value->>'2. high')::DOUBLE, "
        "(entry.value->>'3. low')::DOUBLE, (entry.value->>'4. close')::DOUBLE, (entry.value->>'5. volume')::BIGINT "
        'FROM (SELECT unnest(map_entries("Time Series (Daily)")) AS entry FROM read_json(?, '
        "columns = {'Time Series (Daily)': 'MAP(VARCHAR, JSON)'}))"
    )
    with duckdb.connect() as connection:
        return connection.execute(query, [str(folder / "*.json")]).pl().height


def measure(ways: dict[str, Callable[[], int]], expected_rows: int, rounds: int) -> dict[str, float]:
    """Best of several rounds, the ways taking turns so that a busy machine hurts all alike."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            rows = way()
            best[name] = min(best[name], time.perf_counter() - started)
            assert rows == expected_rows, f"{name} read {rows} rows instead of {expected_rows}"
    return best


def show(title: str, seconds: dict[str, float], anchor: str) -> None:
    print(title)
    for name, value in seconds.items():
        print(f"  {name:<45} {value:8.3f} s   {value / seconds[anchor]:5.2f}x")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--replies", type=int, default=500)
    arguments.add_argument("--bars", type=int, default=5000)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    bodies = {f"S{number:04}": make_csv(options.bars, number) for number in range(options.replies)}
    few = {symbol: as_json(body, symbol) for symbol, body in list(bodies.items())[: max(1, options.replies // 10)]}
    new_york_calendar()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for symbol, body in bodies.items():
            (folder / f"{symbol}.csv").write_bytes(body)
        for symbol, body in few.items():
            (folder / f"{symbol}.json").write_bytes(body)
        files = str(folder / "*.csv")
        by_csv = measure(
            {
                "Polars scan_csv over all files": lambda: (
                    pl.scan_csv(files, schema=SCHEMA, include_file_paths="file").collect().height
                ),
                "Polars read_csv one by one, nothing else": lambda: (
                    pl.concat([pl.read_csv(body, schema=SCHEMA) for body in bodies.values()]).height
                ),
                "DuckDB read_csv over all files": lambda: (
                    duckdb.connect().execute(f"SELECT * FROM read_csv('{files}', filename = true)").pl().height
                ),
                "ours, one by one, checked": lambda: parse_ours(bodies),
                "ours, in the client's threads, checked": lambda: parse_ours_in_threads(bodies),
            },
            sum(body.count(b"\n") - 1 for body in bodies.values()),
            options.rounds,
        )
        show(f"CSV, {len(bodies)} replies of {options.bars} bars", by_csv, "Polars scan_csv over all files")
        by_json = measure(
            {
                "DuckDB read_json into a MAP": lambda: duckdb_json(folder),
                "orjson and Polars": lambda: orjson_and_polars(few),
                "ours, one by one, checked": lambda: parse_ours(few),
                "ours, in the client's threads, checked": lambda: parse_ours_in_threads(few),
            },
            len(few) * options.bars,
            options.rounds,
        )
        show(f"JSON, {len(few)} replies of {options.bars} bars", by_json, "orjson and Polars")


if __name__ == "__main__":
    main()
