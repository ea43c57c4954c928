"""Regimes as assets: labels of the market and of each symbol, what they were made with, and how good they are."""

import base64
import datetime as dt
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.ops.run_tags import FULL_REFRESH_TAG
from quant_assets.ops.tables import RUN_STATE
from quant_assets.regimes.chart import RegimePicture, regime_chart
from quant_assets.regimes.evaluation_run import store_evaluation
from quant_assets.regimes.night import NightReport, run_night
from quant_assets.regimes.tables import (
    EVALUATION,
    MARKET_FEATURES,
    MARKET_REGIMES,
    MODELS,
    REGIME_CHANGES,
    SYMBOL_REGIMES,
)
from quant_assets.settings import Universe
from resources.warehouse import Warehouse, asset_key, table_metadata, table_spec

__all__ = ["EvaluationConfig", "regime_evaluation", "regimes"]

_NIGHTLY = (MARKET_FEATURES, MARKET_REGIMES, SYMBOL_REGIMES, REGIME_CHANGES, MODELS)
_SHOWN = 20


@dg.multi_asset(name="label_regimes", specs=[table_spec(table, deps=[ADJUSTED_PRICES]) for table in _NIGHTLY])
def regimes(
    context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], universe: dg.ResourceParam[Universe]
) -> Iterator[dg.MaterializeResult[None]]:
    """Label the sessions that are new since the last run, and refit the models whose calendar date has come."""
    clock = warehouse.read(RUN_STATE)["source_clock"][0]
    is_full = context.run.tags.get(FULL_REFRESH_TAG) == "true"
    report = run_night(warehouse, universe.market, now=clock, is_full_refresh=is_full)
    figures = _figures(warehouse, report, str(universe.market), clock)
    for table in _NIGHTLY:
        metadata = table_metadata(warehouse, table, **figures.get(table.name, {}))
        yield dg.MaterializeResult(asset_key=asset_key(table), metadata=metadata)


class EvaluationConfig(dg.Config):
    """What a person may ask for in the launchpad."""

    reference_markets: int = Field(
        default=0, description="Reference markets to label with all methods, 1 to 2 minutes each; 10 for the scorecard."
    )


@dg.multi_asset(
    name="evaluate_regimes", specs=[table_spec(EVALUATION, deps=[MARKET_FEATURES, MARKET_REGIMES, ADJUSTED_PRICES])]
)
def regime_evaluation(
    config: EvaluationConfig, warehouse: dg.ResourceParam[Warehouse], universe: dg.ResourceParam[Universe]
) -> dg.MaterializeResult[None]:
    """Score the labels on stored history; when asked, every method on the reference market as well."""
    now, seeds = warehouse.read(RUN_STATE)["source_clock"][0], range(config.reference_markets)
    if not seeds:
        store_evaluation(warehouse, str(universe.market), now=now)
    else:
        with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
            store_evaluation(warehouse, str(universe.market), now=now, seeds=seeds, mapper=pool.map)
    rows = warehouse.query(_SUMMARY)
    figures = {"summary": dg.MetadataValue.table(_records(rows))} if rows.height else {}
    return dg.MaterializeResult(
        asset_key=asset_key(EVALUATION), metadata=table_metadata(warehouse, EVALUATION, **figures)
    )


def _figures(warehouse: Warehouse, report: NightReport, market: str, clock: dt.datetime) -> dict[str, dict[str, Any]]:
    """Key figures and the picture, per table."""
    failed = [f"{fit.model_version}: {fit.reason}" for fit in report.fits if fit.model is None]
    rows = warehouse.read(MARKET_REGIMES)
    own: dict[str, Any] = {"new_sessions": report.market_sessions, "is_rebuilt": report.is_rebuilt}
    if rows.height:
        last = rows.row(-1, named=True)
        lag = clock - new_york_calendar().close_at(last["date"])
        own |= {
            "regime": last["regime"],
            "probability": round(last[f"p_{last['regime']}"], 3),
            "model_version": last["model_version"],
            "refresh_lag_hours": round(lag.total_seconds() / 3600, 1),
        }
        closes = warehouse.read(ADJUSTED_PRICES, ["symbol", "date", "close"], "symbol = ?", [market])
        picture = regime_chart(closes, rows, market)
        own |= _drawn(picture, warehouse.path.parent / "charts" / "regimes")
    newest = report.changes.sort("date", descending=True).head(_SHOWN).drop("detected_at", "model_version")
    changes: dict[str, Any] = {"new_changes": report.changes.height}
    if newest.height:
        changes["newest"] = dg.MetadataValue.table(_records(newest))
    models: dict[str, Any] = {"new_fits": len(report.fits), "failed_fits": len(failed)}
    if failed:
        models["failed"] = dg.MetadataValue.json(failed[:_SHOWN])
    return {
        MARKET_REGIMES.name: own,
        SYMBOL_REGIMES.name: {"new_labels": report.symbol_sessions},
        REGIME_CHANGES.name: changes,
        MODELS.name: models,
    }


def _drawn(picture: RegimePicture, folder: Path) -> dict[str, Any]:
    """Write the picture as HTML and SVG, and show it."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("html", picture.html), ("svg", picture.svg)):
        (folder / f"market_regimes.{suffix}").write_text(text, encoding="utf-8")
    encoded = base64.b64encode(picture.svg.encode()).decode()
    return {
        "chart": dg.MetadataValue.md(f"![market regimes](data:image/svg+xml;base64,{encoded})"),
        "chart_html": dg.MetadataValue.path(folder / "market_regimes.html"),
    }


def _records(rows: pl.DataFrame) -> list[dg.TableRecord]:
    shown = rows.with_columns(pl.col(pl.Float64).round(3), pl.col(pl.Date).cast(pl.String))
    return [
        dg.TableRecord({key: "" if value is None else value for key, value in row.items()})
        for row in shown.iter_rows(named=True)
    ]


_SUMMARY = """
SELECT source, method, measure, value, standard_error
FROM regimes.evaluation
WHERE slice = 'all'
    AND measure IN (
        'accuracy', 'accuracy_to_ceiling', 'macro_f1', 'median_delay', 'false_switches_per_year', 'flips_per_year',
        'mean_stay_sessions', 'next_20d_volatility', 'next_20d_drawdown'
    )
ORDER BY source DESC, measure, method
"""
