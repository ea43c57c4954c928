"""Prices: ingest of 500 symbols x 5,000 bars, storing them again, and a night without news.

Rivals in the same run: a Polars scan of the same replies as files, and a plain DuckDB insert of the same rows.
"""

import os
import resource
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
import yaml

SYMBOLS = int(os.environ.get("BENCH_SYMBOLS", "500"))
YEARS = 20


@contextmanager
def clocked(seconds: dict[str, float], name: str):
    begun = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - begun


def rivals(url: str, names: list[str], folder: Path) -> dict[str, float]:
    """The same replies, read by one Polars scan and written by one plain insert."""
    import httpx

    seconds: dict[str, float] = {}
    with clocked(seconds, "server alone (bare client, one after the other)"), httpx.Client(timeout=60) as client:
        for name in names:
            query = {"function": "TIME_SERIES_DAILY_ADJUSTED", "symbol": name, "outputsize": "full"}
            body = client.get(url, params=query | {"datatype": "csv", "apikey": "x"}).content
            (folder / f"{name}.csv").write_bytes(body)
    with clocked(seconds, "polars scan_csv of the replies"):
        frame = pl.scan_csv(folder / "*.csv", include_file_paths="path", try_parse_dates=True).collect()
    with clocked(seconds, "plain duckdb insert"), duckdb.connect(str(folder / "plain.duckdb")) as connection:
        connection.execute("CREATE TABLE bars AS FROM frame")
    print(f"rows: {frame.height:,}")
    return seconds


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    names = [f"SYM{i:03}" for i in range(SYMBOLS)]
    rows = [{"symbol": name, "name": name, "asset_class": "equity"} for name in names]
    (folder / "universe.yaml").write_text(yaml.safe_dump({"symbols": rows, "market": names[0]}))
    os.environ |= {"QUANT_HOME": str(folder / "home"), "QUANT_UNIVERSE": str(folder / "universe.yaml")}

    from quant_assets.foundation.calendar import new_york_calendar
    from quant_assets.foundation.home import Home
    from quant_assets.market_data.fetch_situation import FetchWish
    from quant_assets.market_data.ingest import ingest
    from quant_assets.market_data.tables import TABLES
    from quant_assets.ops.tables import TABLES as OPS
    from quant_assets.quality.tables import TABLES as QUALITY
    from quant_assets.replay.server import ReplayServer
    from quant_assets.replay.synthetic.market import SyntheticHistory
    from quant_assets.replay.synthetic.parameters import EventRates
    from resources.alpha_vantage.client import AlphaVantageSource
    from resources.warehouse import Warehouse

    history = SyntheticHistory(seed=1, symbols=SYMBOLS, years=YEARS, rates=EventRates.none())
    home = Home(folder / "home")
    home.prepare()
    warehouse = Warehouse(home.warehouse, run_id="bench")
    warehouse.ensure((*TABLES, *OPS, *QUALITY))
    classes = dict.fromkeys(names, "equity")
    with ReplayServer(history) as server:
        seconds = rivals(server.url, names, folder)
        with AlphaVantageSource(base_url=server.url, key="x", plan="unlimited") as source:
            for name in ("ours: fetch, parse and store", "ours: the same again, nothing changed"):
                with clocked(seconds, name):
                    ingest(source, warehouse, classes, new_york_calendar(), wish=FetchWish(outputsize="full"))
            with clocked(seconds, "ours: nothing to fetch"):
                ingest(source, warehouse, classes, new_york_calendar())
    bound = seconds["polars scan_csv of the replies"] + seconds["plain duckdb insert"]
    for name, value in seconds.items():
        print(f"{name:50} {value:8.2f} s  {value / bound:6.2f} x (scan + plain insert)")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory of this process, the server included: {peak:.1f} GB")


if __name__ == "__main__":
    sys.exit(main())
