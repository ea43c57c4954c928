"""What a scan takes and gives: frames of the room's tables, nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.quality.isolation_detector import IsolationSettings
from quant_assets.quality.prophet_detector import ProphetSettings
from quant_assets.quality.tables import (
    ANOMALY_EVENTS,
    BAR_SCORES,
    EVENT_CONFIRMATIONS,
    ISOLATION_TREES,
    MODELS,
    PROPHET_PREDICTIONS,
    QUARANTINED_PRICES,
    THRESHOLDS,
)

__all__ = ["HISTORY_BARS", "ScanInput", "ScanResult", "ScanSettings", "SentinelState"]

HISTORY_BARS = 800
"""Bars per symbol that must come before the first bar to score: the longest window of a detector (504) and the bars
that the measures in it look back on (127), with room for holes."""


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """How the detectors are fitted and on how many cores; without Prophet its scores are null."""

    isolation: IsolationSettings = field(default_factory=IsolationSettings)
    prophet: ProphetSettings | None = field(default_factory=ProphetSettings)
    workers: int = 1


@dataclass(frozen=True, slots=True)
class SentinelState:
    """Rows of the room's tables from earlier nights.

    Parameters
    ----------
    scores : pl.DataFrame
        ``quality.bar_scores`` of the loaded bars.
    events : pl.DataFrame
        ``quality.anomaly_events`` with the status of today.
    quarantined : pl.DataFrame
        ``quality.quarantined_prices``.
    models, predictions, trees, thresholds : pl.DataFrame
        The tables of these names.
    """

    scores: pl.DataFrame = field(default_factory=BAR_SCORES.empty)
    events: pl.DataFrame = field(default_factory=ANOMALY_EVENTS.empty)
    quarantined: pl.DataFrame = field(default_factory=QUARANTINED_PRICES.empty)
    models: pl.DataFrame = field(default_factory=MODELS.empty)
    predictions: pl.DataFrame = field(default_factory=PROPHET_PREDICTIONS.empty)
    trees: pl.DataFrame = field(default_factory=ISOLATION_TREES.empty)
    thresholds: pl.DataFrame = field(default_factory=THRESHOLDS.empty)


@dataclass(frozen=True, slots=True)
class ScanInput:
    """What one scan looks at.

    Parameters
    ----------
    bars : pl.DataFrame
        Rows of ``market_data.daily_prices``, at least :data:`HISTORY_BARS` per symbol before the first bar to score
        and everything after it.
    actions : pl.DataFrame
        ``market_data.corporate_actions``.
    calendar : TradingCalendar
    as_of : date
        Newest session of the run; bars between it and ``today`` are left out by the caller.
    now : datetime
        The source's clock (aware, UTC).
    run_id : str
    today : date, optional
        Date after which bars are from the future; ``as_of`` where omitted.
    splits_asked : mapping of str to date
        When the vendor's list of splits was last received, per symbol.
    """

    bars: pl.DataFrame
    actions: pl.DataFrame
    calendar: TradingCalendar
    as_of: dt.date
    now: dt.datetime
    run_id: str = ""
    today: dt.date | None = None
    splits_asked: Mapping[str, dt.date] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Rows to merge into the room's tables by their keys; ``trees`` replaces the stored ones where it is not None."""

    scores: pl.DataFrame = field(default_factory=BAR_SCORES.empty)
    events: pl.DataFrame = field(default_factory=ANOMALY_EVENTS.empty)
    confirmations: pl.DataFrame = field(default_factory=EVENT_CONFIRMATIONS.empty)
    quarantined: pl.DataFrame = field(default_factory=QUARANTINED_PRICES.empty)
    models: pl.DataFrame = field(default_factory=MODELS.empty)
    predictions: pl.DataFrame = field(default_factory=PROPHET_PREDICTIONS.empty)
    thresholds: pl.DataFrame = field(default_factory=THRESHOLDS.empty)
    trees: pl.DataFrame | None = None
