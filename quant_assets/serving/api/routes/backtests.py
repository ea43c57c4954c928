"""``/backtests``: runs with their measures, curves and trades."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from quant_assets.serving.api.contract import BACKTESTS, EQUITY_CURVES, TRADES
from quant_assets.serving.api.encoding import json_columns, json_value
from quant_assets.serving.api.models import FACTS_EXAMPLE, Envelope, Page, example_of, listing_model
from quant_assets.serving.api.problems import Problem
from quant_assets.serving.api.queries import PageQuery
from quant_assets.serving.api.question import Question, QuestionDep

__all__ = ["router"]

router = APIRouter(prefix="/backtests", tags=["backtests"])


def _measure(description: str, example: float) -> Any:
    return Field(description=description, examples=[example])


class BacktestRow(BaseModel):
    """One backtest and its measures, after all costs; a measure that is undefined is null."""

    backtest_id: str = Field(description="Identifier: same run, same id.", examples=["3f2a91c07be1"])
    strategy: str = Field(description="Strategy.", examples=["sma_crossover"])
    parameters: Any = Field(description="Its parameters.", examples=[{"fast": 20, "slow": 50}])
    symbols: str = Field(description="Symbols traded.", examples=["AAPL,IBM,MSFT"])
    start_date: dt.date = Field(description="First session.", examples=["2001-01-02"])
    end_date: dt.date = Field(description="Last session.", examples=["2013-03-01"])
    cost_bps: float | None = _measure("Costs a side in basis points.", 10.0)
    total_return: float | None = _measure("Last equity over the capital, less one.", 1.42)
    cagr: float | None = _measure("Compound growth a year.", 0.075)
    volatility_ann: float | None = _measure("Volatility a year.", 0.18)
    sharpe: float | None = _measure("Sharpe ratio, annualised.", 0.49)
    sortino: float | None = _measure("Sortino ratio, annualised.", 0.7)
    calmar: float | None = _measure("Growth over the deepest drawdown.", 0.21)
    max_drawdown: float | None = _measure("Deepest fall below the peak, negative.", -0.36)
    var_95: float | None = _measure("Daily loss exceeded in 5 % of sessions.", 0.018)
    cvar_95: float | None = _measure("Mean loss beyond that.", 0.027)
    win_rate: float | None = _measure("Share of trades with a profit.", 0.44)
    turnover_ann: float | None = _measure("One-way turnover a year.", 3.1)
    exposure: float | None = _measure("Mean gross position over equity.", 0.63)
    trades: int | None = Field(description="Round trips.", examples=[87])


class Trade(BaseModel):
    """One round trip."""

    trade_id: int = Field(description="Number within the run.", examples=[1])
    symbol: str = Field(description="Symbol.", examples=["IBM"])
    entry_date: dt.date = Field(description="First fill.", examples=["2012-01-10"])
    entry_price: float | None = _measure("Average price of opening.", 180.5)
    exit_date: dt.date | None = Field(description="Last fill; null while open.", examples=["2012-03-02"])
    exit_price: float | None = _measure("Average price of closing.", 198.9)
    quantity: float | None = _measure("Shares; negative is short.", 50.0)
    pnl: float | None = _measure("Profit after costs.", 918.2)
    trade_return: float | None = _measure("Profit over the value opened.", 0.101)
    costs: float | None = _measure("Costs.", 1.9)


class EquityColumns(BaseModel):
    """The run session by session."""

    date: list[dt.date] = Field(description="Session.", examples=[["2001-01-02"]])
    equity: list[float | None] = Field(description="Account at the close.", examples=[[100_000.0]])
    exposure: list[float | None] = Field(description="Gross position over equity.", examples=[[0.0]])
    drawdown: list[float | None] = Field(description="Below the running peak.", examples=[[0.0]])


class BacktestDetail(Envelope):
    """One backtest whole."""

    backtest: BacktestRow = Field(description="What was asked and measured.", examples=[example_of(BacktestRow)])
    equity: EquityColumns = Field(
        description="Its curve; empty where a sweep kept none.", examples=[example_of(EquityColumns)]
    )
    page: Page = Field(description="Which part of the trades.", examples=[example_of(Page)])
    trades: list[Trade] = Field(description="Its trades.", examples=[[example_of(Trade)]])


BacktestDetail.model_config["json_schema_extra"] = {"examples": [FACTS_EXAMPLE | example_of(BacktestDetail)]}
BacktestDetail.model_rebuild(force=True)
BacktestList = listing_model("BacktestList", BacktestRow)


class BacktestsQuery(PageQuery):
    """Which backtests."""

    strategy: str | None = Field(
        default=None, min_length=1, max_length=60, description="Only this strategy.", examples=["sma_crossover"]
    )
    sort: Literal["sharpe", "total_return", "max_drawdown", "end_date"] = Field(
        default="sharpe", description="Best, or newest, first."
    )


@router.get("", response_model=BacktestList, summary="Backtests with their measures")
def backtests(question: QuestionDep, query: Annotated[BacktestsQuery, Query()]) -> Response:
    """Every backtest of the publication, the best first."""
    if absence := question.snapshot.absence(BACKTESTS):
        return question.empty_reply(query, absence)
    frame = question.rows(
        BACKTESTS, {"strategy = ?": query.strategy}, f"{query.sort} DESC NULLS LAST, backtest_id", query
    )
    return question.records_reply(_decoded(frame), query)


@router.get("/{backtest_id}", response_model=BacktestDetail, summary="One backtest with its curve and trades")
def backtest(
    backtest_id: Annotated[
        str, Path(min_length=1, max_length=80, description="Identifier.", examples=["3f2a91c07be1"])
    ],
    question: QuestionDep,
    query: Annotated[PageQuery, Query()],
) -> Response:
    """A run's measures, its equity curve, and a page of its trades in the order of their exits."""
    question.snapshot.require(BACKTESTS)
    found = question.rows(BACKTESTS, {"backtest_id = ?": backtest_id}, "backtest_id", PageQuery(limit=1))
    if not found.height:
        near = _beginning_with(question, backtest_id)
        detail = f"There is no backtest {backtest_id!r}; see /api/v1/backtests."
        raise Problem(404, "unknown-backtest", detail, near=near)
    curve = json_columns(_curve(question, backtest_id))
    run = _decoded(found)[0]
    if question.snapshot.absence(TRADES):
        return question.page_reply({"backtest": run, "equity": curve, "trades": []}, 0, query)
    trades = question.rows(TRADES, {"backtest_id = ?": backtest_id}, "trade_id", query).drop("backtest_id")
    shown = trades.head(query.limit).to_dicts()
    return question.page_reply({"backtest": run, "equity": curve, "trades": shown}, trades.height, query)


def _beginning_with(question: Question, text: str) -> tuple[str, ...]:
    sql = f"SELECT backtest_id FROM {BACKTESTS.name} WHERE starts_with(backtest_id, ?) ORDER BY 1 LIMIT 5"
    return tuple(question.reading.frame(sql, [text])["backtest_id"].to_list())


def _curve(question: Question, backtest_id: str) -> pl.DataFrame:
    names = list(EquityColumns.model_fields)
    if question.snapshot.absence(EQUITY_CURVES):
        return pl.DataFrame(schema=dict.fromkeys(names, pl.Float64))
    sql = f"SELECT {', '.join(names)} FROM {EQUITY_CURVES.name} WHERE backtest_id = ? ORDER BY date"
    return question.reading.frame(sql, [backtest_id])


def _decoded(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return [row | {"parameters": json_value(row["parameters"])} for row in frame.to_dicts()]
