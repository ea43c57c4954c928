"""Backtests: our engine, a bare numba loop (the bound) and other engines, on the same prices in the same run.

The bound buys or sells at the open after a crossover, charges proportional costs, marks the account at each close and
gives total return, Sharpe ratio and drawdown: no short sales, leverage, corporate actions, round trips or any other
measure. Ours always includes all of them.
Ours and the bound are processor time on one thread; the engines get the smaller of wall and processor time. They live
in an environment of their own; where one is missing its line says "not measured":

    python -m venv .venv-bench && .venv-bench/bin/pip install -r benchmarks/rivals/requirements.txt

Run: python benchmarks/backtests.py [--rivals .venv-bench]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np

from quant_assets.backtests.costs import Costs
from quant_assets.backtests.evaluation import Bench, evaluate
from quant_assets.backtests.market import lay_out
from quant_assets.backtests.rules import Rules
from quant_assets.backtests.simulation import Scratch
from quant_assets.backtests.sweep import expand, sweep
from quant_assets.foundation.performance import MEASURE_NAMES
from quant_assets.strategies import Indicators, Knowledge, PricePanel, build_strategy

HERE = Path(__file__).parent
SESSIONS, SYMBOLS = 5_000, 500
FAST, SLOW = range(5, 45), range(50, 175, 5)
COSTS = Costs(commission_bps=10, half_spread_bps=0)


def make_panel(symbols: int) -> PricePanel:
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(3e-4, 0.015, (SESSIONS, symbols)), axis=0))
    opening = close * np.exp(rng.normal(0, 0.003, close.shape))
    days = np.busday_offset("2000-01-03", np.arange(SESSIONS), roll="forward")
    names = tuple(f"S{i}" for i in range(symbols))
    flat = np.zeros(close.shape)
    return PricePanel(days, names, opening, close, opening, close, flat + 1e6, flat, flat + 1)


def make_bench(panel: PricePanel) -> Bench:
    rules = Rules()
    market = panel.close[1:, 0] / panel.close[:-1, 0] - 1
    return Bench(Knowledge(panel, Indicators(panel)), lay_out(panel, rules), rules, COSTS, 0, SESSIONS - 1, market)


def fresh(bench: Bench) -> Bench:
    """The same bench with no indicator computed yet."""
    known = Knowledge(bench.known.panel, Indicators(bench.known.panel))
    return Bench(known, bench.market, bench.rules, bench.costs, bench.first, bench.last, bench.market_returns)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def bound_crossover(close, opening, windows, cost, equity):
    """Equity curve, total return, Sharpe ratio and deepest drawdown of one pair of windows."""
    fast, slow = windows
    quick, late = close[slow - fast : slow].sum(), close[:slow].sum()
    cash, shares, holding, wanted = 1.0, 0.0, False, False
    equity[:slow] = 1.0
    for t in range(slow, len(close)):
        if wanted != holding:
            if wanted:
                shares = cash / (opening[t] * (1 + cost))
                cash = 0.0
            else:
                cash = shares * opening[t] * (1 - cost)
                shares = 0.0
            holding = wanted
        equity[t] = cash + shares * close[t]
        quick += close[t] - close[t - fast]
        late += close[t] - close[t - slow]
        wanted = quick * slow > late * fast
    total, squares, peak, deepest = 0.0, 0.0, 1.0, 0.0
    for t in range(1, len(close)):
        change = equity[t] / equity[t - 1] - 1
        total += change
        squares += change * change
        peak = max(peak, equity[t])
        deepest = min(deepest, equity[t] / peak - 1)
    mean = total / len(close)
    return equity[-1] - 1, mean / math.sqrt(squares / len(close) - mean * mean), deepest


@numba.njit(cache=True, nogil=True)
def bound_portfolio(close, opening, cost):
    """Final equity of equal weights restored at every open."""
    sessions, symbols = close.shape
    shares, cash = np.zeros(symbols), 1.0
    for t in range(1, sessions):
        equity = cash
        for s in range(symbols):
            equity += shares[s] * opening[t, s]
        for s in range(symbols):
            wanted = equity / symbols / opening[t, s]
            change = wanted - shares[s]
            cash -= change * opening[t, s] + abs(change) * opening[t, s] * cost
            shares[s] = wanted
    return cash + (shares * close[-1]).sum()


def best(run: Callable[[], object], rounds: int) -> float:
    """Processor seconds of the best round: all of this runs on one thread, and other work does not count."""
    run()
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        run()
        times.append(time.process_time() - begun)
    return min(times)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Rivals:
    """Asks the other engines, in their own environment."""

    def __init__(self, environment: Path, folder: Path) -> None:
        self.python, self.folder = environment / "bin" / "python", folder

    def measure(self, job: str, **arrays: np.ndarray) -> dict[str, float] | None:
        if not self.python.exists():
            return None
        path = self.folder / "prices.npz"
        np.savez(path, **arrays)
        done = subprocess.run(
            [self.python, HERE / "rivals" / "speed.py", job, path], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"  {job} failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            return None
        return dict(json.loads(done.stdout.splitlines()[-1]))


def line(name: str, seconds: float | None, against: float, note: str = "") -> None:
    shown = "not measured" if seconds is None else f"{1000 * seconds:10.3f} ms {seconds / against:8.1f}x ours"
    print(f"  {name:34s} {shown} {note}")


def one_crossover(rivals: Rivals, panel: PricePanel) -> None:
    bench, strategy = make_bench(panel), build_strategy("sma_crossover", {"fast": 20, "slow": 100})
    scratch, out, returns, years = Scratch(), np.empty(len(MEASURE_NAMES)), np.empty(SESSIONS - 1), bench.years
    ours = best(lambda: evaluate(strategy, fresh(bench), out, scratch=scratch, returns=returns, years=years), 400)
    close, opening, equity = panel.close[:, 0].copy(), panel.open[:, 0].copy(), np.empty(SESSIONS)

    def bound() -> None:
        bound_crossover(close, opening, (20, 100), 0.001, equity)

    print(f"One SMA crossover, {SESSIONS:,} bars, signals and every measure included (goal: under 1 ms)")
    line("ours", ours, ours)
    line("bare numba bound", best(bound, 200), ours)
    for job in ("vectorbt-one", "backtesting-one"):
        found = rivals.measure(job, close=panel.close, open=panel.open)
        line(job.removesuffix("-one"), found["seconds"] if found else None, ours, _first(found))


def thousand_pairs(rivals: Rivals, panel: PricePanel) -> None:
    bench = make_bench(panel)
    variants = expand("sma_crossover", {"fast": list(FAST), "slow": list(SLOW)})
    sweep({"S0": fresh(bench)}, variants[:20])
    before = peak()
    ours = best(lambda: sweep({"S0": fresh(bench)}, variants), 15)
    megabytes = peak() - before
    close, opening, equity = panel.close[:, 0].copy(), panel.open[:, 0].copy(), np.empty(SESSIONS)

    def bound() -> None:
        for fast in FAST:
            for slow in SLOW:
                bound_crossover(close, opening, (fast, slow), 0.001, equity)

    print(f"{len(variants):,} pairs of it (goals: 20x faster than vectorbt with Rust, within 4x of the bound, ", end="")
    print("a tenth of its memory)")
    line("ours, 1 thread", ours, ours, f"{megabytes:.0f} MB")
    line("bare numba bound, 1 thread", best(bound, 15), ours)
    pairs = np.array([(v.fast, v.slow) for v in variants])
    found = rivals.measure("vectorbt-sweep", close=panel.close, open=panel.open, fast=pairs[:, 0], slow=pairs[:, 1])
    line(
        "vectorbt with Rust", found["seconds"] if found else None, ours, f"{found['megabytes']:.0f} MB" if found else ""
    )


def portfolio(rivals: Rivals) -> None:
    panel = make_panel(SYMBOLS)
    bench, strategy = make_bench(panel), build_strategy("equal_weight", {"every": 1})
    scratch, out, returns, years = Scratch(), np.empty(len(MEASURE_NAMES)), np.empty(SESSIONS - 1), bench.years
    ours = best(lambda: evaluate(strategy, bench, out, scratch=scratch, returns=returns, years=years), 5)
    print(f"{SYMBOLS} symbols x {SESSIONS:,} bars rebalanced daily (goal: 5x faster than vectorbt with Rust)")
    line("ours", ours, ours)
    line("bare numba bound", best(lambda: bound_portfolio(panel.close, panel.open, 0.001), 5), ours)
    found = rivals.measure("vectorbt-portfolio", close=panel.close, open=panel.open)
    line("vectorbt with Rust", found["seconds"] if found else None, ours)


def first_call() -> None:
    """A process of its own: with an empty cache of machine code (what the set-up pays), then with a filled one."""
    print("First backtest of a fresh process, importing included (goal once installed: under 3 s)")
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        for name in ("set-up, compiles and fills the cache", "a user's first call"):
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "quant_assets.backtests.warm_up"],
                check=True,
                env=environment,
                capture_output=True,
            )
            print(f"  {name:38s} {time.perf_counter() - begun:6.2f} s")


def _first(found: dict[str, float] | None) -> str:
    return f"(first call {found['first']:.1f} s)" if found else ""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rivals", type=Path, default=Path(".venv-bench"))
    with tempfile.TemporaryDirectory() as folder:
        rivals, panel = Rivals(parser.parse_known_args()[0].rivals, Path(folder)), make_panel(1)
        one_crossover(rivals, panel)
        thousand_pairs(rivals, panel)
        portfolio(rivals)
    first_call()


if __name__ == "__main__":
    main()
