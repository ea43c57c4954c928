"""Our trades and equity beside three independent engines, on the packaged history, fees included.

Prints the table of docs/backtesting.md. The engines live in an environment of their own:

    python -m venv .venv-bench && .venv-bench/bin/pip install -r benchmarks/rivals/requirements.txt
    python benchmarks/compare_engines.py [--rivals .venv-bench]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import bokeh_sampledata
import numpy as np
import polars as pl

from quant_assets.backtests.backtest import Backtest, backtest
from quant_assets.backtests.costs import Costs
from quant_assets.backtests.evaluation import Bench
from quant_assets.backtests.market import lay_out
from quant_assets.backtests.rules import Rules
from quant_assets.strategies import Indicators, Knowledge, PricePanel, Strategy, Targets, build_strategy

HERE = Path(__file__).parent
RULES = {
    "sma": build_strategy("sma_crossover", {"fast": 20, "slow": 100}),
    "rsi": build_strategy("rsi_reversal", {"window": 14, "enter_below": 30, "exit_above": 55}),
}
ENGINES = {
    # whole shares, all in, sized at the fill
    "backtesting": (Rules(whole_shares=True), 1.0),
    # fractional shares, all in, sized at the fill
    "vectorbt": (Rules(), 1.0),
    # whole shares, half the equity (it rejects an order that a gap made dearer than the cash), number of shares fixed
    # at the close of the decision
    "backtrader": (Rules(whole_shares=True, sizing="decision"), 0.5),
}


def prices(symbol: str) -> pl.DataFrame:
    """Bars of one symbol adjusted with the packaged adjusted close: the other engines know no corporate actions."""
    path = Path(bokeh_sampledata.__file__).parent / "_data" / "stocks.csv.gz"
    names = ["symbol", "date", "open", "high", "low", "close", "volume", "adjusted"]
    bars = pl.read_csv(path, new_columns=names).filter(pl.col("symbol") == symbol)
    factor = pl.col("adjusted") / pl.col("close")
    return bars.select(
        "symbol",
        pl.col("date").str.to_date(),
        *(pl.col(name) * factor for name in ("open", "high", "low", "close")),
        "volume",
    )


class Scaled(Strategy):
    """A rule at a fraction of its weight, since backtrader needs room for gaps."""

    name = "scaled"
    of: Strategy
    by: float

    def targets(self, known: Knowledge) -> Targets:
        inner = self.of.targets(known)
        return Targets(inner.weights * self.by, inner.decided)


def ours(bars: pl.DataFrame, rule: str, engine: str) -> Backtest:
    rules, share = ENGINES[engine]
    panel = PricePanel.from_frames(bars)
    bench = Bench(
        Knowledge(panel, Indicators(panel)), lay_out(panel, rules), rules,
        Costs(commission_bps=10, half_spread_bps=0), 0, panel.shape[0] - 1,
    )  # fmt: skip
    return backtest(RULES[rule] if share == 1.0 else Scaled(of=RULES[rule], by=share), bench)


def theirs(python: Path, engine: str, rule: str, bars: pl.DataFrame) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prices.csv"
        bars.drop("symbol").write_csv(path)
        done = subprocess.run(
            [python, HERE / "rivals" / "engines.py", engine, rule, path], capture_output=True, text=True, check=True
        )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rivals", type=Path, default=Path(".venv-bench"))
    python = parser.parse_args().rivals / "bin" / "python"
    print(
        "| engine | rule | symbol | trades, ours / theirs | same dates, prices, sizes | final equity, ours | theirs | ",
        end="",
    )
    print("largest difference of any day |")
    print("|---|---|---|---|---|---|---|---|")
    for engine in ENGINES:
        for rule in RULES:
            for symbol in ("AAPL", "GOOG", "IBM", "MSFT"):
                bars = prices(symbol)
                mine = ours(bars, rule, engine)
                if not python.exists():
                    print(f"| {engine} | {rule} | {symbol} | {mine.trades().height} / not measured | | | | |")
                    continue
                other = theirs(python, engine, rule, bars)
                closed = mine.trades().drop_nulls("exit_date")
                rows = [
                    (str(t["entry_date"]), t["entry_price"], str(t["exit_date"]), t["exit_price"], t["quantity"])
                    for t in closed.iter_rows(named=True)
                ]
                same = len(rows) == len(other["trades"]) and all(
                    a[0] == b[0] and a[2] == b[2] and np.allclose([a[1], a[3], a[4]], [b[1], b[3], b[4]], rtol=1e-9)
                    for a, b in zip(rows, other["trades"], strict=True)
                )
                equity, reference = mine.run.equity, np.array(other["equity"])
                apart = np.abs(equity[-len(reference) :] - reference).max()
                print(
                    f"| {engine} | {rule} | {symbol} | {len(rows)} / {len(other['trades'])} "
                    f"| {'yes' if same else 'no'} | {equity[-1]:,.2f} | {reference[-1]:,.2f} | {apart:.4f} |"
                )


if __name__ == "__main__":
    main()
