"""A night's drift reports: each champion against the newest sessions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from quant_assets.foundation.calendar import TradingCalendar, new_york_calendar
from quant_assets.foundation.errors import DataError, StorageError
from quant_assets.foundation.table_store import TableStore
from quant_assets.ops.tables import RUN_STATE
from quant_assets.signals.charts import drift_chart
from quant_assets.signals.drift import (
    ALL,
    STRIKE_SESSIONS,
    CurrentWindow,
    DriftMeasure,
    PastReport,
    drift_measures,
    strike_sessions,
)
from quant_assets.signals.drift_reference import WINDOW_SESSIONS
from quant_assets.signals.ledger import CHAMPION
from quant_assets.signals.model_features import model_features
from quant_assets.signals.registration import ModelRegistry
from quant_assets.signals.signal_model import SignalModel
from quant_assets.signals.tables import DRIFT_REPORTS, WALK_FORWARD_PREDICTIONS
from quant_assets.signals.training_table import feature_matrix

__all__ = ["NightDrift", "report_drift"]


@dataclass(frozen=True, slots=True)
class NightDrift:
    """One champion's report in short.

    Parameters
    ----------
    moved : tuple of str
        Features that drifted, the farthest over their threshold first.
    strikes : int
        Sessions for which reports have been strikes.
    is_confirmed : bool
        Whether a retraining is asked for.
    chart : str, optional
        SVG of the features that moved, on a strike.
    """

    model: str
    model_version: str
    measures: tuple[DriftMeasure, ...] = field(repr=False)
    moved: tuple[str, ...]
    strikes: int
    is_confirmed: bool
    chart: str | None = field(repr=False, default=None)


def report_drift(store: TableStore, registry: ModelRegistry) -> tuple[NightDrift, ...]:
    """Write tonight's report of every champion that can score; the alert about one that cannot is raised there."""
    as_of: dt.date = store.read(RUN_STATE, ["as_of"])["as_of"][0]
    reports: list[NightDrift] = []
    for holder in registry.ledger.holders():
        if holder.alias != CHAMPION:
            continue
        try:
            reports.append(_report(store, registry.load(holder.model_version), as_of))
        except (StorageError, DataError):
            continue
    return tuple(reports)


def _report(store: TableStore, model: SignalModel, as_of: dt.date) -> NightDrift:
    calendar = new_york_calendar()
    window = _window(store, model, as_of, calendar)
    measures = drift_measures(model.reference, window)
    is_strike = next(m.drifted for m in measures if m.measure == "strike")
    past, today = _past(store, model, calendar), PastReport(_number(calendar, as_of), is_strike)
    lasted = strike_sessions(past, today)
    is_confirmed = is_strike and lasted >= STRIKE_SESSIONS
    _write(store, model, as_of, measures, lasted, is_confirmed=is_confirmed)
    chart = drift_chart(model.reference, window.matrix, measures, str(as_of)) if is_strike else None
    return NightDrift(
        model.card.model, model.card.model_version, measures, _moved(measures), lasted, is_confirmed, chart
    )


def _window(store: TableStore, model: SignalModel, as_of: dt.date, calendar: TradingCalendar) -> CurrentWindow:
    frame = model.scorable(model_features(store, model.card, "date > ?", [calendar.shift(as_of, -WINDOW_SESSIONS)]))
    predictions = store.read(
        WALK_FORWARD_PREDICTIONS,
        ["date", "probability", "label"],
        "model_version = ? AND label IS NOT NULL AND date > ?",
        [model.card.model_version, calendar.shift(as_of, -2 * WINDOW_SESSIONS)],
    )
    newest = predictions["date"].unique().sort().tail(WINDOW_SESSIONS)
    matured = predictions.filter(pl.col("date").is_in(newest.implode()))
    return CurrentWindow(
        sessions=frame["date"].n_unique(),
        matured_sessions=len(newest),
        matrix=feature_matrix(frame, model.card.features),
        probability=model.probabilities(frame),
        matured_probability=matured["probability"].to_numpy(),
        matured_labels=matured["label"].to_numpy(),
    )


def _past(store: TableStore, model: SignalModel, calendar: TradingCalendar) -> list[PastReport]:
    """Earlier reports on the same champion; a new one starts with a clean slate."""
    rows = store.read(
        DRIFT_REPORTS,
        ["as_of", "model", "measure", "feature", "drifted"],
        "model_version = ? AND measure = 'strike'",
        [model.card.model_version],
    ).sort("as_of")
    return [PastReport(_number(calendar, row["as_of"]), row["drifted"]) for row in rows.iter_rows(named=True)]


def _number(calendar: TradingCalendar, session: dt.date) -> int:
    return int(np.searchsorted(calendar.sessions, np.array(session, dtype="datetime64[D]")))


def _moved(measures: tuple[DriftMeasure, ...]) -> tuple[str, ...]:
    excess: dict[str, float] = {}
    for measure in measures:
        if measure.drifted and measure.measure in {"psi", "wasserstein"}:
            excess[measure.feature] = max(excess.get(measure.feature, 0.0), measure.value / measure.threshold)
    return tuple(sorted(excess, key=lambda name: -excess[name]))


def _write(
    store: TableStore,
    model: SignalModel,
    as_of: dt.date,
    measures: tuple[DriftMeasure, ...],
    lasted: int,
    *,
    is_confirmed: bool,
) -> None:
    rows = [(m.measure, m.feature, m.value, m.threshold, m.drifted) for m in measures]
    rows.append(("strikes", ALL, float(lasted), float(STRIKE_SESSIONS), is_confirmed))
    names = ("measure", "feature", "value", "threshold", "drifted")
    frame = pl.DataFrame(rows, schema={n: DRIFT_REPORTS.polars_schema[n] for n in names}, orient="row").with_columns(
        pl.col("value").fill_nan(None),
        as_of=pl.lit(as_of),
        model=pl.lit(model.card.model),
        model_version=pl.lit(model.card.model_version),
    )
    store.replace(DRIFT_REPORTS, frame, "as_of = ? AND model = ?", [as_of, model.card.model])
