"""How many variants a result was picked from, over all calls that searched the same strategy."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.backtests.evaluation import Bench
from quant_assets.foundation.performance.periods import SESSIONS_PER_YEAR
from quant_assets.strategies import Strategy, parameters_json

__all__ = ["ALONE", "Trial", "Trials", "count_trials", "trial_of", "trials_of"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What makes one attempt differ from another; a new session or new code is no new attempt.

    ``symbols`` are separated by commas; ``parameters``, ``rules`` and ``costs`` are JSON as in ``backtests.runs``.
    """

    strategy: str
    parameters: str
    symbols: str
    start_date: dt.date
    rules: str
    costs: str


def trial_of(strategy: Strategy, bench: Bench) -> Trial:
    """The attempt that a strategy on a bench is."""
    panel = bench.market.panel
    return Trial(
        strategy=strategy.name,
        parameters=parameters_json(strategy),
        symbols=",".join(panel.symbols),
        start_date=panel.dates[bench.first].item(),
        rules=json.dumps(bench.rules.model_dump(mode="json"), sort_keys=True),
        costs=json.dumps(bench.costs.model_dump(mode="json"), sort_keys=True),
    )


@dataclass(frozen=True, slots=True)
class Trials:
    """Attempts behind a result, and the standard deviation of their Sharpe ratios per session."""

    count: int = 1
    deviation: float = 0.0


ALONE = Trials()
"""Of a run that was picked from nothing else."""


def count_trials(sharpe: Iterable[float]) -> Trials:
    """Trials with these annualised Sharpe ratios; undefined ones count as attempts, not in the deviation."""
    every = np.fromiter(sharpe, dtype=np.float64)
    defined = every[np.isfinite(every)]
    spread = float(np.std(defined, ddof=1) / math.sqrt(SESSIONS_PER_YEAR)) if len(defined) > 1 else 0.0
    return Trials(max(len(every), 1), spread)


def trials_of(
    call: Mapping[Trial, float], earlier: Mapping[Trial, float], nightly: Mapping[Trial, float] | None = None
) -> Trials:
    """Trials of a call, of earlier calls with the same strategies, and of the nightly set, which everybody sees.

    One that was repeated counts once.
    """
    strategies = {trial.strategy for trial in call}
    before = {trial: value for trial, value in earlier.items() if trial.strategy in strategies}
    return count_trials((dict(nightly or {}) | before | dict(call)).values())
