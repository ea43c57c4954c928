"""Results as rows of ``backtests.runs``."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from quant_assets.backtests import kernel
from quant_assets.backtests.backtest import Backtest
from quant_assets.backtests.evaluation import Bench
from quant_assets.backtests.identity import backtest_id, code_digest, data_digest
from quant_assets.backtests.sweep import Sweep
from quant_assets.backtests.tables import RUNS
from quant_assets.backtests.trials import Trials, trial_of
from quant_assets.foundation.performance import MEASURE_NAMES, Measures, expected_max_sharpe
from quant_assets.foundation.performance.periods import SESSIONS_PER_YEAR
from quant_assets.strategies import Strategy

__all__ = ["run_records", "sweep_records"]


def run_records(results: Sequence[Backtest], *, origin: str, market: str | None) -> pl.DataFrame:
    """One row of ``backtests.runs`` per result.

    ``origin`` is default, requested or sweep; ``market`` names the symbol behind the benches' market returns.
    """
    rows = []
    for one in results:
        path = one.run.path
        row = _request(one.strategy, one.bench, one.backtest_id, origin=origin, market=market)
        row |= _measured(one.measures, one.bench)
        row |= {
            "trades": len(one.run.trips),
            "deflated_sharpe": one.deflated_sharpe,
            "variants": one.trials.count,
            "final_equity": float(one.run.equity[-1]),
            "costs_paid": float(path[kernel.PATH_COSTS].sum()),
            "financing_paid": float(path[kernel.PATH_FINANCING].sum()),
            "dividends_received": float(path[kernel.PATH_DIVIDENDS].sum()),
            "events": one.run.event_count,
            "note": one.note,
            "data_digest": one.data_digest,
        }
        if one.twin is not None:
            difference = one.twin.difference
            row |= {
                "twin_strategy": one.twin.strategy,
                "twin_sharpe": one.twin.sharpe,
                "sharpe_difference": difference.difference,
                "sharpe_difference_low": difference.low,
                "sharpe_difference_high": difference.high,
            }
        rows.append(row)
    return _frame(rows)


def sweep_records(found: Sweep, benches: dict[str, Bench], trials: Trials, *, market: str | None) -> pl.DataFrame:
    """One row of ``backtests.runs`` per variant and bench of a sweep; sums of money need a run of their own."""
    rows = []
    for i, label in enumerate(found.labels):
        bench = benches[label]
        data = data_digest(bench.known, bench.last)
        for j, variant in enumerate(found.variants):
            row = _request(variant, bench, backtest_id(variant, bench, data=data), origin="sweep", market=market)
            measures = Measures(*found.measures[i, j].tolist())
            row |= _measured(measures, bench)
            row |= {
                "trades": int(found.trades[i, j]),
                "deflated_sharpe": _deflated(measures, trials, bench),
                "variants": trials.count,
                "final_equity": bench.rules.capital * (1.0 + measures.total_return),
                "events": 0,
                "note": "" if found.trades[i, j] else "No trades in this variant.",
                "data_digest": data,
            }
            rows.append(row)
    return _frame(rows)


def _deflated(measures: Measures, trials: Trials, bench: Bench) -> float:
    """Deflated Sharpe ratio from the measures alone: the moments are there, the returns are gone."""
    root = math.sqrt(SESSIONS_PER_YEAR)
    sharpe = measures.sharpe / root
    threshold = expected_max_sharpe(trials.count, trials.deviation)
    variance = 1.0 - measures.skewness * sharpe + (measures.kurtosis - 1.0) / 4.0 * sharpe**2
    if not variance > 0:
        return math.nan
    count = bench.last - bench.first
    return 0.5 * math.erfc(-(sharpe - threshold) * math.sqrt((count - 1) / variance / 2.0))


def _request(strategy: Strategy, bench: Bench, identifier: str, *, origin: str, market: str | None) -> dict[str, Any]:
    panel = bench.market.panel
    return {
        "backtest_id": identifier,
        **asdict(trial_of(strategy, bench)),
        "end_date": panel.dates[bench.last].item(),
        "cost_bps": bench.costs.proportional_bps,
        "origin": origin,
        "market": market if len(bench.market_returns) else None,
        "risk_free_rate": bench.risk_free_rate,
        "capital": bench.rules.capital,
        "code_digest": code_digest(),
    }


def _measured(measures: Measures, bench: Bench) -> dict[str, Any]:
    """Measures as columns: positions become dates, what is infinite or undefined becomes null."""
    dates = bench.market.panel.dates
    stored = {name: getattr(measures, name) for name in MEASURE_NAMES if name in RUNS.column_names}

    def day(position: float) -> dt.date | None:
        found = dates[bench.first + int(position)] if position >= 0 else None
        return None if found is None else found.item()

    if measures.max_drawdown < 0:
        stored |= {
            "drawdown_peak_date": day(measures.drawdown_peak),
            "drawdown_trough_date": day(measures.drawdown_trough),
            "drawdown_recovery_date": day(measures.drawdown_recovery),
        }
    return stored


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows in the table's columns; a column that a row lacks is null."""
    frame = pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in RUNS.column_names}, schema=RUNS.polars_schema, strict=False
    )
    doubles = pl.col(pl.Float64)
    frame = frame.with_columns(pl.when(doubles.is_finite()).then(doubles).otherwise(None).name.keep())
    return RUNS.validate(frame.unique("backtest_id", keep="first", maintain_order=True))
