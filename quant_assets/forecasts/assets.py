"""Portfolio forecasts as assets: tonight's distribution, the record that it rests on, and yesterday's verdict."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from quant_assets.forecasts.charts import Picture
from quant_assets.forecasts.night import Night, run_night
from quant_assets.forecasts.parameters import SELECTED, ForecastSettings
from quant_assets.forecasts.storage import store_outcomes
from quant_assets.forecasts.tables import (
    FORECAST_EVALUATIONS,
    MODEL_CHOICES,
    OUTCOMES,
    PORTFOLIO_FORECASTS,
    POSITIONS,
    TABLES,
)
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.ops.run_tags import FULL_REFRESH_TAG
from quant_assets.settings import Universe
from resources.warehouse import Warehouse, asset_key, table_metadata, table_spec

__all__ = ["forecast_outcomes", "portfolio_forecast"]

_NIGHTLY = tuple(table for table in TABLES if table is not OUTCOMES)
_SHOWN_HORIZONS = (1, 5, 10, 20, 40, 60)
_SHOWN_COLUMNS = (
    "model",
    "horizon_days",
    "origins",
    "mae_pct",
    "mae_pct_no_change",
    "mae_to_random_walk",
    "pinball_to_random_walk",
    "coverage_90",
    "kupiec_p_value",
)


@dg.multi_asset(name="forecast_portfolio", specs=[table_spec(table, deps=[ADJUSTED_PRICES]) for table in _NIGHTLY])
def portfolio_forecast(
    context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], universe: dg.ResourceParam[Universe]
) -> Iterator[dg.MaterializeResult[None]]:
    """Forecast the portfolio of the universe file from the run's session, with the record of every model."""
    figures: dict[str, dict[str, Any]] = {}
    if universe.portfolio is None:
        reason = "the universe file has no portfolio, so nothing is forecast"
        figures = {table.name: {"not_made": reason} for table in _NIGHTLY}
    else:
        is_full = context.run.tags.get(FULL_REFRESH_TAG) == "true"
        calendar, settings = new_york_calendar(), ForecastSettings()
        night = run_night(warehouse, universe.portfolio, calendar, settings, is_full_refresh=is_full)
        figures = _figures(night, warehouse.path.parent / "charts" / "forecasts")
    for table in _NIGHTLY:
        metadata = table_metadata(warehouse, table, **figures.get(table.name, {}))
        yield dg.MaterializeResult(asset_key=asset_key(table), metadata=metadata)


@dg.multi_asset(
    name="judge_forecasts", specs=[table_spec(OUTCOMES, deps=[PORTFOLIO_FORECASTS, POSITIONS, ADJUSTED_PRICES])]
)
def forecast_outcomes(warehouse: dg.ResourceParam[Warehouse]) -> Iterator[dg.MaterializeResult[None]]:
    """Join the forecasts of earlier nights to what happened."""
    known = store_outcomes(warehouse)
    served = warehouse.read(OUTCOMES, ["inside"], "is_selected")["inside"]
    figures = {"new_outcomes": known, "served_inside_5_95": f"{served.sum()} of {len(served)}"}
    yield dg.MaterializeResult(asset_key=asset_key(OUTCOMES), metadata=table_metadata(warehouse, OUTCOMES, **figures))


def _figures(night: Night, folder: Path) -> dict[str, dict[str, Any]]:
    """Key figures and pictures, per table."""
    served = night.tonight.forecasts.filter("is_selected").sort("horizon_days")
    last = served.row(-1, named=True)
    unavailable = night.tonight.choices.filter(~pl.col("is_available"))
    choices: dict[str, Any] = {"choices": dg.MetadataValue.table(_records(night.tonight.choices))}
    choices |= {f"unavailable_{row['model']}": row["reason"] for row in unavailable.iter_rows(named=True)}
    evaluations: dict[str, Any] = {}
    if night.evaluations.height:
        shown = night.evaluations.filter(pl.col("horizon_days").is_in(_SHOWN_HORIZONS)).select(_SHOWN_COLUMNS)
        first = pl.col("model") != SELECTED
        evaluations = {"calibration_table": dg.MetadataValue.table(_records(shown.sort("horizon_days", first)))}
    if night.calibration is not None:
        evaluations |= _drawn(night.calibration, folder, "calibration")
    return {
        PORTFOLIO_FORECASTS.name: {
            "model": last["model"],
            "current_value": round(last["current_value"], 2),
            "var_95_pct_1": served["var_95_pct"][0],
            f"p05_{last['horizon_days']}": round(last["p05"], 2),
            f"p95_{last['horizon_days']}": round(last["p95"], 2),
            "new_origins": night.new_origins,
        }
        | _drawn(night.fan, folder, "fan_chart"),
        MODEL_CHOICES.name: choices,
        FORECAST_EVALUATIONS.name: evaluations,
    }


def _drawn(picture: Picture, folder: Path, name: str) -> dict[str, Any]:
    """Write a picture as HTML and SVG, and show it."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("html", picture.html), ("svg", picture.svg)):
        (folder / f"{name}.{suffix}").write_text(text, encoding="utf-8")
    encoded = base64.b64encode(picture.svg.encode()).decode()
    return {
        name: dg.MetadataValue.md(f"![{name}](data:image/svg+xml;base64,{encoded})"),
        f"{name}_html": dg.MetadataValue.path(folder / f"{name}.html"),
    }


def _records(rows: pl.DataFrame) -> list[dg.TableRecord]:
    shown = rows.with_columns(pl.col(pl.Float64).round(4), pl.col(pl.Date).cast(pl.String))
    return [
        dg.TableRecord({key: "" if value is None else value for key, value in row.items()})
        for row in shown.iter_rows(named=True)
    ]
