"""``/portfolio/forecast/{days}``: the fan of the portfolio's value, as numbers or as a chart."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from quant_assets.serving.api.contract import FORECASTS
from quant_assets.serving.api.fan_chart import draw_fan
from quant_assets.serving.api.front import FORECAST_TYPES
from quant_assets.serving.api.models import FACTS_EXAMPLE, Envelope, example_of
from quant_assets.serving.api.problems import Problem, near_matches
from quant_assets.serving.api.queries import NoQuery
from quant_assets.serving.api.question import Question, QuestionDep, reply
from quant_assets.serving.api.served_forecast import served_forecast

__all__ = ["router"]

router = APIRouter(prefix="/portfolio", tags=["portfolio"])


class ForecastDay(BaseModel):
    """The distribution of the portfolio's value on one day ahead."""

    horizon_days: int = Field(description="Sessions ahead.", examples=[20])
    target_date: dt.date = Field(description="Session that it is about.", examples=["2013-04-01"])
    p05: float | None = Field(description="5th percentile of the value.", examples=[94_310.0])
    p50: float | None = Field(description="Median of the value.", examples=[100_240.0])
    p95: float | None = Field(description="95th percentile of the value.", examples=[106_180.0])
    mean: float | None = Field(description="Mean of the value.", examples=[100_255.0])
    var_95: float | None = Field(
        description="Loss exceeded with 5 % probability; positive is a loss.", examples=[5_690.0]
    )
    cvar_95: float | None = Field(description="Mean loss beyond that; positive is a loss.", examples=[7_420.0])


class Forecast(Envelope):
    """The fan from tomorrow to the day asked for."""

    model: str = Field(description="Forecast model.", examples=["filtered_simulation"])
    models: list[str] = Field(description="Models that forecast this night.", examples=[["filtered_simulation"]])
    forecast_as_of: dt.date = Field(description="Session on whose close it was made.", examples=["2013-03-01"])
    current_value: float | None = Field(description="Value of the portfolio at that close.", examples=[100_000.0])
    target: ForecastDay = Field(description="The day asked for.", examples=[example_of(ForecastDay)])
    fan: list[ForecastDay] = Field(description="Every day up to it.", examples=[[example_of(ForecastDay)]])


Forecast.model_config["json_schema_extra"] = {"examples": [FACTS_EXAMPLE | example_of(Forecast)]}
Forecast.model_rebuild(force=True)


class ForecastQuery(NoQuery):
    """Which model."""

    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=40,
        description="Forecast model; the one that serves where none is named.",
        examples=["random_walk"],
    )


@router.get(
    "/forecast/{days}",
    response_model=Forecast,
    summary="The portfolio's value up to some sessions ahead",
    responses={200: {"content": {FORECAST_TYPES[1]: {"schema": {"type": "string"}}}}},
)
def forecast(
    days: Annotated[int, Path(ge=1, le=366, description="Sessions ahead.", examples=[20])],
    question: QuestionDep,
    query: Annotated[ForecastQuery, Query()],
) -> Response:
    """The newest forecast's band for every session up to ``days``; with ``Accept: image/svg+xml`` as a chart."""
    question.snapshot.require(FORECASTS)
    made = served_forecast(question.snapshot, question.reading, query.model)
    if made.model is None:
        raise Problem(
            404,
            "unknown-model",
            f"No model {query.model!r} forecasts; choose one of {', '.join(made.models)}.",
            near=near_matches(query.model or "", made.models) or made.models,
        )
    longest = made.fan.select(pl.col("horizon_days").max()).item()
    fan = made.fan.filter(pl.col("horizon_days") <= days)
    target = fan.filter(pl.col("horizon_days") == days)
    if not target.height:
        raise Problem(404, "beyond-forecast", f"The forecast reaches {longest} sessions ahead; ask for no more.")
    if question.media_type == FORECAST_TYPES[1]:
        return Response(_chart(question, made.model, fan), media_type=FORECAST_TYPES[1])
    columns = list(ForecastDay.model_fields)
    return reply(
        question,
        {
            "model": made.model,
            "models": made.models,
            "forecast_as_of": fan["as_of"][0],
            "current_value": fan["current_value"][0],
            "target": target.select(columns).to_dicts()[0],
            "fan": fan.select(columns).to_dicts(),
        },
    )


def _chart(question: Question, model: str, fan: pl.DataFrame) -> str:
    publication = question.snapshot.publication
    return draw_fan(
        fan,
        title=f"Portfolio value, {model.replace('_', ' ')}",
        subtitle=f"{publication.source} as of {publication.as_of}",
        disclaimer=publication.disclaimer,
    )
