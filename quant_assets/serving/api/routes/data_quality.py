"""``/data-quality``: what the sentinel saw."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from quant_assets.serving.api.contract import ANOMALY_EVENTS, DAILY_SUMMARY
from quant_assets.serving.api.models import listing_model
from quant_assets.serving.api.queries import RangeQuery
from quant_assets.serving.api.question import QuestionDep

__all__ = ["router"]

router = APIRouter(prefix="/data-quality", tags=["data quality"])
Severity = Literal["LOW", "MEDIUM", "HIGH"]


class EventRow(BaseModel):
    """Something wrong, or odd, about one bar or hole."""

    event_id: str = Field(description="Identifier.", examples=["IBM-2013-02-28-spike-1f3a"])
    symbol: str = Field(description="Symbol.", examples=["IBM"])
    date: dt.date = Field(description="Session of the bar.", examples=["2013-02-28"])
    kind: str = Field(description="What was noticed.", examples=["spike"])
    severity: Severity = Field(description="How bad.", examples=["HIGH"])
    isolation_score: float | None = Field(description="Isolation forest.", examples=[0.71])
    prophet_score: float | None = Field(description="Distance from the expected path.", examples=[6.2])
    volume_zscore: float | None = Field(description="Volume against its own past.", examples=[1.4])
    details: str | None = Field(description="Why, in words.", examples=["close 10.1 times the session before"])
    detected_at: dt.datetime | None = Field(description="The source's clock (UTC).", examples=["2013-03-01T11:00:00Z"])
    status: Literal["open", "acknowledged", "dismissed"] = Field(
        description="As of the publication; later decisions of people appear with the next one.", examples=["open"]
    )
    status_by: str | None = Field(description="Who decided.", examples=["ada"])
    status_at: dt.datetime | None = Field(description="When.", examples=["2013-03-01T14:00:00Z"])
    note: str | None = Field(description="What they noted.", examples=["halted, checked"])


class SummaryRow(BaseModel):
    """One session's counts."""

    date: dt.date = Field(description="Exchange session.", examples=["2013-03-01"])
    bars_checked: int = Field(description="Bars scored.", examples=[7])
    events_low: int = Field(description="Events of severity LOW.", examples=[1])
    events_medium: int = Field(description="Events of severity MEDIUM.", examples=[0])
    events_high: int = Field(description="Events of severity HIGH.", examples=[0])
    quarantined: int = Field(description="Bars withheld now.", examples=[0])


EventList = listing_model("EventList", EventRow)
SummaryList = listing_model("SummaryList", SummaryRow)


class EventsQuery(RangeQuery):
    """Which events."""

    symbol: str | None = Field(
        default=None, min_length=1, max_length=24, description="Only this one.", examples=["IBM"]
    )
    severity: Severity | None = Field(default=None, description="Only this severity.")
    status: Literal["open", "acknowledged", "dismissed"] | None = Field(default=None, description="Only this status.")
    kind: str | None = Field(
        default=None, min_length=1, max_length=60, description="Only this kind.", examples=["spike"]
    )


@router.get("/summary", response_model=SummaryList, summary="Counts per session")
def summary(question: QuestionDep, query: Annotated[RangeQuery, Query()]) -> Response:
    """Bars checked, events by severity and bars withheld, the newest session first."""
    if absence := question.snapshot.absence(DAILY_SUMMARY):
        return question.empty_reply(query, absence)
    where = {"date >= ?": query.start, "date <= ?": query.end}
    return question.list_reply(question.rows(DAILY_SUMMARY, where, "date DESC", query), query)


@router.get("/events", response_model=EventList, summary="Anomaly events")
def events(question: QuestionDep, query: Annotated[EventsQuery, Query()]) -> Response:
    """Anomaly events, the newest session first and the gravest first within it."""
    symbol = question.symbol(query.symbol) if query.symbol is not None else None
    if absence := question.snapshot.absence(ANOMALY_EVENTS):
        return question.empty_reply(query, absence)
    where = {
        "date >= ?": query.start,
        "date <= ?": query.end,
        "symbol = ?": symbol,
        "severity = ?": query.severity,
        "status = ?": query.status,
        "kind = ?": query.kind,
    }
    order = "date DESC, list_position(['HIGH', 'MEDIUM', 'LOW'], severity), symbol, event_id"
    return question.list_reply(question.rows(ANOMALY_EVENTS, where, order, query), query)
