"""``/health``: whether there is something to serve, and how fresh it is. Needs no token and shows no figures."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from quant_assets.serving.api.encoding import json_bytes
from quant_assets.serving.api.front import VISIT, Visit
from quant_assets.serving.api.models import Envelope, example_of
from quant_assets.serving.api.queries import NoQuery

__all__ = ["router"]

router = APIRouter(tags=["health"])


class TableState(BaseModel):
    """One published table."""

    rows: int | None = Field(default=None, description="Rows; null for a view or a table that is not there.")
    state: str = Field(description="What the run did to it: updated, failed, not reached, not in this run.")


class Health(Envelope):
    """How fresh the publication is."""

    status: Literal["ok", "degraded", "empty"] = Field(
        description="ok; degraded where the last run failed or its publication cannot be read; empty before the first.",
        examples=["ok"],
    )
    publication: str | None = Field(
        description="Name of the publication in use.", examples=["quant-20261121T110431000000"]
    )
    outcome: str | None = Field(description="How the run that published it ended.", examples=["success"])
    run_id: str | None = Field(
        description="The run that published it.", examples=["43f92874-8ab4-4fda-a0b2-210ed415ae0e"]
    )
    source_clock: dt.datetime | None = Field(
        description="The source's clock when the run read it.", examples=["2013-03-02T11:00:00Z"]
    )
    age_seconds: float | None = Field(description="Wall-clock age of the publication.", examples=[1234.5])
    symbols: int = Field(description="Instruments covered.", examples=[7])
    failure: str | None = Field(
        description="Why a newer publication is not in use; null where it is.",
        examples=["quant-20261121T110431000000.duckdb cannot be read: No such file"],
    )
    tables: dict[str, TableState] = Field(
        description="Published tables.",
        examples=[{"market_data.daily_prices": {"rows": 19278, "state": "updated"}}],
    )
    published_at: dt.datetime | None = Field(description="Instant (UTC).", examples=["2026-11-21T11:04:31Z"])  # type: ignore[assignment]  # nothing may be published yet


Health.model_config["json_schema_extra"] = {"examples": [example_of(Health)]}
Health.model_rebuild(force=True)


@router.get(
    "/health",
    response_model=Health,
    summary="Whether there is something to serve, and how fresh it is",
    responses={503: {"description": "Nothing is published yet.", "model": Health}},
)
async def health(request: Request, _query: Annotated[NoQuery, Query()]) -> Response:
    """Answers 200 where a publication is served and 503 before the first one. Needs no token."""
    visit: Visit = request.scope[VISIT]
    if visit.snapshot is None:
        empty = dict.fromkeys(Health.model_fields) | {"status": "empty", "symbols": 0, "tables": {}}
        empty |= {"disclaimer": "Nothing is published yet: run 'make run'.", "failure": visit.failure}
        return Response(json_bytes(empty), 503, {"Retry-After": "60"}, "application/json")
    publication = visit.snapshot.publication
    healthy = publication.outcome == "success" and visit.failure is None
    document = publication.facts() | {
        "status": "ok" if healthy else "degraded",
        "publication": publication.name,
        "outcome": publication.outcome,
        "run_id": publication.run_id,
        "source_clock": publication.source_clock,
        "age_seconds": round((dt.datetime.now(dt.UTC) - publication.published_at).total_seconds(), 1),
        "symbols": len(visit.snapshot.symbols),
        "failure": visit.failure,
        "tables": publication.tables,
    }
    return Response(json_bytes(document), media_type="application/json")
