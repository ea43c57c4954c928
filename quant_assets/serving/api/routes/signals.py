"""``/signals``: tonight's probabilities and recommendations, and their history with the reasons."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from quant_assets.serving.api.contract import CONTRIBUTIONS, SIGNALS
from quant_assets.serving.api.models import listing_model, series_model
from quant_assets.serving.api.problems import Problem, near_matches
from quant_assets.serving.api.queries import PageQuery, SeriesQuery, SessionDate
from quant_assets.serving.api.question import Question, QuestionDep, SymbolPath

__all__ = ["router"]

router = APIRouter(tags=["signals"])
Recommendation = Literal["strong_buy", "buy", "hold", "sell", "strong_sell"]
_MODEL = Field(
    default="direction",
    min_length=1,
    max_length=40,
    pattern="^[a-z0-9_]+$",
    description="Model: direction (rise over 5 sessions) or jump (next session above +2 %).",
    examples=["direction"],
)


class SignalRow(BaseModel):
    """One model's view of one symbol, decided on the close of one session."""

    symbol: str = Field(description="Symbol.", examples=["IBM"])
    date: dt.date = Field(description="Session on whose close it was decided.", examples=["2013-03-01"])
    model: str = Field(description="Model.", examples=["direction"])
    probability: float | None = Field(description="Calibrated probability of the model's event.", examples=[0.561])
    base_rate: float | None = Field(description="How often the event came in training.", examples=[0.532])
    recommendation: Recommendation = Field(
        description="From the edge of the probability over the base rate.", examples=["buy"]
    )
    source: str = Field(description="model, or heuristic where no champion could score.", examples=["model"])
    model_version: str | None = Field(description="Version that scored.", examples=["direction-3"])
    decided_at: dt.datetime | None = Field(
        description="The source's clock (UTC) when it was decided.", examples=["2013-03-02T11:00:00Z"]
    )


class SignalDay(BaseModel):
    """One session of one symbol's signals."""

    date: dt.date = Field(description="Session on whose close it was decided.", examples=["2013-03-01"])
    probability: float | None = Field(description="Calibrated probability of the model's event.", examples=[0.561])
    base_rate: float | None = Field(description="How often the event came in training.", examples=[0.532])
    recommendation: Recommendation = Field(description="What it amounts to.", examples=["buy"])
    source: str = Field(description="model or heuristic.", examples=["model"])
    model_version: str | None = Field(description="Version that scored.", examples=["direction-3"])
    decided_at: dt.datetime | None = Field(description="The source's clock (UTC).", examples=["2013-03-02T11:00:00Z"])


class Reason(BaseModel):
    """What one feature added to the newest signal."""

    feature: str = Field(description="Feature.", examples=["rsi_14"])
    value: float | None = Field(description="Its value.", examples=[61.3])
    contribution: float | None = Field(description="Its share, in log-odds.", examples=[0.042])


SignalList = listing_model(
    "SignalList", SignalRow, date=(dt.date | None, Field(default=None, description="Session of the signals."))
)
SignalSeries = series_model(
    "SignalSeries",
    SignalDay,
    model=(str, Field(description="Model.", examples=["direction"])),
    reasons=(
        list[Reason],
        Field(description="Of the newest session, the largest first; only on the first page.", examples=[[]]),
    ),
)


class SignalsQuery(PageQuery):
    """Which signals."""

    model: str = _MODEL
    date: SessionDate | None = Field(default=None, description="Session; the newest one where none is named.")
    recommendation: Recommendation | None = Field(default=None, description="Only these.")
    sort: Literal["edge", "probability", "symbol"] = Field(
        default="edge", description="By probability less base rate, by probability (highest first), or by symbol."
    )


class SignalHistoryQuery(SeriesQuery):
    """Which part of a symbol's signals."""

    model: str = _MODEL


_ORDERS = {
    "edge": "probability - base_rate DESC NULLS LAST, symbol",
    "probability": "probability DESC NULLS LAST, symbol",
    "symbol": "symbol",
}


@router.get("/signals", response_model=SignalList, summary="Signals of one session")
def signals(question: QuestionDep, query: Annotated[SignalsQuery, Query()]) -> Response:
    """Every symbol's signal on one session, the newest where no date is named; the strongest edge first."""
    if absence := question.snapshot.absence(SIGNALS):
        return question.empty_reply(query, absence, date=None)
    _check_model(question, query.model)
    date = query.date or _newest(question, query.model)
    where = {"model = ?": query.model, "date = ?": date, "recommendation = ?": query.recommendation}
    frame = question.rows(SIGNALS, where, _ORDERS[query.sort], query)
    note = None if frame.height else f"No signal of {query.model} matches on {date}."
    return question.list_reply(frame, query, date=date, note=note)


@router.get("/signals/{symbol}", response_model=SignalSeries, summary="One symbol's signals, and why")
def symbol_signals(
    symbol: SymbolPath, question: QuestionDep, query: Annotated[SignalHistoryQuery, Query()]
) -> Response:
    """The newest page of a symbol's signals in order of date, and what each feature added to the newest one."""
    name = question.symbol(symbol)
    question.snapshot.require(SIGNALS)
    _check_model(question, query.model)
    frame = question.series(SIGNALS, name, query, model=query.model)
    reasons = _reasons(question, name, query) if frame.height else []
    note = None if frame.height else f"{name} has no signal of {query.model} in this range."
    columns = list(SignalDay.model_fields)
    return question.series_reply(frame, query, columns, symbol=name, model=query.model, reasons=reasons, note=note)


def _newest(question: Question, model: str) -> dt.date:
    newest: dt.date = _models(question).filter(pl.col("model") == model)["newest"][0]
    return newest


def _models(question: Question) -> pl.DataFrame:
    """Each model that gives signals, and its newest session."""
    sql = f"SELECT model, max(date) AS newest FROM {SIGNALS.name} GROUP BY model ORDER BY model"
    return question.snapshot.known(question.reading, sql)


def _check_model(question: Question, model: str) -> None:
    known = _models(question)["model"].to_list()
    if model not in known:
        raise Problem(
            404,
            "unknown-model",
            f"No model {model!r} gives signals; choose one of {', '.join(known)}.",
            near=near_matches(model, known) or tuple(known),
        )


def _reasons(question: Question, symbol: str, query: SignalHistoryQuery) -> list[dict[str, Any]]:
    """Contributions to the newest signal; none for a page that does not hold it."""
    if query.offset or query.start or query.end or not question.snapshot.has(CONTRIBUTIONS):
        return []
    frame = question.reading.frame(
        f"SELECT feature, value, contribution FROM {CONTRIBUTIONS.name} WHERE symbol = ? AND model = ? AND date = ("
        f"SELECT max(date) FROM {SIGNALS.name} WHERE symbol = ? AND model = ?) "
        "ORDER BY abs(contribution) DESC, feature",
        [symbol, query.model, symbol, query.model],
    )
    return frame.to_dicts()
