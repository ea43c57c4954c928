"""``/ml``: which models there are, what they were trained on, how they compare, the runs behind them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from quant_assets.serving.api.contract import MODEL_METRICS, MODELS, REGIME_MODELS
from quant_assets.serving.api.encoding import json_value
from quant_assets.serving.api.models import FACTS_EXAMPLE, Envelope, example_of, listing_model
from quant_assets.serving.api.problems import Problem, near_matches
from quant_assets.serving.api.queries import NoQuery, PageQuery
from quant_assets.serving.api.question import Question, QuestionDep, reply

__all__ = ["router"]

router = APIRouter(prefix="/ml", tags=["models"])
_REGIME = "market_regime"


class ModelRow(BaseModel):
    """One version of one model, and what it was trained on."""

    model: str = Field(description="Model: direction, jump, or market_regime.", examples=["jump"])
    model_version: str = Field(description="Version, unique over all models.", examples=["jump-3"])
    alias: str | None = Field(description="champion, challenger or none.", examples=["champion"])
    created_at: dt.datetime | None = Field(description="When it was registered.", examples=["2026-11-21T11:04:31Z"])
    trained_from: dt.date | None = Field(description="First session of training.", examples=["2001-01-02"])
    trained_to: dt.date | None = Field(description="Last session of training.", examples=["2013-02-22"])
    feature_version: Any = Field(description="Version of the feature list.", examples=["2"])
    features: Any = Field(description="Features in order.", examples=[["rsi_14", "return_5d"]])
    parameters: Any = Field(description="Parameters.", examples=[{"num_leaves": 15}])
    git_revision: str | None = Field(description="Code that trained it.", examples=["87b2236"])
    seed: int | None = Field(description="Seed.", examples=[0])


class Metric(BaseModel):
    """One measure of one version, beside its baseline."""

    metric: str = Field(description="Measure.", examples=["brier_skill"])
    slice: str | None = Field(description="What it was measured on.", examples=["all"])
    value: float | None = Field(description="Its value.", examples=[0.012])
    baseline: float | None = Field(description="The naive figure.", examples=[0.0])


class ComparisonRow(BaseModel):
    """One version's value of the metric compared."""

    model: str = Field(description="Model.", examples=["jump"])
    model_version: str = Field(description="Version.", examples=["jump-3"])
    alias: str | None = Field(description="champion, challenger or none.", examples=["champion"])
    slice: str | None = Field(description="What it was measured on.", examples=["all"])
    value: float | None = Field(description="Its value.", examples=[0.012])
    baseline: float | None = Field(description="The naive figure.", examples=[0.0])


class ModelDetail(Envelope):
    """One version with every measure."""

    model: ModelRow = Field(description="The version.", examples=[example_of(ModelRow)])
    metrics: list[Metric] = Field(description="Its measures.", examples=[[example_of(Metric)]])


class Experiment(ModelRow):
    """A training run: what went in and what came out."""

    metrics: dict[str, float | None] = Field(description="Measures over everything.", examples=[{"brier_skill": 0.012}])


ModelDetail.model_config["json_schema_extra"] = {"examples": [FACTS_EXAMPLE | example_of(ModelDetail)]}
ModelDetail.model_rebuild(force=True)
ModelList = listing_model("ModelList", ModelRow)
Comparison = listing_model(
    "Comparison", ComparisonRow, metric=(str, Field(description="The metric compared.", examples=["brier_skill"]))
)
ExperimentList = listing_model("ExperimentList", Experiment)


class ModelsQuery(PageQuery):
    """Which models."""

    model: str | None = Field(
        default=None, min_length=1, max_length=40, description="Only this one.", examples=["jump"]
    )
    alias: str | None = Field(
        default=None, min_length=1, max_length=40, description="Only this alias.", examples=["champion"]
    )


class CompareQuery(PageQuery):
    """Which measures."""

    model: str | None = Field(
        default=None, min_length=1, max_length=40, description="Only this one.", examples=["jump"]
    )
    slice: str | None = Field(
        default=None, min_length=1, max_length=80, description="Only this slice.", examples=["all"]
    )


@router.get("/models", response_model=ModelList, summary="Every version of every model")
def models(question: QuestionDep, query: Annotated[ModelsQuery, Query()]) -> Response:
    """Signal and regime models, the newest version first."""
    if not _parts(question):
        return question.empty_reply(query, question.snapshot.absence(MODELS) or "")
    frame = _versions(question, {"model = ?": query.model, "alias = ?": query.alias}, query)
    return _decoded_reply(question, frame, query)


@router.get("/models/compare/{metric}", response_model=Comparison, summary="One metric over all versions")
def compare(
    metric: Annotated[str, Path(min_length=1, max_length=80, description="Metric.", examples=["brier_skill"])],
    question: QuestionDep,
    query: Annotated[CompareQuery, Query()],
) -> Response:
    """One metric of every version beside its baseline, the newest version first."""
    question.snapshot.require(MODEL_METRICS)
    known = question.reading.frame(f"SELECT DISTINCT metric FROM {MODEL_METRICS.name} ORDER BY 1")["metric"].to_list()
    if metric not in known:
        near = near_matches(metric, known) or tuple(known[:10])
        detail = f"There is no metric {metric!r}; did you mean {', '.join(near)}?"
        raise Problem(404, "unknown-metric", detail, near=near)
    aliases = (
        f"LEFT JOIN {MODELS.name} AS versions USING (model, model_version)"
        if question.snapshot.has(MODELS)
        else "CROSS JOIN (SELECT NULL::VARCHAR AS alias, NULL::TIMESTAMPTZ AS created_at) AS versions"
    )
    frame = question.reading.frame(
        f"SELECT model, model_version, alias, slice, value, baseline FROM {MODEL_METRICS.name} {aliases} "
        "WHERE metric = ? AND (?::VARCHAR IS NULL OR model = ?) AND (?::VARCHAR IS NULL OR slice = ?) "
        "ORDER BY created_at DESC NULLS LAST, model_version DESC, slice LIMIT ? OFFSET ?",
        [metric, query.model, query.model, query.slice, query.slice, query.limit + 1, query.offset],
    )
    return question.list_reply(frame, query, metric=metric)


@router.get("/models/{version}", response_model=ModelDetail, summary="One version and its measures")
def model_version(
    version: Annotated[str, Path(min_length=1, max_length=80, description="Version.", examples=["jump-3"])],
    question: QuestionDep,
    _query: Annotated[NoQuery, Query()],
) -> Response:
    """What a version was trained on, with which settings, and how it did."""
    if not _parts(question):
        question.snapshot.require(MODELS)
    frame = _versions(question, {"model_version = ?": version}, PageQuery(limit=1))
    if not frame.height:
        known = question.reading.frame(f"SELECT model_version FROM ({_union(question)})")["model_version"].to_list()
        near = near_matches(version, known)
        hint = f"did you mean {', '.join(near)}?" if near else "see /api/v1/ml/models."
        raise Problem(404, "unknown-version", f"There is no model version {version!r}; {hint}", near=near)
    metrics = []
    if question.snapshot.has(MODEL_METRICS):
        metrics = question.reading.frame(
            f"SELECT metric, slice, value, baseline FROM {MODEL_METRICS.name} WHERE model_version = ? ORDER BY ALL",
            [version],
        ).to_dicts()
    return reply(question, {"model": _decoded(frame)[0], "metrics": metrics})


@router.get("/experiments", response_model=ExperimentList, summary="Training runs with parameters and measures")
def experiments(question: QuestionDep, query: Annotated[ModelsQuery, Query()]) -> Response:
    """Every training run of the signal models as the registry recorded it, the newest first."""
    if absence := question.snapshot.absence(MODELS):
        return question.empty_reply(query, absence)
    where = {"model = ?": query.model, "alias = ?": query.alias}
    frame = question.rows(MODELS, where, "created_at DESC, model_version DESC", query)
    measured: dict[str, dict[str, float | None]] = {}
    if question.snapshot.has(MODEL_METRICS) and frame.height:
        rows = question.reading.frame(
            f"SELECT model_version, metric, value FROM {MODEL_METRICS.name} "
            "WHERE list_contains(?, model_version) AND (slice IS NULL OR slice IN ('', 'all')) ORDER BY ALL",
            [frame["model_version"].to_list()],
        )
        for version, metric, value in rows.iter_rows():
            measured.setdefault(version, {})[metric] = value
    runs = [run | {"metrics": measured.get(run["model_version"], {})} for run in _decoded(frame)]
    return question.records_reply(runs, query)


_SIGNAL_MODELS = f"""
SELECT model, model_version, alias, created_at, trained_from, trained_to, feature_version::VARCHAR AS feature_version,
    features::VARCHAR AS features, parameters::VARCHAR AS parameters, git_revision, seed
FROM {MODELS.name}
"""
_REGIME_MODELS = f"""
SELECT '{_REGIME}' AS model, model_version, NULL::VARCHAR AS alias, NULL::TIMESTAMPTZ AS created_at,
    fitted_from AS trained_from, fitted_to AS trained_to, NULL::VARCHAR AS feature_version,
    NULL::VARCHAR AS features, parameters::VARCHAR AS parameters, NULL::VARCHAR AS git_revision, NULL::BIGINT AS seed
FROM {REGIME_MODELS.name}
"""


def _parts(question: Question) -> list[str]:
    """A SELECT for each table of models that there is."""
    tables = ((MODELS, _SIGNAL_MODELS), (REGIME_MODELS, _REGIME_MODELS))
    return [sql for table, sql in tables if question.snapshot.absence(table) is None]


def _union(question: Question) -> str:
    return " UNION ALL ".join(_parts(question))


def _versions(question: Question, where: dict[str, object | None], query: PageQuery) -> pl.DataFrame:
    asked = {condition: value for condition, value in where.items() if value is not None}
    condition = f" WHERE {' AND '.join(asked)}" if asked else ""
    return question.reading.frame(
        f"SELECT * FROM ({_union(question)}){condition} "
        "ORDER BY created_at DESC NULLS LAST, trained_to DESC NULLS LAST, model_version DESC LIMIT ? OFFSET ?",
        [*asked.values(), query.limit + 1, query.offset],
    )


def _decoded_reply(question: Question, frame: pl.DataFrame, query: PageQuery) -> Response:
    return question.records_reply(_decoded(frame), query)


def _decoded(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows with what is stored as JSON text turned into JSON."""
    return [
        {name: json_value(value) if name in {"features", "parameters"} else value for name, value in row.items()}
        for row in frame.to_dicts()
    ]
