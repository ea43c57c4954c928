"""``/features``: what each feature means, and the feature store's rows."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from quant_assets.serving.api.contract import FEATURE_CATALOG, feature_store
from quant_assets.serving.api.models import FACTS_EXAMPLE, Envelope, Page, example_of, listing_model
from quant_assets.serving.api.problems import Problem, near_matches
from quant_assets.serving.api.queries import PageQuery, SeriesQuery
from quant_assets.serving.api.question import Question, QuestionDep, SymbolPath

__all__ = ["router"]

router = APIRouter(prefix="/features", tags=["features"])
_STORE = re.compile(r"features\.feature_store_v([0-9]+)")


class FeatureRow(BaseModel):
    """What one feature is."""

    version: int | str | None = Field(description="Version of the store.", examples=[1])
    feature: str = Field(description="Column of the store.", examples=["rsi_14"])
    description: str | None = Field(description="Meaning.", examples=["Relative strength over 14 sessions."])
    logic: str | None = Field(description="How it is computed.", examples=["Wilder's RSI of the adjusted close"])
    unit: str | None = Field(description="Unit.", examples=["0 to 100"])
    depends_on: Any = Field(description="What it is made from.", examples=["market_data.adjusted_prices"])
    created_at: dt.datetime | dt.date | None = Field(
        description="When it was added.", examples=["2026-11-21T00:00:00Z"]
    )
    used_by: Any = Field(description="Who declared to read it.", examples=["signals.signals"])


FeatureList = listing_model("FeatureList", FeatureRow)


class FeatureSeries(Envelope):
    """A symbol's features, by columns or by records."""

    symbol: str = Field(description="Symbol.", examples=["IBM"])
    version: int = Field(description="Version of the store.", examples=[1])
    page: Page = Field(description="Which part this is.", examples=[example_of(Page)])
    data: dict[str, list[float | str | None]] | list[dict[str, float | str | None]] = Field(
        description="In order of date; the columns are those of the store or the ones asked for.",
        examples=[{"date": ["2013-03-01"], "close": [202.91], "rsi_14": [61.3]}],
    )


FeatureSeries.model_config["json_schema_extra"] = {"examples": [FACTS_EXAMPLE | example_of(FeatureSeries)]}
FeatureSeries.model_rebuild(force=True)


class CatalogQuery(PageQuery):
    """Which features."""

    limit: int = Field(default=500, ge=1, le=1_000, description="Rows of a page.")


class FeaturesQuery(SeriesQuery):
    """Which features of which sessions."""

    columns: str | None = Field(
        default=None,
        max_length=1_500,
        description="Features to return, separated by commas; all where none is named.",
        examples=["close,rsi_14"],
    )


@router.get("/metadata", response_model=FeatureList, summary="What each feature means")
def metadata(question: QuestionDep, query: Annotated[CatalogQuery, Query()]) -> Response:
    """The feature catalogue: meaning, formula, unit, inputs and consumers of every column of the store."""
    if absence := question.snapshot.absence(FEATURE_CATALOG):
        return question.empty_reply(query, absence)
    return question.list_reply(question.rows(FEATURE_CATALOG, {}, "version, feature", query), query)


@router.get("/{version}/{symbol}", response_model=FeatureSeries, summary="A symbol's features")
def features(
    version: Annotated[
        str, Path(description="v1, v2, or latest.", min_length=1, max_length=10, examples=["v1", "latest"])
    ],
    symbol: SymbolPath,
    question: QuestionDep,
    query: Annotated[FeaturesQuery, Query()],
) -> Response:
    """The newest page of a symbol's features in order of date; a row uses nothing later than its date."""
    number = _version(question, version)
    name = question.symbol(symbol)
    table = feature_store(number)
    question.snapshot.require(table)
    columns = _columns(question.snapshot.columns[table.name], query.columns)
    frame = question.series(table, name, query)
    note = None if frame.height else f"Nothing is published of {name} in this range."
    return question.series_reply(frame, query, columns, symbol=name, version=number, note=note)


def _version(question: Question, text: str) -> int:
    published = sorted(int(match[1]) for name in question.snapshot.columns if (match := _STORE.fullmatch(name)))
    if not published:
        raise Problem(404, "not-published", "No features have been published yet.")
    if text.lower() == "latest":
        return published[-1]
    number = text.lower().removeprefix("v")
    if number.isascii() and number.isdigit() and int(number) in published:
        return int(number)
    names = tuple(f"v{one}" for one in published)
    raise Problem(
        404,
        "unknown-version",
        f"There is no version {text!r} of the feature store; choose one of {', '.join(names)} or latest.",
        near=names,
    )


def _columns(stored: tuple[str, ...], asked: str | None) -> list[str]:
    known = [name for name in stored if name != "symbol"]
    if asked is None:
        return known
    wanted = [part.strip() for part in asked.split(",") if part.strip()]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        name = unknown[0] if unknown else asked
        near = near_matches(name[:60], known)
        hint = f"did you mean {', '.join(near)}?" if near else "see /api/v1/features/metadata."
        shown = name[:60]
        error = {"parameter": "columns", "reason": f"unknown feature {shown!r}"}
        raise Problem(422, "invalid", f"There is no feature {shown!r}; {hint}", near=near, errors=(error,))
    return list(dict.fromkeys(["date", *wanted]))
