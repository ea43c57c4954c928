"""Backtests as assets: the nightly default set, or what was asked for in the launchpad."""

import datetime as dt
import math
from collections.abc import Iterator
from typing import Any, TypeVar

import dagster as dg
from pydantic import Field, ValidationError, create_model

from quant_assets.backtests.costs import Costs
from quant_assets.backtests.requests import Outcome, Request, perform
from quant_assets.backtests.rules import Rules
from quant_assets.backtests.storage import read_inputs, report_path, store_outcome, write_reports
from quant_assets.backtests.sweep import LARGEST
from quant_assets.backtests.tables import RUNS, TABLES
from quant_assets.foundation.errors import UsageError
from quant_assets.market_data.tables import CORPORATE_ACTIONS, DAILY_PRICES
from quant_assets.quality.tables import QUARANTINED_PRICES
from quant_assets.regimes.tables import MARKET_REGIMES
from quant_assets.signals.tables import MODELS, WALK_FORWARD_PREDICTIONS
from quant_assets.strategies import STRATEGIES
from resources.warehouse import Warehouse, asset_key, table_metadata, table_spec

__all__ = ["BacktestConfig", "backtest_tables"]

_INPUTS = (
    DAILY_PRICES,
    CORPORATE_ACTIONS,
    QUARANTINED_PRICES,
    MARKET_REGIMES,
    WALK_FORWARD_PREDICTIONS,
    MODELS,
)
_SHOWN = 15
_GRID_SLACK = 1e-9
"""So that 0.1 to 0.3 by 0.1, which is 1.9999999999999998 steps, has its upper end."""
_Terms = TypeVar("_Terms", Rules, Costs)


def _form(name: str, model: type[Costs] | type[Rules]) -> type[dg.Config]:
    """A launchpad form with the fields of a model; choices are text there, and the model checks them."""
    fields: dict[str, Any] = {
        key: (
            info.annotation if info.annotation in {int, float, bool} else str,
            Field(default=info.default, description=info.description),
        )
        for key, info in model.model_fields.items()
    }
    form: type[dg.Config] = create_model(name, __base__=dg.Config, **fields)
    return form


CostsForm = _form("CostsForm", Costs)
RulesForm = _form("RulesForm", Rules)


class BacktestConfig(dg.Config):
    """What to run; left alone, every strategy with its default parameters on the whole universe."""

    strategy: str = Field(default="", description=f"One of {', '.join(STRATEGIES)}; empty for all with defaults.")
    parameters: dict[str, Any] = Field(default={}, description="Parameters of the strategy; see docs/backtesting.md.")
    sweep: dict[str, Any] = Field(
        default={},
        description="Parameter values to try in all combinations: a list, or {from: 5, to: 50, step: 5}.",
    )
    symbols: list[str] = Field(default=[], description="Symbols to trade; empty for the whole universe.")
    each_symbol_alone: bool = Field(default=False, description="One run per symbol instead of one for all.")
    start: str = Field(default="", description="First date (YYYY-MM-DD); empty for the whole history.")
    end: str = Field(default="", description="Last date (YYYY-MM-DD); empty for the newest session.")
    risk_free_rate: float = Field(default=0.0, description="Annual rate taken off in ratios, a fraction.")
    keep: int = Field(default=5, description="Runs of a sweep that get a curve, trades and a report.")
    costs: CostsForm = CostsForm()  # type: ignore[valid-type]  # built from the model above
    rules: RulesForm = RulesForm()  # type: ignore[valid-type]  # built from the model above

    def request(self) -> Request:
        """The configuration as the domain takes it."""
        return Request(
            strategy=self.strategy,
            parameters=self.parameters,
            axes={name: _values(name, given) for name, given in self.sweep.items()},
            symbols=tuple(self.symbols),
            each_alone=self.each_symbol_alone,
            start=_date(self.start),
            end=_date(self.end),
            rules=_checked(Rules, self.rules),
            costs=_checked(Costs, self.costs),
            risk_free_rate=self.risk_free_rate,
            keep=self.keep,
        )


@dg.multi_asset(name="run_backtests", specs=[table_spec(table, deps=_INPUTS) for table in TABLES])
def backtest_tables(
    context: dg.AssetExecutionContext, config: BacktestConfig, warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.MaterializeResult[None]]:
    """Run the strategies, store results and write a page for each run."""

    def progress(done: int, total: int) -> None:
        context.log.info("%d of %d runs finished", done, total)

    outcome = perform(read_inputs(warehouse), config.request(), progress)
    store_outcome(warehouse, outcome)
    home = warehouse.path.parent
    write_reports(home, outcome, stored=set(warehouse.read(RUNS, ["backtest_id"])["backtest_id"]))
    for table in TABLES:
        figures = _figures(outcome, warehouse) if table is RUNS else {}
        yield dg.MaterializeResult(asset_key=asset_key(table), metadata=table_metadata(warehouse, table, **figures))


def _figures(outcome: Outcome, warehouse: Warehouse) -> dict[str, Any]:
    """The runs of this call with their pages, best Sharpe ratio first."""
    runs = {row["backtest_id"]: row for row in outcome.runs.iter_rows(named=True)}
    shown = sorted(outcome.results, key=lambda one: -(runs[one.backtest_id]["sharpe"] or -99.0))[:_SHOWN]
    records = []
    for one in shown:
        row = runs[one.backtest_id]
        figures = {name: row[name] for name in ("total_return", "sharpe", "max_drawdown", "deflated_sharpe")}
        records.append(
            dg.TableRecord(
                {
                    "strategy": row["strategy"],
                    "parameters": row["parameters"],
                    "symbols": row["symbols"],
                    **{name: "" if value is None else f"{value:.3f}" for name, value in figures.items()},
                    "variants": row["variants"],
                    "trades": row["trades"],
                    "note": row["note"],
                    "report": str(report_path(warehouse.path.parent, one.backtest_id)),
                }
            )
        )
    best = dg.MetadataValue.path(str(report_path(warehouse.path.parent, shown[0].backtest_id))) if shown else None
    table = {"results": dg.MetadataValue.table(records)} if records else {}
    return {"runs_in_call": outcome.runs.height, **table, **({"best_report": best} if best else {})}


def _checked(model: type[_Terms], form: dg.Config) -> _Terms:
    try:
        return model(**form.model_dump())
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(f"{text!r} is not a date; write it as 2012-12-31") from None


def _values(name: str, given: Any) -> list[Any]:
    """Values of one axis: a list as it is, a range by its step."""
    if isinstance(given, list):
        return given
    try:
        low, high, step = given["from"], given["to"], given["step"]
        backwards = high < low or not step > 0
        count = 0 if backwards else math.floor((high - low) / step + _GRID_SLACK) + 1
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UsageError(
            f"sweep.{name} is neither a list nor a range; write [5, 10] or {{from: 5, to: 50, step: 5}}"
        ) from None
    if backwards:
        raise UsageError(
            f"sweep.{name} runs from {low} to {high} by {step}; write the lower end first and a step above 0"
        )
    if count > LARGEST:
        raise UsageError(f"sweep.{name} has {count:,} values where {LARGEST:,} are allowed; take a larger step")
    return [low + step * i for i in range(count)]
