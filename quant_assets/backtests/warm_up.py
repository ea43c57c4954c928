"""Compile once: ``python -m quant_assets.backtests.warm_up``, run by the set-up, so that no user waits for it.

numba keeps machine code in ``NUMBA_CACHE_DIR``, or else beside the sources, or else (where those cannot be written)
in the user's cache folder. It compiles again only where a source file, numba or the processor has changed.
"""

from __future__ import annotations

import time

import numpy as np

from quant_assets.backtests.backtest import backtest
from quant_assets.backtests.costs import Costs
from quant_assets.backtests.evaluation import Bench
from quant_assets.backtests.market import lay_out
from quant_assets.backtests.rules import Rules
from quant_assets.strategies import Indicators, Knowledge, PricePanel, build_strategy

__all__ = ["warm_up"]


def warm_up() -> float:
    """Run a tiny backtest through every compiled function; returns the seconds it took."""
    begun = time.perf_counter()
    sessions = 12
    days = np.busday_offset(np.datetime64("2020-01-01"), np.arange(sessions), roll="forward")
    price, none = np.linspace(10.0, 11.0, sessions)[:, None], np.zeros((sessions, 1))
    panel = PricePanel(days, ("A",), price, price, price, price, price * 1e6, none, none + 1.0)
    rules = Rules()
    market = np.diff(price[:, 0]) / price[:-1, 0]
    bench = Bench(Knowledge(panel, Indicators(panel)), lay_out(panel, rules), rules, Costs(), 0, sessions - 1, market)
    for name, parameters in (("sma_crossover", {"fast": 2, "slow": 5}), ("rsi_reversal", {"window": 2})):
        backtest(build_strategy(name, parameters), bench)
    Costs().charge(1.0, 1.0)
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(f"compiled in {warm_up():.1f} s")  # noqa: T201 - a command's output
