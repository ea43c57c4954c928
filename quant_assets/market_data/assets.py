"""Prices as assets: what the source sent, and what is derived for research."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.adjustment import Convention, adjustment_factors, unusable_actions
from quant_assets.market_data.fetch_situation import FetchWish
from quant_assets.market_data.ingest import IngestResult, ingest
from quant_assets.market_data.ports import PriceSource
from quant_assets.market_data.run_date import settle_as_of
from quant_assets.market_data.tables import (
    ADJUSTED_PRICES,
    ADJUSTMENT_FACTORS,
    CORPORATE_ACTIONS,
    DAILY_PRICES,
    FETCH_LOG,
    PRICE_REVISIONS,
)
from quant_assets.market_data.vendor_comparison import compare_with_vendor
from quant_assets.ops.records import note_savings
from quant_assets.ops.run_tags import AS_OF_TAG
from quant_assets.ops.source_binding import bind_source
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import RUN_STATE
from quant_assets.settings import Universe
from resources.warehouse import Warehouse, asset_key, table_metadata, table_spec

__all__ = ["FetchConfig", "adjusted_prices", "fetch_prices"]

_QUARANTINE = dg.AssetKey(["quality", "quarantined_prices"])
_FACTOR_INPUTS = (
    DAILY_PRICES.qualified_name,
    CORPORATE_ACTIONS.qualified_name,
    "quality.quarantined_prices",
    "ops.run_state",
)
_SHOWN = 20


class FetchConfig(dg.Config):
    """What an operator may narrow or deepen in the launchpad."""

    symbols: list[str] = Field(default=[], description="Fetch only these symbols; empty means all.")
    depth: str = Field(default="auto", description="auto (what is missing), compact (newest 100 sessions) or full.")
    from_date: str = Field(default="", description="Keep only bars from this date on (YYYY-MM-DD).")
    to_date: str = Field(default="", description="Keep only bars up to this date (YYYY-MM-DD).")

    def wish(self) -> FetchWish:
        """The configuration as the planner takes it."""
        return FetchWish(
            symbols=tuple(self.symbols) or None,
            outputsize="" if self.depth == "auto" else self.depth,
            start=dt.date.fromisoformat(self.from_date) if self.from_date else None,
            end=dt.date.fromisoformat(self.to_date) if self.to_date else None,
        )


@dg.multi_asset(
    name="fetch_prices",
    specs=[table_spec(table) for table in (DAILY_PRICES, CORPORATE_ACTIONS, PRICE_REVISIONS, FETCH_LOG)],
    retry_policy=dg.RetryPolicy(max_retries=1, delay=5),
)
def fetch_prices(  # noqa: PLR0917 - Dagster hands over resources by name
    context: dg.AssetExecutionContext,
    config: FetchConfig,
    warehouse: dg.ResourceParam[Warehouse],
    price_source: dg.ResourceParam[PriceSource],
    operations: dg.ResourceParam[OperationsStore],
    universe: dg.ResourceParam[Universe],
) -> Iterator[dg.MaterializeResult[None]]:
    """Ask the price source for what is missing and store it: bars, corporate actions, revisions and the log."""
    bind_source(operations, price_source.identity)
    classes = {instrument.symbol: instrument.asset_class.value for instrument in universe.symbols}
    result = ingest(price_source, warehouse, classes, new_york_calendar(), wish=config.wish(), report=context.log.info)
    as_of = settle_as_of(
        warehouse,
        price_source,
        new_york_calendar(),
        asked=context.run.tags.get(AS_OF_TAG),
        dividend_adjustment=universe.dividend_adjustment,
    )
    note_savings(
        operations,
        run_id=context.run.run_id,
        symbols_current=len(result.current_before),
        calls_made=result.calls_made,
        calls_saved=result.plan.calls_saved(result.calls_made),
    )
    figures = {"as_of": str(as_of), "source": price_source.identity} | _figures(result)
    yield dg.MaterializeResult(
        asset_key=asset_key(DAILY_PRICES), metadata=table_metadata(warehouse, DAILY_PRICES, **figures)
    )
    for table in (CORPORATE_ACTIONS, PRICE_REVISIONS, FETCH_LOG):
        yield dg.MaterializeResult(asset_key=asset_key(table), metadata=table_metadata(warehouse, table))


@dg.multi_asset(
    name="adjust_prices",
    specs=[
        table_spec(ADJUSTMENT_FACTORS, deps=[DAILY_PRICES, CORPORATE_ACTIONS, _QUARANTINE]),
        table_spec(ADJUSTED_PRICES, deps=[DAILY_PRICES, ADJUSTMENT_FACTORS, _QUARANTINE]),
    ],
)
def adjusted_prices(warehouse: dg.ResourceParam[Warehouse]) -> Iterator[dg.MaterializeResult[None]]:
    """Derive adjustment factors from the events known by the run's as-of date; the view follows from them."""
    figures: dict[str, Any] = {}
    if not warehouse.is_current(ADJUSTMENT_FACTORS, _FACTOR_INPUTS):
        bars = warehouse.query(_ACCEPTED_BARS)
        actions = warehouse.read(CORPORATE_ACTIONS)
        state = warehouse.read(RUN_STATE).row(0, named=True)
        convention = Convention(state["dividend_adjustment"])
        factors = adjustment_factors(bars, actions, as_of=state["as_of"], convention=convention)
        if warehouse.replace(ADJUSTMENT_FACTORS, factors):
            with warehouse.transaction() as connection:
                warehouse.note_change(connection, ADJUSTED_PRICES.qualified_name)
        warehouse.note_computed(ADJUSTMENT_FACTORS)
        figures = _adjustment_figures(
            bars, factors, unusable_actions(bars, actions, as_of=state["as_of"], convention=convention)
        )
    yield dg.MaterializeResult(
        asset_key=asset_key(ADJUSTMENT_FACTORS), metadata=table_metadata(warehouse, ADJUSTMENT_FACTORS, **figures)
    )
    yield dg.MaterializeResult(
        asset_key=asset_key(ADJUSTED_PRICES), metadata=table_metadata(warehouse, ADJUSTED_PRICES)
    )


_ACCEPTED_BARS = f"""
SELECT symbol, date, close, adjusted_close
FROM {DAILY_PRICES.qualified_name} AS prices
WHERE
    date <= (SELECT max(as_of) FROM ops.run_state)
    AND NOT EXISTS (
        SELECT 1
        FROM quality.quarantined_prices AS withheld
        WHERE withheld.symbol = prices.symbol AND withheld.date = prices.date AND withheld.released_at IS NULL
    )
"""


def _figures(result: IngestResult) -> dict[str, Any]:
    """Key figures of a night's fetching, and the lists that a person should act on."""
    counts = result.counts
    figures: dict[str, Any] = {
        "rows_new": counts.bars_new,
        "rows_changed": counts.bars_changed,
        "revisions": counts.revisions,
        "calls_made": result.calls_made,
        "symbols_current": len(result.current_before),
    }
    lists = {
        "failed": [f"{symbol}: {reason}" for symbol, reason in result.failed.items()],
        "deferred": [f"{one.request.symbol} {one.request.function}: {one.reason}" for one in result.plan.deferred],
        "holes": [hole.advice for hole in result.plan.holes],
        "dormant": list(result.plan.dormant),
    }
    for name, lines in lists.items():
        if lines:
            figures |= {f"symbols_{name}": len(lines), name: dg.MetadataValue.json(lines[:_SHOWN])}
    return figures


def _adjustment_figures(bars: pl.DataFrame, factors: pl.DataFrame, unusable: pl.DataFrame) -> dict[str, Any]:
    """How far our adjusted closes are from the vendor's, and the events that could not be used."""
    compared = compare_with_vendor(bars, factors).drop_nulls("max_relative_difference")
    figures: dict[str, Any] = {"actions_not_used": unusable.height}
    if compared.height:
        worst = compared.sort("max_relative_difference").row(-1, named=True)
        figures["max_difference_to_vendor"] = f"{worst['max_relative_difference']:.1e} ({worst['symbol']})"
        figures["events_apart_from_vendor"] = int(compared["events_apart"].sum())
    return figures
