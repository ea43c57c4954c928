"""From a simulated account to its measures, for one run or for thousands."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quant_assets.backtests import kernel
from quant_assets.backtests.costs import Costs
from quant_assets.backtests.market import Market
from quant_assets.backtests.rules import Rules
from quant_assets.backtests.simulation import Scratch, Simulation, simulate
from quant_assets.foundation.performance import MEASURE_NAMES, rate_per_session, years_between
from quant_assets.foundation.performance.summary import measure_run_into
from quant_assets.strategies import Strategy
from quant_assets.strategies.base import Knowledge

__all__ = ["SHARPE", "Bench", "evaluate"]

SHARPE = MEASURE_NAMES.index("sharpe")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Everything that the variants of one search share: market, span, rules, costs, benchmark.

    Parameters
    ----------
    known : Knowledge
        What the strategies look at, on the panel of ``market``.
    market : Market
    rules, costs : Rules, Costs
    first, last : int
        Sessions of the panel traded, inclusive.
    market_returns : ndarray of shape (last - first,)
        Returns of what stands for the market over the same sessions; empty without one.
    risk_free_rate : float
        Effective annual rate taken off in Sharpe, Sortino, Omega, alpha and beta.
    """

    known: Knowledge
    market: Market
    rules: Rules
    costs: Costs
    first: int
    last: int
    market_returns: Floats = field(default_factory=lambda: np.zeros(0), repr=False)
    risk_free_rate: float = 0.0

    @property
    def years(self) -> float:
        """Calendar years of the span."""
        dates = self.market.panel.dates
        return years_between(dates[self.first].item(), dates[self.last].item())


def evaluate(
    strategy: Strategy, bench: Bench, out: Floats, *, scratch: Scratch, returns: Floats, years: float
) -> Simulation:
    """Simulate ``strategy`` and write its measures to ``out`` (in the order of ``MEASURE_NAMES``).

    ``returns`` is scratch of shape (last - first,), ``years`` is ``bench.years`` (passed in, since a search asks a
    thousand times). The result's arrays belong to ``scratch``.

    Raises
    ------
    UsageError
        Where the strategy asks for NaN weights or more leverage than the rules allow.
    """
    targets = strategy.targets(bench.known).checked(max_leverage=bench.rules.max_leverage, strategy=strategy.name)
    run = simulate(bench.market, targets, bench.rules, bench.costs, first=bench.first, last=bench.last, scratch=scratch)
    closed = run.closed_trips
    measure_run_into(
        out,
        returns,
        equity=run.equity,
        gross_exposure=run.path[kernel.PATH_GROSS],
        traded=run.path[kernel.PATH_TRADED],
        market_returns=bench.market_returns,
        trip_pnl=np.ascontiguousarray(closed[:, kernel.TRIP_PNL]),
        trip_returns=np.ascontiguousarray(closed[:, kernel.TRIP_RETURN]),
        rate=rate_per_session(bench.risk_free_rate),
        years=years,
    )
    return run
