"""What the landing page says: freshness, the regime, tonight's top signals, open HIGH events, the forecast band."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from quant_assets.serving.api.contract import ANOMALY_EVENTS, FORECASTS, MARKET_REGIMES, SIGNALS, Promised
from quant_assets.serving.api.served_forecast import served_forecast
from quant_assets.serving.api.snapshot import Publication, Reading, Snapshot

__all__ = ["LandingFacts", "landing_facts"]

_SIGNALS_SHOWN = 10
_EVENTS_SHOWN = 20
_HORIZONS = (1, 5, 20, 60)
_LONGEST = 60
_REGIMES = ("bullish", "bearish", "sideways", "high_volatility")

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SignalTable:
    """The newest signals of one model: what they are the probability of, the top rows, and why no model made them."""

    model: str
    event: str
    rows: list[Record]
    note: str


@dataclass(frozen=True, slots=True)
class LandingFacts:
    """Figures of the page; an empty list where nothing is published, with the reason in ``absences``."""

    publication: Publication
    symbols: int
    first_symbol: str
    sessions: int
    first_date: dt.date | None
    regime: Record | None
    signals: list[SignalTable]
    signals_date: dt.date | None
    events: list[Record]
    events_open: int
    forecast: list[Record]
    forecast_model: str | None
    forecast_days: int
    absences: dict[str, str]


def landing_facts(snapshot: Snapshot, reading: Reading) -> LandingFacts:
    """Read the page's figures from one publication."""
    absences = {
        table.name: reason
        for table in (MARKET_REGIMES, SIGNALS, ANOMALY_EVENTS, FORECASTS)
        if (reason := snapshot.absence(table))
    }
    signals = _signals(_rows(reading, absences, SIGNALS, _TOP_SIGNALS, [_SIGNALS_SHOWN]))
    events = _rows(reading, absences, ANOMALY_EVENTS, _OPEN_EVENTS, [_EVENTS_SHOWN])
    forecast, model, longest = _forecast(snapshot, reading, absences)
    sessions, first = _coverage(snapshot, reading)
    return LandingFacts(
        publication=snapshot.publication,
        symbols=len(snapshot.symbols),
        first_symbol=next(iter(snapshot.symbols), "IBM"),
        sessions=sessions,
        first_date=first,
        regime=_regime(reading, absences),
        signals=signals,
        signals_date=signals[0].rows[0]["date"] if signals else None,
        events=events,
        events_open=events[0]["open_events"] if events else 0,
        forecast=forecast,
        forecast_model=model,
        forecast_days=longest,
        absences=absences,
    )


_TOP_SIGNALS = f"""
FROM {SIGNALS.name}
WHERE date = (SELECT max(date) FROM {SIGNALS.name})
QUALIFY row_number() OVER (PARTITION BY model ORDER BY probability - base_rate DESC NULLS LAST, symbol) <= ?
ORDER BY model, probability - base_rate DESC NULLS LAST, symbol
"""
_OPEN_EVENTS = f"""
SELECT symbol, date, kind, details, count(*) OVER () AS open_events
FROM {ANOMALY_EVENTS.name}
WHERE severity = 'HIGH' AND status = 'open'
ORDER BY date DESC, symbol
LIMIT ?
"""


def _rows(
    reading: Reading, absences: dict[str, str], table: Promised, sql: str, parameters: list[object]
) -> list[Record]:
    return [] if table.name in absences else reading.frame(sql, parameters).to_dicts()


def _signals(rows: list[Record]) -> list[SignalTable]:
    """One table per model, those that a model scored first; columns beyond the promised ones are used where present."""
    tables = []
    for model in sorted({row["model"] for row in rows}):
        of_model = [row for row in rows if row["model"] == model]
        first = of_model[0]
        event = "the model's event"
        if first.get("horizon_days") is not None and first.get("threshold") is not None:
            sessions = "session" if first["horizon_days"] == 1 else "sessions"
            event = f"a return above {first['threshold']:.0%} over {first['horizon_days']} {sessions}"
        note = next((row["note"] for row in of_model if row.get("note")), "")
        tables.append(SignalTable(model, event, of_model, note))
    return sorted(tables, key=lambda table: (all(row["source"] != "model" for row in table.rows), table.model))


def _regime(reading: Reading, absences: dict[str, str]) -> Record | None:
    if MARKET_REGIMES.name in absences:
        return None
    columns = ", ".join(MARKET_REGIMES.columns)
    day = reading.frame(f"SELECT {columns} FROM {MARKET_REGIMES.name} ORDER BY date DESC LIMIT 1").to_dicts()[0]
    chances = [(name.replace("_", " "), day[f"p_{name}"] or 0.0) for name in _REGIMES]
    return {"name": str(day["regime"]).replace("_", " "), "date": day["date"], "chances": chances}


def _forecast(snapshot: Snapshot, reading: Reading, absences: dict[str, str]) -> tuple[list[Record], str | None, int]:
    if FORECASTS.name in absences:
        return [], None, 0
    made = served_forecast(snapshot, reading, None)
    rows = made.fan.to_dicts()
    longest = min(_LONGEST, max((row["horizon_days"] for row in rows), default=0))
    return [row for row in rows if row["horizon_days"] in _HORIZONS], made.model, longest


def _coverage(snapshot: Snapshot, reading: Reading) -> tuple[int, dt.date | None]:
    if "market_data.daily_prices" not in snapshot.filled:
        return 0, None
    row = reading.frame("SELECT count(DISTINCT date) AS sessions, min(date) AS first FROM market_data.daily_prices")
    return row["sessions"][0], row["first"][0]
