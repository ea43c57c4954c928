"""Made-up rows of quality.anomaly_events."""

import datetime as dt

import polars as pl

from quant_assets.quality.tables import ANOMALY_EVENTS

DETECTED = dt.datetime(2013, 3, 2, 2, 0, tzinfo=dt.UTC)
PLAIN = {
    "event_id": "event",
    "symbol": "AAPL",
    "date": dt.date(2013, 3, 1),
    "kind": "price_jump",
    "severity": "MEDIUM",
    "isolation_score": None,
    "prophet_score": 6.0,
    "volume_zscore": 0.5,
    "details": "it jumped",
    "detected_at": DETECTED,
    "status": "open",
    "status_by": None,
    "status_at": None,
    "note": None,
    "pattern": "price_jump:up",
    "magnitude": 6.0,
    "run_id": "run",
}


def event_rows(*changes):
    """One row per change of the plain event."""
    return pl.DataFrame([{**PLAIN, **change} for change in changes], schema=ANOMALY_EVENTS.polars_schema)
