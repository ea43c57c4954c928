"""``/market-data``: prices and regimes."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from quant_assets.serving.api.contract import (
    ADJUSTED_PRICES,
    DAILY_PRICES,
    MARKET_REGIMES,
    REGIME_CHANGES,
    SYMBOL_REGIMES,
)
from quant_assets.serving.api.models import FACTS_EXAMPLE, Envelope, example_of, series_model
from quant_assets.serving.api.queries import NoQuery, SeriesQuery
from quant_assets.serving.api.question import QuestionDep, SymbolPath, reply

__all__ = ["router"]

router = APIRouter(prefix="/market-data", tags=["market data"])
Regime = Literal["bullish", "bearish", "sideways", "high_volatility"]
_CHANGES_SHOWN = 10


class PriceRow(BaseModel):
    """One session of one symbol."""

    date: dt.date = Field(description="Exchange session.", examples=["2013-03-01"])
    open: float | None = Field(description="First price.", examples=[200.65])
    high: float | None = Field(description="Highest price.", examples=[202.94])
    low: float | None = Field(description="Lowest price.", examples=[199.36])
    close: float | None = Field(description="Last price.", examples=[202.91])
    volume: float | None = Field(description="Shares traded.", examples=[3309300])
    adjusted_close: float | None = Field(
        default=None, description="The vendor's own adjusted close; only with adjustment=none."
    )
    dividend_amount: float | None = Field(
        default=None, description="Dividend of an ex-date; only with adjustment=none."
    )
    split_coefficient: float | None = Field(
        default=None, description="Split of the session; only with adjustment=none."
    )


class RegimeDay(BaseModel):
    """One session's regime, from what was known at its close."""

    date: dt.date = Field(description="Exchange session.", examples=["2013-03-01"])
    regime: Regime = Field(description="Most probable regime.", examples=["bullish"])
    p_bullish: float | None = Field(description="Filtered probability.", examples=[0.71])
    p_bearish: float | None = Field(description="Filtered probability.", examples=[0.05])
    p_sideways: float | None = Field(description="Filtered probability.", examples=[0.22])
    p_high_volatility: float | None = Field(description="Filtered probability.", examples=[0.02])
    model_version: str | None = Field(description="Model fitted before the session.", examples=["market-2013-01-02"])


class RegimeChange(BaseModel):
    """A confirmed change."""

    date: dt.date = Field(description="Session of the change.", examples=["2013-01-10"])
    before: str = Field(description="Regime before.", examples=["sideways"])
    after: str = Field(description="Regime after.", examples=["bullish"])
    probability: float | None = Field(description="Of the regime after.", examples=[0.83])


class MarketRegime(Envelope):
    """The market's regime now."""

    regime: RegimeDay = Field(description="Of the newest session.", examples=[example_of(RegimeDay)])
    since: dt.date = Field(description="First session of the present spell.", examples=["2013-01-10"])
    changes: list[RegimeChange] = Field(
        description="The newest confirmed changes, newest first.", examples=[[example_of(RegimeChange)]]
    )


MarketRegime.model_config["json_schema_extra"] = {"examples": [FACTS_EXAMPLE | example_of(MarketRegime)]}
MarketRegime.model_rebuild(force=True)
PriceSeries = series_model(
    "PriceSeries",
    PriceRow,
    adjustment=(str, Field(description="splits_and_dividends or none.", examples=["splits_and_dividends"])),
)
RegimeSeries = series_model("RegimeSeries", RegimeDay)


class PricesQuery(SeriesQuery):
    """Which prices."""

    adjustment: Literal["splits_and_dividends", "none"] = Field(
        default="splits_and_dividends",
        description="Adjusted as of the newest session, or as traded with the vendor's own columns.",
    )


@router.get("/regime", response_model=MarketRegime, summary="The market's regime now")
def regime(question: QuestionDep, _query: Annotated[NoQuery, Query()]) -> Response:
    """The newest session's regime with its probabilities, since when it lasts, and the newest confirmed changes."""
    question.snapshot.require(MARKET_REGIMES)
    columns = ", ".join(RegimeDay.model_fields)
    day = question.reading.frame(f"SELECT {columns} FROM {MARKET_REGIMES.name} ORDER BY date DESC LIMIT 1").to_dicts()[
        0
    ]
    since = question.reading.frame(
        f"SELECT min(date) AS d FROM {MARKET_REGIMES.name} WHERE date > coalesce("
        f"(SELECT max(date) FROM {MARKET_REGIMES.name} WHERE regime <> ?), DATE '0001-01-01')",
        [day["regime"]],
    )["d"][0]
    changes = []
    if question.snapshot.has(REGIME_CHANGES):
        changes = question.reading.frame(
            f'SELECT date, "before", "after", probability FROM {REGIME_CHANGES.name} WHERE scope = \'market\' '
            "ORDER BY date DESC LIMIT ?",
            [_CHANGES_SHOWN],
        ).to_dicts()
    return reply(question, {"regime": day, "since": since, "changes": changes})


@router.get("/regime/history/{symbol}", response_model=RegimeSeries, summary="A symbol's or the market's regimes")
def regime_history(
    symbol: Annotated[
        str,
        Path(
            description="Symbol, or 'market'; lower case is understood.", min_length=1, max_length=24, examples=["IBM"]
        ),
    ],
    question: QuestionDep,
    query: Annotated[SeriesQuery, Query()],
) -> Response:
    """The newest page of regimes in order of date; each from what was known at the session's close."""
    columns = list(RegimeDay.model_fields)
    if symbol.lower() == "market" and symbol.upper() not in question.snapshot.symbols:
        question.snapshot.require(MARKET_REGIMES)
        where = {"date >= ?": query.start, "date <= ?": query.end}
        frame = question.rows(MARKET_REGIMES, where, "date DESC", query).reverse()
        return question.series_reply(frame, query, columns, symbol="market", note=_note(frame.height, "the market"))
    name = question.symbol(symbol)
    question.snapshot.require(SYMBOL_REGIMES)
    frame = question.series(SYMBOL_REGIMES, name, query)
    return question.series_reply(frame, query, columns, symbol=name, note=_note(frame.height, name))


@router.get("/prices/{symbol}", response_model=PriceSeries, summary="A symbol's daily prices")
def prices(symbol: SymbolPath, question: QuestionDep, query: Annotated[PricesQuery, Query()]) -> Response:
    """The newest page of daily bars in order of date, adjusted as of the newest session or as traded."""
    name = question.symbol(symbol)
    table = DAILY_PRICES if query.adjustment == "none" else ADJUSTED_PRICES
    question.snapshot.require(table)
    frame = question.series(table, name, query)
    columns = [column for column in PriceRow.model_fields if column in table.columns]
    more = {"symbol": name, "adjustment": query.adjustment, "note": _note(frame.height, name)}
    return question.series_reply(frame, query, columns, **more)


def _note(rows: int, name: str) -> str | None:
    return None if rows else f"Nothing is published of {name} in this range."
