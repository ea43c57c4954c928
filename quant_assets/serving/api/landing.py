"""``/``: what there is and how fresh it is, rendered on the server."""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated
from urllib.parse import quote

import jinja2
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from quant_assets.serving.api.front import VISIT, Visit
from quant_assets.serving.api.landing_facts import LandingFacts, landing_facts
from quant_assets.serving.api.landing_template import PAGE, STYLE
from quant_assets.serving.api.queries import NoQuery

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; img-src 'self' data:; style-src 'sha256-{_STYLE_DIGEST}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _amount(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"percent": _percent, "amount": _amount}
    return environment.from_string(PAGE)


_TEMPLATE = _template()


def _links(facts: LandingFacts) -> list[tuple[str, str]]:
    symbol = quote(facts.signals[0].rows[0]["symbol"] if facts.signals else facts.first_symbol)
    days = facts.forecast_days or 20
    return [
        ("/api/v1/signals", "signals of the newest session"),
        (f"/api/v1/signals/{symbol}", "one symbol's signals, and why"),
        ("/api/v1/market-data/regime", "the market's regime now"),
        (f"/api/v1/market-data/regime/history/{symbol}", "a symbol's or the market's regimes"),
        (f"/api/v1/market-data/prices/{symbol}", "daily prices, adjusted or as traded"),
        ("/api/v1/features/metadata", "what each feature means"),
        (f"/api/v1/features/latest/{symbol}", "a symbol's features"),
        (f"/api/v1/portfolio/forecast/{days}", "the portfolio's value in some sessions"),
        ("/api/v1/ml/models", "models"),
        ("/api/v1/ml/experiments", "training runs"),
        ("/api/v1/data-quality/summary", "what the sentinel saw"),
        ("/api/v1/data-quality/events", "anomaly events"),
        ("/api/v1/backtests", "backtests"),
    ]


@router.get("/")
def landing(request: Request, _query: Annotated[NoQuery, Query()]) -> HTMLResponse:
    """The page."""
    visit: Visit = request.scope[VISIT]
    facts = landing_facts(visit.snapshot, visit.reading) if visit.snapshot and visit.reading else None
    page = _TEMPLATE.render(
        facts=facts,
        failure=visit.failure,
        style=Markup(STYLE),  # noqa: S704 - a constant of ours
        links=_links(facts) if facts else [],
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"})
