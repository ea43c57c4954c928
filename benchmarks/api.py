"""The read-only API against a plain FastAPI application over the same sorted DuckDB table, in the same run.

500 symbols x 5,000 sessions of a feature store and the newest signals. Two questions: how many requests a second eight
clients get answered (ratio to the plain application), and how long requests take at 100 a second while a real
publication of all tables happens every ten seconds. Clients, server and publisher share the machine's cores.

The plain application does what a careful person would write first: the table sorted by symbol and date, one cursor a
request, columns encoded by orjson, one thread a query. It does not see new publications at all.

Run: python benchmarks/api.py [--symbols 500] [--sessions 5000] [--seconds 8] [--rounds 3] [--publishing 60]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import uvloop

from quant_assets.foundation.home import Home
from quant_assets.foundation.tables import Column, Table
from quant_assets.ops.tables import INSTRUMENTS, RUN_STATE
from quant_assets.ops.tables import TABLES as OPS_TABLES
from quant_assets.serving.api.application import create_application
from quant_assets.serving.api.options import ApiOptions
from quant_assets.serving.publish import publish
from resources.warehouse import Warehouse

INDICATORS = tuple(f"indicator_{number:02}" for number in range(27))
PRICES = ("open", "high", "low", "close", "volume")
LABEL = "market_regime"
FEATURES = Table(
    "features",
    "feature_store_v1",
    (
        Column("symbol", "VARCHAR", "Symbol."),
        Column("date", "DATE", "Session."),
        *(Column(name, "DOUBLE", name) for name in (*PRICES, *INDICATORS)),
        Column(LABEL, "VARCHAR", "Regime."),
    ),
    ("symbol", "date"),
    "Benchmark.",
)
SIGNALS = Table(
    "signals",
    "signals",
    (
        *(Column(name, "VARCHAR", name) for name in ("symbol", "model", "recommendation", "source", "model_version")),
        Column("date", "DATE", "Session."),
        Column("probability", "DOUBLE", "p"),
        Column("base_rate", "DOUBLE", "b"),
        Column("decided_at", "TIMESTAMPTZ", "t"),
    ),
    ("symbol", "date", "model"),
    "Benchmark.",
)
TABLES = (*OPS_TABLES, FEATURES, SIGNALS)
AS_OF = dt.date(2029, 12, 28)
NOW = dt.datetime(2029, 12, 29, tzinfo=dt.UTC)
ROWS = 250
CLIENTS = 8
RATE = 100


def fill_home(home: Home, symbols: int, sessions: int) -> None:
    """A warehouse of random walks with indicators of their precision, published once."""
    home.prepare()
    warehouse = Warehouse(home.warehouse)
    warehouse.ensure(TABLES)
    random = np.random.default_rng(0)
    days = np.arange(np.datetime64("1990-01-01"), np.datetime64(AS_OF) + 1)
    days = days[np.is_busday(days)][-sessions:]
    names = [f"SYM{number:03}" for number in range(symbols)]
    with warehouse.transaction() as connection:
        for name in names:
            frame = walk(name, days, random)
            warehouse.append_within(connection, FEATURES, frame)
    signals = pl.DataFrame(
        [(name, "direction", "buy", "model", "direction-1", AS_OF, 0.55, 0.53, NOW) for name in names],
        schema=SIGNALS.polars_schema,
        orient="row",
    )
    warehouse.replace(SIGNALS, signals)
    state = {"as_of": [AS_OF], "source": ["replay-synthetic"], "dividend_adjustment": ["vendor"]}
    shaped = RUN_STATE.empty().select([name for name in RUN_STATE.column_names if name in {*state, "source_clock"}])
    row = pl.DataFrame(state | {"source_clock": [NOW]}, schema=shaped.schema)
    warehouse.replace(RUN_STATE, row)
    rows = [(name, name, "equity", number == 0) for number, name in enumerate(names)]
    warehouse.replace(INSTRUMENTS, pl.DataFrame(rows, schema=INSTRUMENTS.polars_schema, orient="row"))
    publish_now(home)


def walk(name: str, days: np.ndarray, random: np.random.Generator) -> pl.DataFrame:
    """Rows of one symbol: prices in cents, a third of the indicators noise, a third rounded, a third repeated."""
    sessions = len(days)
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.015, sessions))), 2)
    values = {"symbol": [name] * sessions, "date": days, LABEL: ["bullish"] * sessions}
    values |= {column: np.round(close * (1 + random.normal(0, 0.003)), 2) for column in PRICES}
    values |= {column: random.normal(0, 1, sessions) for column in INDICATORS[::3]}
    values |= {column: np.round(close * (1 + random.normal(0, 0.01)), 4) for column in INDICATORS[1::3]}
    values |= dict.fromkeys(INDICATORS[2::3], close / 100)
    return pl.DataFrame(values).with_columns(pl.col("date").cast(pl.Date)).select(FEATURES.column_names)


def publish_now(home: Home) -> None:
    """Publish every table, as the end of a night does."""
    warehouse = Warehouse(home.warehouse)
    now = dt.datetime.now(dt.UTC)
    with warehouse.transaction() as connection:
        connection.execute("UPDATE ops.table_changes SET changed_at = ?", [now])
    publish(home, warehouse, run_id="bench", outcome="success", assets={}, tables=TABLES, git_revision="", now=now)


def publish_every(home: Home, seconds: float) -> None:
    """Publish on a beat until killed; prints the length of each."""
    while True:
        begun = time.monotonic()
        publish_now(home)
        took = time.monotonic() - begun
        print(f"{took:.1f}", flush=True)
        time.sleep(max(0.0, seconds - took))


def serve_ours(home: Home, port: int, cache_bytes: int) -> None:
    import uvicorn

    options = ApiOptions(requests_per_second=0, cache_bytes=cache_bytes)
    uvicorn.run(create_application(home, options), port=port, access_log=False, log_level="warning")


def serve_plain(home: Home, port: int) -> None:
    """The anchor: what PERFORMANCE figures call plain FastAPI with a sorted DuckDB table."""
    import duckdb
    import orjson
    import uvicorn
    from fastapi import FastAPI, Response

    application = FastAPI()
    connection = duckdb.connect(str(home.readers_database.resolve()), read_only=True)
    connection.execute("SET threads TO 1")

    def columns(sql: str, parameters: list[object]) -> Response:
        with connection.cursor() as cursor:
            found = cursor.execute(sql, parameters).fetchnumpy()
        document = {
            name: values.astype("datetime64[D]").astype(str).tolist()
            if values.dtype.kind == "M"
            else values.tolist()
            if values.dtype.kind == "O"
            else np.ascontiguousarray(values)
            for name, values in found.items()
        }
        return Response(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")

    @application.get("/api/v1/features/v1/{symbol}")
    def features(symbol: str, limit: int = ROWS) -> Response:
        return columns(
            "SELECT * FROM features.feature_store_v1 WHERE symbol = ? ORDER BY date DESC LIMIT ?", [symbol, limit]
        )

    @application.get("/api/v1/signals")
    def signals(limit: int = 500) -> Response:
        return columns(
            "SELECT * EXCLUDE decided_at FROM signals.signals WHERE date = (SELECT max(date) FROM signals.signals) "
            "ORDER BY probability - base_rate DESC LIMIT ?",
            [limit],
        )

    uvicorn.run(application, port=port, access_log=False, log_level="warning")


def serve_bytes(port: int) -> None:
    """A server that does nothing but answer."""
    import uvicorn

    body = b"x" * 100_000
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100000")]}

    async def application(scope, _receive, send) -> None:
        if scope["type"] == "http":
            await send(start)
            await send({"type": "http.response.body", "body": body})

    uvicorn.run(application, port=port, access_log=False, log_level="warning", lifespan="off")


class Client:
    """One keep-alive connection, as lean as can be: the load generator shares the cores with the server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> int:
        """Ask and read the whole answer; returns its status."""
        if self._streams is None or self._streams[0].at_eof():
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        reader, writer = self._streams
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        start = head.index(b"content-length:") + 15
        await reader.readexactly(int(head[start : head.index(b"\r", start)]))
        return int(head[9:12])

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


async def closed_loop(port: int, paths: Callable[[], str], seconds: float) -> tuple[float, float]:
    """Requests a second and 99th percentile in ms of ``CLIENTS`` clients that each ask again at once."""
    latencies: list[float] = []
    stop = time.perf_counter() + seconds

    async def ask() -> None:
        client = Client(port)
        while (begun := time.perf_counter()) < stop:
            status = await client.get(paths())
            assert status == 200, status
            latencies.append(time.perf_counter() - begun)
        client.close()

    begun = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(CLIENTS)))
    return len(latencies) / (time.perf_counter() - begun), 1e3 * float(np.percentile(latencies, 99))


async def open_loop(port: int, paths: Callable[[], str], seconds: float) -> tuple[list[float], int]:
    """Latencies in ms at a fixed rate, each counted from the moment it was due, and the requests that failed."""
    idle: list[Client] = []
    latencies: list[float] = []
    failures = 0

    async def ask(due: float) -> None:
        nonlocal failures
        client = idle.pop() if idle else Client(port)
        try:
            status = await client.get(paths())
        except (OSError, asyncio.IncompleteReadError):
            failures += 1
            return
        failures += status != 200
        latencies.append(1e3 * (time.perf_counter() - due))
        idle.append(client)

    begun = time.perf_counter()
    tasks = []
    for number in range(int(seconds * RATE)):
        due = begun + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(due)))
    await asyncio.gather(*tasks)
    return latencies, failures


@contextmanager
def process(*arguments: str, port: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """This file in a process of its own, up once its port answers."""
    command = [sys.executable, "-W", "ignore", __file__, *arguments]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "."})
    try:
        if port is not None:
            wait_for(port, started)
        yield started
    finally:
        started.terminate()
        started.wait(20)


def wait_for(port: int, started: subprocess.Popen[str]) -> None:
    async def ready() -> bool:
        try:
            return await Client(port).get("/api/v1/signals?limit=500") == 200
        except (OSError, asyncio.IncompleteReadError):
            return False

    deadline = time.monotonic() + 120
    while not uvloop.run(ready()):
        assert started.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server did not come up"
        time.sleep(0.2)


def any_symbol(symbols: int) -> Callable[[], str]:
    random = np.random.default_rng(1)
    return lambda: f"/api/v1/features/v1/SYM{random.integers(symbols):03}?limit={ROWS}"


def newest_signals() -> str:
    return "/api/v1/signals?limit=500"


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def compare(home: Home, symbols: int, seconds: float, rounds: int) -> None:
    """Throughput of every server, round by round in turn, so that a busy machine strikes all alike."""
    servers = {
        "ready answers (as served)": ("ours", "64000000"),
        "without ready answers": ("ours", "0"),
        "plain FastAPI, sorted DuckDB": ("plain", "0"),
    }
    questions = {f"{ROWS} feature rows": any_symbol(symbols), "newest signals": newest_signals}
    figures: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for server, (kind, cache) in servers.items():
            port = free_port()
            with process(f"--serve={kind}", f"--home={home.path}", f"--port={port}", f"--cache={cache}", port=port):
                for question, paths in questions.items():
                    uvloop.run(closed_loop(port, paths, min(2.0, seconds)))
                    figures.setdefault((question, server), []).append(uvloop.run(closed_loop(port, paths, seconds)))
    for question in questions:
        plain = statistics.median(rate for rate, _ in figures[question, "plain FastAPI, sorted DuckDB"])
        print(f"\n{question}, {CLIENTS} clients, one server process (median of {rounds} rounds)")
        for server in servers:
            rate = statistics.median(rate for rate, _ in figures[question, server])
            p99 = statistics.median(p99 for _, p99 in figures[question, server])
            print(f"  {server:32} {rate:8,.0f}/s   p99 {p99:6.1f} ms   {rate / plain:5.1f} x the plain one")


def under_publications(home: Home, symbols: int, seconds: float, every: float) -> None:
    """Latency at a fixed rate, first in quiet, then while all tables are published again and again.

    Beside it a server that answers with the same number of bytes and does nothing else: what the machine allows at
    that moment.
    """
    paths, signals = any_symbol(symbols), newest_signals
    random = np.random.default_rng(2)

    def mixed() -> str:
        return signals() if random.random() < 0.2 else paths()

    print(f"\n{RATE} requests a second, one in five the newest signals, the rest {ROWS} rows of any symbol")
    for server, kind in (("as served", "ours"), ("constant bytes (the bound)", "bytes")):
        port = free_port()
        with process(f"--serve={kind}", f"--home={home.path}", f"--port={port}", port=port):
            quiet, failed = uvloop.run(open_loop(port, mixed, min(seconds, 20.0)))
            print(f"  {server:28} quiet             {describe(quiet)}   failed {failed}")
            before = home.readers_database.resolve()
            with process(f"--publish={every}", f"--home={home.path}") as publisher:
                busy, failed = uvloop.run(open_loop(port, mixed, seconds))
            took = publisher.stdout.read().split() if publisher.stdout else []
            assert home.readers_database.resolve() != before, "nothing was published"
            print(f"  {server:28} while publishing  {describe(busy)}   failed {failed}")
            size = home.readers_database.stat().st_size / 1e6
            print(f"  {'':28} {len(took)} publications of {size:.0f} MB, which took {', '.join(took)} s")


def describe(latencies: list[float]) -> str:
    p50, p99 = np.percentile(latencies, [50, 99])
    return f"median {p50:5.1f} ms   p99 {p99:6.1f} ms   longest {max(latencies):6.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--publishing", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--serve", choices=["ours", "plain", "bytes"])
    parser.add_argument("--port", type=int, default=8911)
    parser.add_argument("--cache", type=int, default=64_000_000)
    parser.add_argument("--publish", type=float)
    given = parser.parse_args()
    if given.serve == "ours":
        serve_ours(Home(given.home), given.port, given.cache)
    elif given.serve == "plain":
        serve_plain(Home(given.home), given.port)
    elif given.serve == "bytes":
        serve_bytes(given.port)
    elif given.publish:
        publish_every(Home(given.home), given.publish)
    else:
        with tempfile.TemporaryDirectory() as folder:
            home = Home(given.home or Path(folder) / "home")
            if not home.readers_database.exists():
                begun = time.monotonic()
                fill_home(home, given.symbols, given.sessions)
                print(f"{given.symbols} symbols x {given.sessions:,} sessions made in {time.monotonic() - begun:.0f} s")
            compare(home, given.symbols, given.seconds, given.rounds)
            under_publications(home, given.symbols, given.publishing, given.every)


if __name__ == "__main__":
    main()
