"""How long other engines take for the three jobs of benchmarks/backtests.py; runs in the rivals' environment.

usage: speed.py JOB PRICES.npz    with JOB one of vectorbt-one, vectorbt-sweep, vectorbt-portfolio, backtesting-one

Prints JSON: seconds (best of the warm rounds) and megabytes (growth of the peak over what importing took). vectorbt
runs with its Rust engine and is asked for total return and Sharpe only, far fewer measures than ours.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings

import numpy as np
import pandas as pd

FEES = 0.001
warnings.filterwarnings("ignore")


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def crossover(close, opening, fast, slow):
    import vectorbt as vbt

    quick, late = vbt.MA.run(close, fast), vbt.MA.run(close, slow)
    entries, exits = quick.ma_crossed_above(late), quick.ma_crossed_below(late)
    portfolio = vbt.Portfolio.from_signals(
        close,
        entries.vbt.signals.fshift(1),
        exits.vbt.signals.fshift(1),
        price=opening,
        fees=FEES,
        freq="1D",
        engine="rust",
    )
    return portfolio.total_return(), portfolio.sharpe_ratio()


def vectorbt_one(data):
    close, opening = pd.Series(data["close"][:, 0]), pd.Series(data["open"][:, 0])
    return lambda: crossover(close, opening, 20, 100)


def vectorbt_sweep(data):
    close, opening = pd.Series(data["close"][:, 0]), pd.Series(data["open"][:, 0])
    fast, slow = data["fast"].tolist(), data["slow"].tolist()
    return lambda: crossover(close, opening.to_frame().to_numpy(), fast, slow)


def vectorbt_portfolio(data):
    import vectorbt as vbt

    close, opening = pd.DataFrame(data["close"]), data["open"]
    weights = np.full(close.shape, 1 / close.shape[1])

    def run():
        portfolio = vbt.Portfolio.from_orders(
            close, weights, size_type="targetpercent", price=opening, fees=FEES, group_by=True, cash_sharing=True,
            call_seq="auto", freq="1D", engine="rust",
        )  # fmt: skip
        return portfolio.total_return(), portfolio.sharpe_ratio()

    return run


def backtesting_one(data):
    from backtesting import Backtest, Strategy
    from backtesting.lib import crossover as crosses

    close = data["close"][:, 0]
    frame = pd.DataFrame(
        {"Open": data["open"][:, 0], "High": close * 1.05, "Low": close * 0.95, "Close": close},
        index=pd.date_range("2000-01-03", periods=len(close), freq="B"),
    )

    class Rule(Strategy):
        def init(self):
            self.fast = self.I(lambda x: pd.Series(x).rolling(20).mean(), self.data.Close)
            self.slow = self.I(lambda x: pd.Series(x).rolling(100).mean(), self.data.Close)

        def next(self):
            if crosses(self.fast, self.slow):
                self.buy()
            elif crosses(self.slow, self.fast):
                self.position.close()

    return lambda: Backtest(frame, Rule, cash=1_000_000, commission=FEES).run()


JOBS = {
    "vectorbt-one": (vectorbt_one, 20),
    "vectorbt-sweep": (vectorbt_sweep, 3),
    "vectorbt-portfolio": (vectorbt_portfolio, 3),
    "backtesting-one": (backtesting_one, 5),
}

if __name__ == "__main__":
    build, rounds = JOBS[sys.argv[1]]
    run = build(dict(np.load(sys.argv[2])))
    if sys.argv[1].startswith("vectorbt"):
        import vectorbt  # noqa: F401 - so that importing is not counted as the job's memory
    before, begun = peak(), time.perf_counter()
    run()
    first, times = time.perf_counter() - begun, []
    for _ in range(rounds):
        begun, busy = time.perf_counter(), time.process_time()
        run()
        times += [time.perf_counter() - begun, time.process_time() - busy]
    print(json.dumps({"seconds": min(times), "first": first, "megabytes": peak() - before}))
