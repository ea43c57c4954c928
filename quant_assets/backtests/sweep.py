"""Many parameter sets, several symbols, one call."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.backtests import kernel
from quant_assets.backtests.evaluation import SHARPE, Bench, evaluate
from quant_assets.backtests.simulation import Scratch
from quant_assets.backtests.trials import Trials, count_trials
from quant_assets.foundation.errors import UsageError
from quant_assets.foundation.performance import MEASURE_NAMES
from quant_assets.strategies import Strategy, build_strategy, parameters_json, strategy_class

__all__ = ["LARGEST", "Sweep", "expand", "sweep"]

Floats = npt.NDArray[np.float64]
LARGEST = 1_000_000
"""Variants of one sweep; more is a mistake in a grid, or work for a sampler."""

_WIDE = 50_000
"""Cells (sessions x symbols) from which a variant is worth a thread."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """Measures of every variant on every bench.

    Parameters
    ----------
    labels : tuple of str
        Names of the benches, such as symbols.
    variants : tuple of Strategy
    measures : ndarray of shape (n_labels, n_variants, n_measures)
        In the order of ``MEASURE_NAMES``.
    trades : int64 ndarray of shape (n_labels, n_variants)
        Round trips, open ones included.
    """

    labels: tuple[str, ...]
    variants: tuple[Strategy, ...]
    measures: Floats = field(repr=False)
    trades: npt.NDArray[np.int64] = field(repr=False)

    @property
    def trials(self) -> Trials:
        """Variants tried in this sweep: every parameter set on every bench is one more chance to be lucky."""
        return count_trials(self.measures[:, :, SHARPE].ravel())

    def best(self, count: int) -> list[tuple[int, int]]:
        """Positions (bench, variant) of the highest Sharpe ratios, best first; undefined ones last."""
        sharpe = self.measures[:, :, SHARPE].ravel()
        order = np.argsort(-np.where(np.isfinite(sharpe), sharpe, -np.inf), kind="stable")[:count]
        return [(int(i) // len(self.variants), int(i) % len(self.variants)) for i in order]

    def frame(self) -> pl.DataFrame:
        """One row per bench and variant: label, strategy, parameters (JSON), trades, every measure (NaN as null)."""
        flat = self.measures.reshape(-1, len(MEASURE_NAMES))
        names = [variant.name for variant in self.variants]
        settings = [parameters_json(variant) for variant in self.variants]
        return pl.DataFrame(
            {
                "label": [label for label in self.labels for _ in self.variants],
                "strategy": names * len(self.labels),
                "parameters": settings * len(self.labels),
                "trades": self.trades.ravel(),
                **{name: pl.Series(flat[:, i]).fill_nan(None) for i, name in enumerate(MEASURE_NAMES)},
            }
        )


def expand(name: str, axes: Mapping[str, Sequence[object]]) -> list[Strategy]:
    """Every allowed combination of the given values; the other parameters stay at their defaults.

    Combinations that contradict each other (a fast window above the slow one) are left out; a value that is not
    allowed by itself is an error.

    Raises
    ------
    UsageError
        For an unknown strategy or parameter, a value out of bounds, no allowed combination, or far too many.
    """
    known = strategy_class(name).model_fields
    if unknown := [axis for axis in axes if axis not in known]:
        raise UsageError(f"{name} has no parameter {unknown[0]!r}; choose from {', '.join(known) or 'none'}")
    total = math.prod(len(values) for values in axes.values())
    if total > LARGEST:
        raise UsageError(f"the grid has {total:,} combinations where {LARGEST:,} are allowed; thin it out")
    found, problems = [], []
    for values in itertools.product(*axes.values()):
        try:
            found.append(build_strategy(name, dict(zip(axes, values, strict=True))))
        except UsageError as error:
            if "allowed:" in str(error):
                raise
            problems.append(str(error))
    if not found:
        raise UsageError(f"no combination of the grid is allowed: {problems[0] if problems else 'an axis is empty'}")
    return found


def sweep(
    benches: Mapping[str, Bench],
    variants: Sequence[Strategy],
    *,
    threads: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Sweep:
    """Evaluate every variant on every bench.

    Variants run in threads side by side (compiled code releases the interpreter lock); nothing but the measures is
    kept. The result does not depend on the number of threads.

    Parameters
    ----------
    benches : mapping of str to Bench
        One per symbol or group of symbols.
    variants : sequence of Strategy
    threads : int, optional
        Default: one per CPU core, but a single one for narrow panels, where handing the interpreter lock to and fro
        costs more than the work (1,000 variants on one symbol of 5,000 bars: 79 ms on one thread, 115 on two).
    on_progress : callable, optional
        Called with the number of variants that were finished since the last call.
    """
    labels, chosen = tuple(benches), tuple(variants)
    measures = np.empty((len(labels), len(chosen), len(MEASURE_NAMES)))
    trades = np.zeros((len(labels), len(chosen)), dtype=np.int64)
    cells = max((bench.market.layers[0].size for bench in benches.values()), default=0)
    workers = threads or ((os.cpu_count() or 1) if cells >= _WIDE else 1)

    def work(task: tuple[int, range]) -> int:
        row, columns = task
        bench = benches[labels[row]]
        scratch, returns = Scratch(fields=kernel.PATH_FIELDS_MEASURED), np.empty(bench.last - bench.first)
        years = bench.years
        for column in columns:
            run = evaluate(chosen[column], bench, measures[row, column], scratch=scratch, returns=returns, years=years)
            trades[row, column] = len(run.trips)
        return len(columns)

    tasks = list(_tasks(len(labels), len(chosen), workers))
    with ThreadPoolExecutor(workers) as pool:
        for finished in pool.map(work, tasks):
            if on_progress is not None:
                on_progress(finished)
    return Sweep(labels, chosen, measures, trades)


def _tasks(rows: int, columns: int, workers: int) -> Iterator[tuple[int, range]]:
    """Split the work so that every worker has a few pieces and progress can be shown."""
    size = max(1, min(256, math.ceil(rows * columns / workers / 4)))
    for row in range(rows):
        for start in range(0, columns, size):
            yield row, range(start, min(start + size, columns))
