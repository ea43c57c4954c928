"""One backtest from request to result, and the result as rows of the tables."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from quant_assets.backtests import kernel
from quant_assets.backtests.evaluation import Bench, evaluate
from quant_assets.backtests.identity import backtest_id, data_digest
from quant_assets.backtests.parts import measure_parts
from quant_assets.backtests.simulation import EVENT_KINDS, Scratch, Simulation
from quant_assets.backtests.tables import BY_REGIME, BY_YEAR, EQUITY_CURVES, TRADES
from quant_assets.backtests.trials import ALONE, Trials
from quant_assets.foundation.performance import (
    MEASURE_NAMES,
    Measures,
    SharpeDifference,
    deflated_sharpe_ratio,
    drawdown_series,
    sharpe_difference,
    simple_returns,
)
from quant_assets.strategies import Strategy
from quant_assets.strategies.ml_signal import MlSignal
from quant_assets.strategies.targets import Targets

__all__ = ["Backtest", "Twin", "backtest"]

_TWIN_SEED = 20_240_229
"""Seed of the bootstrap behind the interval; any would do, it only has to stay the same."""
_TWIN_BLOCK = 21
"""Sessions of a bootstrap block: a month, longer than the dependence of daily returns."""


@dataclass(frozen=True, slots=True)
class Twin:
    """The rule twin of a model strategy, on the same sessions, sizes and costs."""

    strategy: str
    sharpe: float
    difference: SharpeDifference


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """One finished backtest.

    ``trials`` are the variants that it was picked from; they deflate the Sharpe ratio. ``note`` says why nothing was
    traded, where nothing was.
    """

    backtest_id: str
    strategy: Strategy
    bench: Bench = field(repr=False)
    run: Simulation = field(repr=False)
    measures: Measures
    data_digest: str
    note: str = ""
    trials: Trials = ALONE
    twin: Twin | None = None

    @property
    def dates(self) -> pl.Series:
        """Sessions of the run."""
        rows = slice(self.bench.first, self.bench.last + 1)
        return pl.Series("date", self.bench.market.panel.dates[rows]).cast(pl.Date)

    @property
    def returns(self) -> np.ndarray:
        """Returns of the sessions after the first."""
        return simple_returns(self.run.equity)

    @property
    def deflated_sharpe(self) -> float:
        """Probability that the true Sharpe ratio is above 0, given the variants tried."""
        return deflated_sharpe_ratio(
            self.returns,
            risk_free_rate=self.bench.risk_free_rate,
            trials=self.trials.count,
            trial_deviation=self.trials.deviation,
        )

    def equity_curve(self) -> pl.DataFrame:
        """Rows of ``backtests.equity_curves``."""
        path = self.run.path
        frame = pl.DataFrame(
            {
                "backtest_id": pl.repeat(self.backtest_id, path.shape[1], eager=True),
                "date": self.dates,
                "equity": path[kernel.PATH_EQUITY],
                "exposure": path[kernel.PATH_GROSS],
                "drawdown": np.nan_to_num(drawdown_series(self.run.equity)),
                "net_exposure": path[kernel.PATH_NET],
                "traded": path[kernel.PATH_TRADED],
                "costs": path[kernel.PATH_COSTS],
            }
        )
        return EQUITY_CURVES.validate(frame)

    def trades(self) -> pl.DataFrame:
        """Rows of ``backtests.trades``."""
        trips, panel = self.run.trips, self.bench.market.panel
        dates = panel.dates

        def day(column: int) -> pl.Series:
            return pl.Series(dates[trips[:, column].astype(int)]).cast(pl.Date)

        is_open = pl.Series(trips[:, kernel.TRIP_OPEN] == 1)
        frame = pl.DataFrame(
            {
                "backtest_id": pl.repeat(self.backtest_id, len(trips), eager=True),
                "trade_id": pl.int_range(1, len(trips) + 1, dtype=pl.Int32, eager=True),
                "symbol": pl.Series([panel.symbols[int(s)] for s in trips[:, kernel.TRIP_SYMBOL]], dtype=pl.String),
                "entry_date": day(kernel.TRIP_ENTRY),
                "entry_price": trips[:, kernel.TRIP_ENTRY_PRICE],
                "exit_date": day(kernel.TRIP_EXIT),
                "exit_price": trips[:, kernel.TRIP_EXIT_PRICE],
                "quantity": trips[:, kernel.TRIP_QUANTITY],
                "pnl": trips[:, kernel.TRIP_PNL],
                "trade_return": trips[:, kernel.TRIP_RETURN],
                "costs": trips[:, kernel.TRIP_COSTS],
                "dividends": trips[:, kernel.TRIP_RECEIVED],
                "split_ratio": trips[:, kernel.TRIP_SPLIT],
            }
        )
        frame = frame.with_columns(exit_date=pl.when(is_open).then(None).otherwise(pl.col("exit_date")))
        return TRADES.validate(frame)

    def by_year(self) -> pl.DataFrame:
        """Rows of ``backtests.by_year``."""
        years = self.dates.dt.year().to_numpy()[1:]
        parts = self._parts(years).rename({"part": "year"}).with_columns(pl.col("year").cast(pl.Int32))
        return BY_YEAR.validate(parts)

    def by_regime(self) -> pl.DataFrame:
        """Rows of ``backtests.by_regime``; a session belongs to the regime known at the close before it."""
        regime = self.bench.known.regime
        if regime is None:
            return BY_REGIME.empty()
        before = regime[self.bench.first : self.bench.last]
        return BY_REGIME.validate(self._parts(np.where(before == "", "unknown", before)).rename({"part": "regime"}))

    def events(self) -> pl.DataFrame:
        """What the account logged: date, symbol (empty for the account), kind, value."""
        panel, found = self.bench.market.panel, self.run.events
        names = (*panel.symbols, "")
        return pl.DataFrame(
            {
                "date": pl.Series(panel.dates[found[:, 0].astype(int)]).cast(pl.Date),
                "symbol": pl.Series([names[int(s)] for s in found[:, 1]], dtype=pl.String),
                "kind": pl.Series([EVENT_KINDS[int(k)] for k in found[:, 2]], dtype=pl.String),
                "value": found[:, 3],
            }
        )

    def _parts(self, labels: np.ndarray) -> pl.DataFrame:
        parts = measure_parts(
            self.returns,
            self.run.path[kernel.PATH_GROSS, 1:],
            labels,
            risk_free_rate=self.bench.risk_free_rate,
        )
        return parts.with_columns(backtest_id=pl.lit(self.backtest_id))


def backtest(strategy: Strategy, bench: Bench, *, trials: Trials = ALONE, data: str = "") -> Backtest:
    """Simulate one strategy and keep everything about it.

    ``data`` is the bench's :func:`data_digest` where the caller has it already. ``ml_signal`` is run beside its rule
    twin.
    """
    data = data or data_digest(bench.known, bench.last)
    out = np.empty(len(MEASURE_NAMES))
    returns = np.empty(bench.last - bench.first)
    run = evaluate(strategy, bench, out, scratch=Scratch(), returns=returns, years=bench.years)
    note = "" if len(run.trips) else _why_nothing(strategy.targets(bench.known), bench, run)
    return Backtest(
        backtest_id=backtest_id(strategy, bench, data=data),
        strategy=strategy,
        bench=bench,
        run=run,
        measures=Measures(*out.tolist()),
        data_digest=data,
        note=note,
        trials=trials,
        twin=_against_twin(strategy, bench, run, data) if isinstance(strategy, MlSignal) and not note else None,
    )


def _against_twin(strategy: MlSignal, bench: Bench, run: Simulation, data: str) -> Twin:
    """The twin over the same sessions; an interval needs two blocks of the bootstrap."""
    twin = backtest(strategy.twin(), bench, data=data)
    if bench.last - bench.first < 2 * _TWIN_BLOCK:
        return Twin(twin.strategy.name, twin.measures.sharpe, SharpeDifference(math.nan, math.nan, math.nan, 0.95))
    difference = sharpe_difference(
        simple_returns(run.equity), twin.returns, rng=np.random.default_rng(_TWIN_SEED), block_sessions=_TWIN_BLOCK
    )
    return Twin(twin.strategy.name, twin.measures.sharpe, difference)


def _why_nothing(targets: Targets, bench: Bench, run: Simulation) -> str:
    """One sentence for the first line of a report without a trade."""
    if targets.reason:
        return f"No trades: {targets.reason}."
    rows = slice(bench.first, bench.last + 1)
    if not (targets.weights[rows] != 0).any():
        dates = bench.market.panel.dates
        return (
            f"No trades: from {dates[bench.first]} to {dates[bench.last]} the rule never asked for a position; look at "
            "its parameters, or give it a longer history than its windows need."
        )
    if run.event_count:
        kinds = sorted({EVENT_KINDS[int(kind)] for kind in run.events[:, 2]})
        return f"No trades: orders were placed but none was filled ({', '.join(kinds)}); look at the events."
    return "No trades: the only decisions fell on the last session, and orders are filled in the next one."
