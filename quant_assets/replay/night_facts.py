"""What a publication says of one night of a replay: figures for the diary, predictions and outcomes for the record."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.replay.night_record import PREDICTIONS
from quant_assets.replay.nights import Forecast, Night

__all__ = ["night_of", "outcomes_of", "predictions_of"]

_FETCHED = "SELECT count(*) FROM market_data.daily_prices WHERE first_seen_at = $clock"
_ANOMALIES = """
SELECT severity, count(*) FROM quality.anomaly_events WHERE detected_at = $clock
GROUP BY severity ORDER BY list_position(['HIGH', 'MEDIUM', 'LOW'], severity)
"""
_REGIME = "SELECT regime FROM regimes.market_regimes WHERE date = $session"
_CHANGE = """
SELECT before FROM regimes.regime_changes
WHERE scope = 'market' AND detected_at = $clock AND date > $session - 7 AND cause <> 'first_model'
ORDER BY date DESC
"""
_DRIFT = """
SELECT max(value) FILTER (measure = 'drifted_importance'), max(value) FILTER (measure = 'strikes')
FROM signals.drift_reports WHERE as_of = $session
"""
_MODEL_EVENTS = """
SELECT model_version, event, first_at >= $since AS is_new
FROM (SELECT *, min(happened_at) OVER (PARTITION BY model_version) AS first_at FROM signals.model_events)
WHERE happened_at >= $since AND model_version IS NOT NULL ORDER BY event_id
"""
_OUTCOME = """
SELECT p05, p50, p95, realised, inside FROM forecasts.outcomes
WHERE target_date = $session AND horizon_days = 1 AND is_selected
"""


def night_of(
    connection: duckdb.DuckDBPyConnection, *, session: dt.date, clock: dt.datetime, since: dt.datetime
) -> Night:
    """Figures of a night from the readers' database.

    Parameters
    ----------
    connection : DuckDBPyConnection
    session : date
    clock : datetime
        The replay's clock of the night.
    since : datetime
        Wall clock at its start.
    """
    values = {"session": session, "clock": clock, "since": since}

    def rows(sql: str) -> list[tuple[Any, ...]]:
        return connection.execute(sql, {name: value for name, value in values.items() if f"${name}" in sql}).fetchall()

    regime, change, outcome = rows(_REGIME), rows(_CHANGE), rows(_OUTCOME)
    share, strikes = rows(_DRIFT)[0]
    events = rows(_MODEL_EVENTS)
    made = dict.fromkeys(version for version, _, is_new in events if is_new)
    return Night(
        session,
        fetched=rows(_FETCHED)[0][0],
        anomalies=tuple(rows(_ANOMALIES)),
        regime=regime[0][0] if regime else "",
        regime_before=change[0][0] if change else "",
        drift_share=share,
        drift_strikes=int(strikes or 0),
        retrained=tuple(made),
        promoted=tuple(dict.fromkeys(version for version, event, _ in events if event == "promoted")),
        forecast=Forecast(*outcome[0]) if outcome else None,
    )


_SIGNALS = """
SELECT
    'signal' AS kind, model, symbol, date AS as_of, horizon_days, model_version, probability AS predicted,
    NULL::DOUBLE AS low, NULL::DOUBLE AS high, decided_at
FROM signals.signals WHERE date = $session
"""
_FORECASTS = """
SELECT
    'forecast' AS kind, model, '(portfolio)' AS symbol, as_of, horizon_days, '' AS model_version, p50 AS predicted,
    p05 AS low, p95 AS high, $clock::TIMESTAMPTZ AS decided_at
FROM forecasts.portfolio_forecasts WHERE as_of = $session
"""


def predictions_of(
    connection: duckdb.DuckDBPyConnection,
    calendar: TradingCalendar,
    *,
    session: dt.date,
    clock: dt.datetime,
    now: dt.datetime,
) -> pl.DataFrame:
    """Rows of ``replay.predictions`` for what the night predicted.

    Parameters
    ----------
    connection : DuckDBPyConnection
        The readers' database.
    calendar : TradingCalendar
    session : date
    clock : datetime
        The replay's clock of the night.
    now : datetime
        Wall clock (aware).
    """
    newest = connection.execute("SELECT max(date) FROM market_data.daily_prices").fetchall()[0][0]
    signals = connection.execute(_SIGNALS, {"session": session}).pl()
    forecasts = connection.execute(_FORECASTS, {"session": session, "clock": clock}).pl()
    found = pl.concat([signals, forecasts]).cast({"horizon_days": pl.Int32, "decided_at": pl.Datetime("us", "UTC")})
    targets = {days: calendar.shift(session, days) for days in found["horizon_days"].unique().to_list()}
    return found.with_columns(
        target_date=pl.col("horizon_days").replace_strict(targets, return_dtype=pl.Date),
        newest_bar=pl.lit(newest, pl.Date),
        written_at=pl.lit(now, pl.Datetime("us", "UTC")),
        outcome=pl.lit(None, pl.Float64),
        outcome_clock=pl.lit(None, pl.Datetime("us", "UTC")),
        outcome_after=pl.lit(None, pl.Datetime("us", "UTC")),
    ).select(PREDICTIONS.column_names)


_OUTCOMES = """
WITH bars AS (
    SELECT symbol, date, first_seen_at FROM market_data.daily_prices
), sessions AS (
    SELECT date, min(first_seen_at) AS first_seen_at FROM market_data.daily_prices GROUP BY date
)
SELECT
    waiting.kind, waiting.model, waiting.symbol, waiting.as_of, waiting.horizon_days,
    coalesce(predicted.label, outcomes.realised) AS outcome,
    coalesce(bars.first_seen_at, sessions.first_seen_at) AS outcome_clock
FROM waiting
LEFT JOIN bars ON bars.symbol = waiting.symbol AND bars.date = waiting.target_date
LEFT JOIN sessions ON waiting.symbol = '(portfolio)' AND sessions.date = waiting.target_date
LEFT JOIN signals.walk_forward_predictions AS predicted
    ON waiting.kind = 'signal' AND predicted.symbol = waiting.symbol AND predicted.date = waiting.as_of
    AND predicted.model = waiting.model AND predicted.model_version = waiting.model_version
LEFT JOIN forecasts.outcomes AS outcomes
    ON waiting.kind = 'forecast' AND outcomes.as_of = waiting.as_of
    AND outcomes.horizon_days = waiting.horizon_days AND outcomes.model = waiting.model
WHERE coalesce(bars.first_seen_at, sessions.first_seen_at) IS NOT NULL
"""


def outcomes_of(connection: duckdb.DuckDBPyConnection, waiting: pl.DataFrame) -> pl.DataFrame:
    """What came of predictions whose target date has been reached, for ``NightRecord.note_outcomes``."""
    connection.register("waiting", waiting)
    try:
        return connection.execute(_OUTCOMES).pl()
    finally:
        connection.unregister("waiting")
