"""Asset checks of backtests: nobody looked ahead, and the books add up."""

from __future__ import annotations

import dagster as dg
import numpy as np
import polars as pl

from quant_assets.backtests.causality import look_ahead
from quant_assets.backtests.inputs import Inputs
from quant_assets.backtests.storage import read_inputs
from quant_assets.backtests.tables import RUNS, TRADES
from quant_assets.strategies import STRATEGIES, Indicators, Knowledge, build_strategy
from resources.warehouse import Warehouse, asset_key

__all__ = ["books_add_up", "no_strategy_looks_ahead", "runs_have_trades"]

_CUTS = (0.4, 0.7, 0.95)
_SEED = 7
_BOOKS = """
SELECT runs.backtest_id, runs.strategy, runs.final_equity - runs.capital AS profit, runs.financing_paid,
    coalesce(sum(trades.pnl), 0) AS booked
FROM backtests.runs AS runs
LEFT JOIN backtests.trades AS trades ON trades.backtest_id = runs.backtest_id
WHERE runs.origin <> 'sweep' AND runs.financing_paid = 0
GROUP BY ALL
HAVING abs(profit - booked) > 1e-6 * any_value(runs.capital) + 0.005
"""


@dg.asset_check(
    asset=asset_key(RUNS),
    blocking=True,
    description="Decisions up to a session are identical when the later rows stored today are cut off or corrupted.",
)
def no_strategy_looks_ahead(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Repeat every strategy on histories without and with a wrong future."""
    inputs: Inputs = read_inputs(warehouse)
    found: list[str] = []
    if inputs.tradable:
        panel = inputs.panel(inputs.tradable)
        known = Knowledge(panel, Indicators(panel), inputs.probability(panel), inputs.regime(panel))
        cuts = [int(share * (panel.shape[0] - 1)) for share in _CUTS]
        for name in STRATEGIES:
            found += look_ahead(build_strategy(name), known, cuts, np.random.default_rng(_SEED))
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        description=found[0] if found else f"{len(STRATEGIES)} strategies, {len(_CUTS)} cuts, none looks ahead",
    )


@dg.asset_check(
    asset=asset_key(TRADES),
    blocking=True,
    description="The profit of each run without financing equals the sum of its round trips to the cent.",
)
def books_add_up(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Compare accounts with their round trips."""
    wrong = warehouse.query(_BOOKS)
    return dg.AssetCheckResult(
        passed=wrong.is_empty(),
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{wrong.height} runs whose round trips do not add up to their profit",
    )


@dg.asset_check(asset=asset_key(RUNS), description="Every run traded; where one did not, its note says why.")
def runs_have_trades(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """List the runs of the default set without trades."""
    idle = warehouse.read(RUNS, ["strategy", "note"], "trades = 0 AND origin <> 'sweep'")
    said = "; ".join(f"{name}: {note}" for name, note in idle.rows()[:5])
    return dg.AssetCheckResult(
        passed=idle.filter(pl.col("note") != "").is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=said or "every run traded",
    )
