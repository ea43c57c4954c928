"""What the sentinel costs, and what it finds.

    python -m benchmarks.quality                  one session of 500 symbols; the back-scan's cost per bar and per fit
    python -m benchmarks.quality score            recall by kind and size, precision, false alarms, beside naive rules
    python -m benchmarks.quality score --prophet  the same with Prophet (four times as long)

Everything is computed in this run, on packaged real history and seeded synthetic markets. Timings of a shared machine
are noisy: compare the ratios.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.planted import (
    NOW,
    clean_figures,
    later_indices,
    packaged_market,
    planted_figures,
    stored,
    synthetic_market,
)
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.tables import DAILY_PRICES
from quant_assets.market_data.tables import TABLES as MARKET_DATA
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import RUN_STATE
from quant_assets.ops.tables import TABLES as OPS
from quant_assets.quality.decisions import newest_decisions
from quant_assets.quality.prophet_detector import ProphetSettings, due_prophet_tasks, fit_prophets
from quant_assets.quality.scan import scan_bars
from quant_assets.quality.scan_state import ScanSettings
from quant_assets.quality.scan_storage import load_scan, store_scan
from quant_assets.quality.tables import TABLES
from resources.warehouse import Warehouse

WORKERS = os.cpu_count() or 1


def score(settings):
    for market in (packaged_market(), later_indices(), synthetic_market()):
        print(f"\n{market.name}: {market.scored(market.bars).height:,} bars, nothing planted; raised per 10,000 bars")
        for name, share in clean_figures(market, settings).items():
            print(f"  {name:<12}{share:6.1f}")
        summary, tables = planted_figures(market, settings)
        print(f"{market.name}, planted with {len(market.seeds)} seeds")
        for name, one in summary.items():
            print(
                f"  {name:<12}recall on the night {one['recall_on_night']:6.1%}, with hindsight "
                f"{one['recall_with_hindsight']:6.1%}; precision {one['precision']:6.1%}; "
                f"false alarms per 10,000 bars {one['false_per_10_000']:6.1f}"
            )
        by_kind(tables)


def by_kind(tables):
    naive = [name for name in tables if name != "sentinel"]
    head = "".join(f"{name:>10}" for name in ("planted", "night", "later", *naive))
    print(f"\n  {'kind':<18}{'size':<22}{'material':<10}{head}")
    for own, *others in zip(*(table.iter_rows(named=True) for table in tables.values()), strict=True):
        shares = [own["night"], own["later"], *(other["night"] for other in others)]
        print(
            f"  {own['kind']:<18}{own['size']:<22}{'yes' if own['is_material'] else '':<10}{own['planted']:>10}"
            + "".join(f"{share:>10.0%}" for share in shares)
        )


def made_up(symbols, sessions):
    dates = new_york_calendar().sessions_between(dt.date(2000, 1, 3), dt.date(2026, 1, 1))[:sessions]
    rng = np.random.default_rng(0)
    market, frames = rng.standard_t(5, sessions) * 0.008, []
    for number in range(symbols):
        moves = market + rng.standard_t(5, sessions) * 0.012
        close = np.round(50 * np.exp(np.cumsum(moves - moves.mean())), 2).clip(1)
        opened = np.round(close * np.exp(rng.normal(0, 0.004, sessions)), 2)
        reach = 1 + np.abs(rng.normal(0, 0.006, (2, sessions)))
        volume = np.round(1e6 * np.exp(rng.normal(0, 0.3, sessions) + 0.4 * np.abs(moves) / 0.015)).astype(int)
        frames.append(
            pl.DataFrame(
                {
                    "symbol": [f"S{number:03d}"] * sessions,
                    "date": dates,
                    "open": opened,
                    "high": np.round(np.maximum(opened, close) * reach[0], 2),
                    "low": np.round(np.minimum(opened, close) / reach[1], 2),
                    "close": close,
                    "volume": volume,
                }
            )
        )
    return stored(pl.concat(frames))


def timed(work):
    """Wall seconds, and CPU seconds of this process and its children."""
    wall, before = time.perf_counter(), cpu()
    result = work()
    return result, time.perf_counter() - wall, cpu() - before


def cpu():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def night(store, operations, bars, settings):
    """A run's part of the sentinel: new bars are in the warehouse; read, scan, write."""
    newest = bars["date"].max()
    row = {"as_of": [newest], "source": ["benchmark"], "dividend_adjustment": ["vendor"], "source_clock": [NOW]}
    store.replace(RUN_STATE, pl.DataFrame(row, schema=RUN_STATE.polars_schema))
    with store.transaction() as connection:
        store.append_within(connection, DAILY_PRICES, bars)

    def work():
        loaded = load_scan(store, newest_decisions(operations), new_york_calendar())
        result = scan_bars(loaded.scan, loaded.state, settings)
        store_scan(store, loaded, result)
        return result

    return timed(work)


def speed():
    prophet, quiet = ProphetSettings(), ScanSettings(prophet=None, workers=WORKERS)
    bars = made_up(500, 900)
    newest = bars["date"].max()
    before, session = bars.filter(pl.col("date") < newest), bars.filter(pl.col("date") == newest)
    with tempfile.TemporaryDirectory() as folder:
        store = Warehouse(Path(folder) / "warehouse.duckdb", run_id="bench")
        store.ensure([*MARKET_DATA, *OPS, *TABLES])
        operations = OperationsStore(Path(folder) / "operations.sqlite")
        first, wall, used = night(store, operations, before, quiet)
        print(f"back-scan without Prophet, 500 x 900: {wall:.1f} s wall, {used:.1f} s CPU, DuckDB included")
        per_bar = used / before.height
        result, wall, used = night(store, operations, session, quiet)
    forests = first.models.filter(pl.col("method") == "isolation_forest").height
    print(f"one new session of 500 symbols, DuckDB included: {wall:.2f} s wall, {used:.2f} s CPU (goal: under 5 s)")
    assert result.scores.height == 500
    each = prophet_seconds(bars, session, prophet)
    print(f"  with the 500 / 60 = 8.3 Prophet fits of an average night: {wall + 8.3 * each:.2f} s")
    print(
        f"  naive, every symbol's Prophet fitted again each night: {wall + 500 * each:.1f} s, "
        f"{(wall + 500 * each) / (wall + 8.3 * each):.1f} times as long"
    )
    fits, rows = 500 * (5_000 // prophet.refit_sessions), 500 * 5_000
    total = per_bar * rows + fits * each
    print(
        f"back-scan of 500 x 5,000, extrapolated from CPU on {WORKERS} cores: "
        f"{fits:,} fits {fits * each / 60:.1f} min, the rest ({forests} forests in the sample) "
        f"{per_bar * rows / 60:.1f} min; together {total / 60:.1f} min, of which Prophet {fits * each / total:.0%} "
        "(goal: under 30 min)"
    )
    print(f"peak memory of this benchmark {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


def prophet_seconds(bars, session, settings):
    """Seconds a fit on all cores, from the CPU of a hundred."""
    measured = bars.with_columns(pl.lit(1.0).alias("price_factor"), pl.lit(0.02).alias("volatility_1d"))
    tasks = due_prophet_tasks(measured, session, new_york_calendar(), settings)[:100]
    fit_prophets(tasks[:2], 1)
    _, wall, used = timed(lambda: fit_prophets(tasks, WORKERS))
    print(f"Prophet: {used / len(tasks):.3f} s CPU a fit, {wall / len(tasks):.3f} s wall on {WORKERS} threads")
    # CPU over cores is what an idle machine would take; the wall clock of a busy one says more about its other work.
    return used / len(tasks) / WORKERS


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "score"), nargs="?", default="speed")
    parser.add_argument("--prophet", action="store_true", help="score with Prophet fits")
    given = parser.parse_args()
    if given.what == "score":
        score(ScanSettings(prophet=ProphetSettings() if given.prophet else None, workers=WORKERS))
    else:
        speed()


if __name__ == "__main__":
    main()
