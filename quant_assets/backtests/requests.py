"""What a person or the night asks for, and the runs that follow from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from quant_assets.backtests.backtest import Backtest, backtest
from quant_assets.backtests.costs import Costs
from quant_assets.backtests.evaluation import SHARPE, Bench
from quant_assets.backtests.inputs import Inputs
from quant_assets.backtests.market import lay_out
from quant_assets.backtests.records import run_records, sweep_records
from quant_assets.backtests.rules import Rules
from quant_assets.backtests.sweep import expand, sweep
from quant_assets.backtests.trials import trial_of, trials_of
from quant_assets.foundation.errors import UsageError
from quant_assets.strategies import STRATEGIES, Indicators, Knowledge, build_strategy, strategy_class

__all__ = ["DEFAULT", "REQUESTED", "SWEEP", "Outcome", "Request", "perform"]

DEFAULT, REQUESTED, SWEEP = "default", "requested", "sweep"
_NEEDS_PREDICTIONS = ("ml_signal", "ml_signal_twin")


@dataclass(frozen=True, slots=True)
class Request:
    """One call: the default set (no strategy), one strategy, or a sweep over parameter values.

    Parameters
    ----------
    strategy : str
        Empty for the default set: every strategy with its default parameters.
    parameters : mapping
        Of that strategy; the others keep their defaults.
    axes : mapping of str to sequence
        Parameter values to try in all combinations; makes it a sweep.
    symbols : sequence of str
        Empty for every symbol of the universe that can be traded.
    each_alone : bool
        Whether each symbol is a run of its own instead of a slot of one account.
    start, end : date, optional
        Default the whole history.
    keep : int
        Runs of a sweep, best first, that get an equity curve, trades and a report.
    """

    strategy: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    symbols: Sequence[str] = ()
    each_alone: bool = False
    start: dt.date | None = None
    end: dt.date | None = None
    rules: Rules = field(default_factory=Rules)
    costs: Costs = field(default_factory=Costs)
    risk_free_rate: float = 0.0
    keep: int = 5

    @property
    def origin(self) -> str:
        """What is written to ``runs.origin``."""
        return SWEEP if self.axes else REQUESTED if self.strategy else DEFAULT


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Runs in full, and a row of ``backtests.runs`` for each run and each variant tried."""

    origin: str
    results: tuple[Backtest, ...]
    runs: pl.DataFrame
    market: str | None


def perform(inputs: Inputs, request: Request, on_progress: Callable[[int, int], None] | None = None) -> Outcome:
    """Do what was asked.

    ``on_progress`` is called with the runs finished so far and in all.

    Raises
    ------
    UsageError
        Where the request names what does not exist, in one sentence.
    """
    report = on_progress or (lambda _done, _total: None)
    if not request.strategy and (request.parameters or request.axes):
        raise UsageError(f"parameters were given without a strategy; choose one of {', '.join(STRATEGIES)}")
    if request.keep < 0:
        raise UsageError(f"keep is {request.keep}; ask for 0 runs or more with a curve, trades and a report")
    benches = _benches(inputs, request)
    if request.axes:
        return _swept(benches, inputs, request, report)
    names = [request.strategy] if request.strategy else list(STRATEGIES)
    chosen = [build_strategy(name, request.parameters if request.strategy else {}) for name in names]
    found: list[Backtest] = []
    for bench in benches.values():
        for strategy in chosen:
            found.append(backtest(strategy, _from_first_prediction(bench, strategy.name)))
            report(len(found), len(benches) * len(chosen))
    results = _deflated(found, inputs) if request.strategy else _deflated(found)
    runs = run_records(results, origin=request.origin, market=inputs.market)
    return Outcome(request.origin, results, runs, inputs.market)


def _swept(benches: dict[str, Bench], inputs: Inputs, request: Request, report: Callable[[int, int], None]) -> Outcome:
    strategy_class(request.strategy)
    fixed = {name: [value] for name, value in request.parameters.items()}
    variants = expand(request.strategy, {**fixed, **request.axes})
    benches = {label: _from_first_prediction(bench, request.strategy) for label, bench in benches.items()}
    done, total = 0, len(benches) * len(variants)

    def progress(count: int) -> None:
        nonlocal done
        done += count
        report(done, total)

    found = sweep(benches, variants, on_progress=progress)
    here = {
        trial_of(variant, benches[label]): float(found.measures[i, j, SHARPE])
        for i, label in enumerate(found.labels)
        for j, variant in enumerate(variants)
    }
    trials = trials_of(here, inputs.tried, inputs.nightly)
    results = tuple(
        backtest(variants[column], benches[found.labels[row]], trials=trials)
        for row, column in found.best(request.keep)
    )
    full = run_records(results, origin=SWEEP, market=inputs.market)
    rest = sweep_records(found, benches, trials, market=inputs.market).join(full, on="backtest_id", how="anti")
    return Outcome(SWEEP, results, pl.concat([full, rest]), inputs.market)


def _deflated(found: list[Backtest], inputs: Inputs | None = None) -> tuple[Backtest, ...]:
    """Every run of a call is a variant somebody could pick, so each Sharpe ratio is discounted for all.

    With ``inputs`` also for what was tried before; the default set was chosen before any result and counts itself.
    """
    here = {trial_of(one.strategy, one.bench): one.measures.sharpe for one in found}
    trials = trials_of(here, inputs.tried, inputs.nightly) if inputs else trials_of(here, {})
    return tuple(replace(one, trials=trials) for one in found)


def _benches(inputs: Inputs, request: Request) -> dict[str, Bench]:
    """One bench for all symbols, or one for each."""
    symbols = tuple(request.symbols) or inputs.tradable
    if not symbols:
        raise UsageError("no symbol of the universe can be traded; add an equity or an ETF to universe.yaml")
    if indices := [symbol for symbol in symbols if symbol in inputs.indices]:
        raise UsageError(f"{indices[0]} is an index, which nobody can buy; choose from {', '.join(inputs.tradable)}")
    if twice := [symbol for symbol in symbols if symbols.count(symbol) > 1]:
        raise UsageError(f"{twice[0]} is asked for more than once; name each symbol once")
    groups: list[tuple[str, ...]] = [(one,) for one in symbols] if request.each_alone else [symbols]
    return {",".join(group): _bench(inputs, request, group) for group in groups}


def _bench(inputs: Inputs, request: Request, symbols: tuple[str, ...]) -> Bench:
    panel = inputs.panel(symbols)
    first = panel.position(request.start, side="start") if request.start else 0
    last = panel.position(request.end, side="end") if request.end else panel.shape[0] - 1
    if first >= last:
        raise UsageError(
            f"the dates leave no two sessions to trade in; the history runs from {panel.dates[0]} to {panel.dates[-1]}"
        )
    known = Knowledge(panel, Indicators(panel), inputs.probability(panel), inputs.regime(panel))
    return Bench(
        known,
        lay_out(panel, request.rules),
        request.rules,
        request.costs,
        first,
        last,
        inputs.market_returns(panel)[first:last],
        request.risk_free_rate,
    )


def _from_first_prediction(bench: Bench, strategy: str) -> Bench:
    """A model strategy and its twin start with the predictions: waiting for them says nothing about either."""
    probability = bench.known.probability
    if strategy not in _NEEDS_PREDICTIONS or probability is None:
        return bench
    first = max(bench.first, int(np.isfinite(probability).any(axis=1).argmax()))
    if first >= bench.last:
        return bench
    returns = bench.market_returns[first - bench.first :]
    return replace(bench, first=first, market_returns=returns)
