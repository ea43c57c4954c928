"""Small publications for tests of readers: every table that the API reads, filled with made-up rows."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.home import Home
from quant_assets.foundation.tables import Column, Table
from quant_assets.ops.tables import INSTRUMENTS, RUN_STATE
from quant_assets.ops.tables import TABLES as OPS_TABLES
from quant_assets.serving.api import contract
from quant_assets.serving.publish import Publication, publish
from resources.warehouse import Warehouse

AS_OF = dt.date(2013, 3, 1)
NAMES = {"AAPL": "Apple", "IBM": "International Business Machines", "MSFT": "Microsoft", "^SPX": "S&P 500"}
SESSIONS = 400
PUBLISHED_AT = dt.datetime(2026, 11, 21, 11, tzinfo=dt.UTC)
CLOCK = dt.datetime(2013, 3, 2, 11, tzinfo=dt.UTC)

_TEXT = """symbol model recommendation source model_version regime feature kind severity details status status_by note
event_id description logic unit depends_on used_by scope before after metric slice alias feature_version features
parameters git_revision backtest_id strategy symbols market_regime"""
_DATES = "date effective_date trained_from trained_to fitted_from fitted_to start_date end_date entry_date exit_date "
_DATES += "as_of target_date"
_WHOLE = "horizon_days trade_id version states seed bars_checked events_low events_medium events_high quarantined"
_TYPES = (
    dict.fromkeys(_TEXT.split(), "VARCHAR")
    | dict.fromkeys(_DATES.split(), "DATE")
    | dict.fromkeys(_WHOLE.split(), "BIGINT")
)
_KEYS = {
    "market_data.daily_prices": ("symbol", "date"),
    "market_data.adjusted_prices": ("symbol", "date"),
    "features.feature_store_v1": ("symbol", "date"),
    "regimes.symbol_regimes": ("symbol", "date"),
    "signals.signals": ("symbol", "date", "model"),
}
_FEATURES = ("open", "high", "low", "close", "volume", "rsi_14", "macd", "market_regime")


def _type(table: str, column: str) -> str:
    if table == "backtests.runs" and column == "trades":
        return "BIGINT"
    return "TIMESTAMPTZ" if column.endswith("_at") else _TYPES.get(column, "DOUBLE")


def declare(promised: contract.Promised) -> Table:
    """A declaration of a promised table, with nullable columns."""
    schema, name = promised.name.split(".")
    columns = tuple(Column(c, _type(promised.name, c), c, nullable=True) for c in promised.columns)
    return Table(schema, name, columns, _KEYS.get(promised.name, ()), promised.noun)


FEATURE_STORE = contract.Promised("features.feature_store_v1", ("symbol", "date", *_FEATURES), "features of version 1")
DECLARED = {p.name: declare(p) for p in (*contract.PROMISED, FEATURE_STORE)}
TABLES = (*OPS_TABLES, *DECLARED.values())


def sessions(count: int = SESSIONS) -> list[dt.date]:
    """The newest sessions up to ``AS_OF``."""
    calendar = new_york_calendar()
    return calendar.sessions_between(calendar.shift(AS_OF, 1 - count), AS_OF)


def _bars(table: str, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    days = sessions()
    frames = []
    for symbol in NAMES:
        close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.01, len(days)))), 2)
        values = {name: random.normal(0, 1, len(days)) for name in DECLARED[table].column_names}
        values |= {"open": close, "high": close + 1, "low": close - 1, "close": close}
        values |= {"volume": random.integers(1, 10**6, len(days)).astype(float)}
        values |= {"symbol": [symbol] * len(days), "date": days}
        if "market_regime" in values:
            values["market_regime"] = ["bullish"] * len(days)
        frames.append(pl.DataFrame({name: values[name] for name in DECLARED[table].column_names}))
    frame = pl.concat(frames)
    if "rsi_14" in frame.columns:
        early = pl.col("date") == pl.col("date").min()
        frame = frame.with_columns(rsi_14=pl.when(early).then(None).otherwise("rsi_14"))
    return frame


def _regimes(symbols: tuple[str, ...] | None) -> list[dict[str, object]]:
    days = sessions()
    spell = {"p_bullish": 0.7, "p_bearish": 0.1, "p_sideways": 0.15, "p_high_volatility": 0.05}
    return [
        {"symbol": symbol, "date": day, "regime": "bullish" if i >= 30 else "sideways", "model_version": "market-1"}
        | spell
        for symbol in symbols or (None,)
        for i, day in enumerate(days[-60:])
    ]


def _signals() -> list[dict[str, object]]:
    rows = []
    for k, symbol in enumerate(NAMES):
        for day in sessions()[-20:]:
            for model in ("direction", "jump"):
                base = 0.5 if model == "direction" else 0.13
                rows.append(
                    {"symbol": symbol, "date": day, "model": model, "probability": base + 0.02 * k, "base_rate": base}
                    | {"recommendation": "buy" if k else "hold", "source": "model", "decided_at": CLOCK}
                    | {"model_version": f"{model}-1"}
                )
    return rows


def _models() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    versions, metrics = [], []
    for i, (model, alias) in enumerate((("direction", "champion"), ("jump", "champion"), ("jump", "challenger"))):
        version = f"{model}-{i + 1}"
        versions.append(
            {"model": model, "model_version": version, "alias": alias, "created_at": PUBLISHED_AT, "seed": 7}
            | {"trained_from": dt.date(2001, 1, 2), "trained_to": dt.date(2013, 2, 22), "feature_version": "2"}
            | {"features": json.dumps(["rsi_14"]), "parameters": json.dumps({"leaves": 15}), "git_revision": "abc"}
        )
        metrics += [
            {"model": model, "model_version": version, "metric": "auc", "slice": "all", "value": 0.55, "baseline": 0.5},
            {
                "model": model,
                "model_version": version,
                "metric": "brier",
                "slice": "2012",
                "value": 0.2,
                "baseline": None,
            },
        ]
    return versions, metrics


def _forecasts() -> list[dict[str, object]]:
    days = new_york_calendar().sessions_between(AS_OF, dt.date(2013, 9, 1))[1:61]
    return [
        {"as_of": AS_OF, "horizon_days": h, "model": model, "target_date": day, "current_value": 100_000.0}
        | {
            "p05": 100_000 - 900 * h**0.5,
            "p50": 100_000.0 + h,
            "p95": 100_000 + 950 * h**0.5,
            "mean": 100_000.0 + 2 * h,
        }
        | {"var_95": 900 * h**0.5, "cvar_95": 1_200 * h**0.5}
        for model in ("random_walk", "filtered_simulation")
        for h, day in enumerate(days, start=1)
    ]


def _events() -> list[dict[str, object]]:
    return [
        {"event_id": f"event-{i}", "symbol": "IBM", "date": day, "kind": "spike", "severity": severity, "note": None}
        | {"isolation_score": 0.7, "prophet_score": 6.0, "volume_zscore": None, "details": "close <b>10</b> times"}
        | {"detected_at": CLOCK, "status": "open", "status_by": None, "status_at": None}
        for i, (day, severity) in enumerate(zip(sessions()[-3:], ("LOW", "MEDIUM", "HIGH"), strict=True))
    ]


def _backtest() -> tuple[list[dict[str, object]], list[dict[str, object]], list[dict[str, object]]]:
    days = sessions()[-50:]
    measures = dict.fromkeys(contract.BACKTESTS.columns[6:], 0.1)
    run = {"backtest_id": "3f2a91", "strategy": "sma_crossover", "parameters": '{"fast": 20}', "symbols": "IBM"}
    run |= {"start_date": days[0], "end_date": days[-1], **measures, "sharpe": None, "trades": 3}
    curve = [
        {"backtest_id": "3f2a91", "date": day, "equity": 100.0 + i, "exposure": 1.0, "drawdown": 0.0}
        for i, day in enumerate(days)
    ]
    trades = [
        {"backtest_id": "3f2a91", "trade_id": i, "symbol": "IBM", "entry_date": days[i], "entry_price": 100.0}
        | {"exit_date": days[i + 5] if i < 2 else None, "exit_price": 101.0, "quantity": 10.0, "pnl": 10.0}
        | {"trade_return": 0.01, "costs": 0.1}
        for i in range(3)
    ]
    return [run], curve, trades


def example_tables() -> dict[str, pl.DataFrame]:
    """Every table that the API reads, by name."""
    models, metrics = _models()
    runs, curve, trades = _backtest()
    rows: dict[str, list[dict[str, object]]] = {
        "regimes.market_regimes": _regimes(None),
        "regimes.symbol_regimes": _regimes(tuple(NAMES)),
        "regimes.regime_changes": [
            {"scope": "market", "date": sessions()[-30], "before": "sideways", "after": "bullish"}
            | {"probability": 0.8, "detected_at": CLOCK}
        ],
        "regimes.models": [
            {"model_version": "market-1", "fitted_from": AS_OF, "fitted_to": AS_OF, "states": 4, "log_likelihood": 1.0}
            | {"parameters": "{}"}
        ],
        "signals.signals": _signals(),
        "signals.contributions": [
            {"symbol": "IBM", "date": AS_OF, "model": "direction", "feature": name, "value": 1.0, "contribution": share}
            for name, share in (("rsi_14", 0.1), ("macd", -0.3))
        ],
        "signals.models": models,
        "signals.model_metrics": metrics,
        "forecasts.portfolio_forecasts": _forecasts(),
        "quality.anomaly_events": _events(),
        "quality.daily_summary": [
            {"date": day, "bars_checked": 4, "events_low": 0, "events_medium": 0, "events_high": 1, "quarantined": 1}
            for day in sessions()[-10:]
        ],
        "features.feature_catalog": [
            {"version": 1, "feature": name, "description": name, "logic": "see name", "unit": "", "used_by": "signals"}
            | {"depends_on": "market_data.adjusted_prices", "created_at": PUBLISHED_AT}
            for name in _FEATURES
        ],
        "backtests.runs": runs,
        "backtests.equity_curves": curve,
        "backtests.trades": trades,
    }
    frames = {
        name: pl.DataFrame(found, schema=DECLARED[name].polars_schema, strict=False) for name, found in rows.items()
    }
    bars = ("market_data.daily_prices", "market_data.adjusted_prices", "features.feature_store_v1")
    return frames | {name: _bars(name, seed) for seed, name in enumerate(bars)}


def publish_tables(
    folder: Path,
    frames: Mapping[str, pl.DataFrame],
    *,
    at: dt.datetime = PUBLISHED_AT,
    source: str = "replay-packaged",
    as_of: dt.date = AS_OF,
) -> Publication:
    """Publish frames from the home ``folder`` the way a run does; tables without a frame stay as they are."""
    home = Home(folder)
    home.prepare()
    warehouse = Warehouse(home.warehouse, run_id="run-1")
    warehouse.ensure(TABLES)
    state = {"as_of": [as_of], "source": [source], "dividend_adjustment": ["vendor"], "source_clock": [CLOCK]}
    warehouse.replace(RUN_STATE, pl.DataFrame(state, schema=RUN_STATE.polars_schema))
    rows = [(symbol, name, "equity", symbol == "^SPX") for symbol, name in NAMES.items()]
    warehouse.replace(INSTRUMENTS, pl.DataFrame(rows, schema=INSTRUMENTS.polars_schema, orient="row"))
    for name, frame in frames.items():
        warehouse.replace(DECLARED[name], frame)
    with warehouse.transaction() as connection:
        connection.execute("UPDATE ops.table_changes SET changed_at = ?", [at])
    made = publish(
        home,
        warehouse,
        run_id="run-1",
        outcome="success",
        assets=dict.fromkeys(frames, "updated"),
        tables=TABLES,
        git_revision="abc",
        now=at,
    )
    assert made is not None
    return made
