"""Rolling origins: what every model would have forecast at fixed sessions of the past, and what happened.

Origins are exchange sessions whose number is a multiple of the step, so a longer history moves none. At an origin
nothing later is seen: parameters were fitted before the quarter, returns end at the origin, corrections use outcomes
known by then, and the portfolio is today's shares at the origin's prices, or today's weights set anew. The origin's
prices are adjusted by what is known tonight, so later dividends change the weights of a share portfolio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quant_assets.forecasts.calibration import apply_corrections, band_width, conformal_corrections
from quant_assets.forecasts.distribution import Fit, Forecast, ForecastModel, ForecastRequest, Origin
from quant_assets.forecasts.history import PriceHistory
from quant_assets.forecasts.holdings import Holdings, Positions
from quant_assets.forecasts.models import MODEL_NAMES, forecast_models, with_blend
from quant_assets.forecasts.parameters import LEVELS, Bools, Floats, ForecastSettings
from quant_assets.forecasts.record import Record, rounded
from quant_assets.forecasts.refits import (
    FitTable,
    Quarter,
    fit_table,
    fits_in_force,
    make_origin,
    missing_fits,
    quarter_of,
)

__all__ = ["Extension", "corrections_at", "extend_record", "loss_floor", "quantiles_at"]

_QUARTERS_AT_A_TIME = 8
"""Refits whose returns are held at once: 8 x 2,520 x 500 numbers are 80 MB."""


@dataclass(frozen=True, slots=True)
class Extension:
    """What a run adds to the record.

    Parameters
    ----------
    record : Record
        Complete.
    new_fits : tuple of Fit
    changed : Bools
        Shape (n_origins, n_horizons): cells that are new or whose outcome has become known.
    """

    record: Record
    new_fits: tuple[Fit, ...]
    changed: Bools


def extend_record(
    record: Record, fits: FitTable, history: PriceHistory, holdings: Holdings, settings: ForecastSettings
) -> Extension:
    """Forecast at every origin that the record lacks, take in outcomes, correct what is new.

    Parameters
    ----------
    record : Record
        What is stored; outcomes and forecasts in it are kept as they are.
    fits : mapping
        Stored fits; what is missing is fitted.
    history : PriceHistory
        Ends at the session of the run.
    holdings : Holdings
    settings : ForecastSettings

    Returns
    -------
    Extension
        The same record comes out whether the origins are added in one call or night by night.
    """
    models = forecast_models(settings)
    due = _due_origins(record, history, holdings, settings)
    new_fits: list[Fit] = []
    numbers: list[int] = []
    forecasts: list[Floats] = []
    for start in range(0, len(due), _QUARTERS_AT_A_TIME):
        some = due[start : start + _QUARTERS_AT_A_TIME]
        fitted = missing_fits(
            models, fits, [quarter for quarter, _ in some], history=history, holdings=holdings, settings=settings
        )
        new_fits += fitted
        known = {**fits, **fit_table(fitted)}
        for quarter, rows in some:
            in_force = fits_in_force(known, models, quarter.refit_date)
            for row in rows:
                origin = make_origin(history, holdings, row, included=quarter.included, settings=settings)
                numbers.append(history.first_session + row)
                forecasts.append(quantiles_at(origin, in_force, models, settings))
    merged = _with_new_origins(record, numbers, forecasts)
    realised = _realised(merged, history, holdings, settings)
    is_new = np.isin(merged.sessions, np.array(numbers, dtype=np.int64))
    became_known = np.isfinite(realised) & ~np.isfinite(merged.realised)
    complete = Record(merged.sessions, merged.raw, merged.corrected, realised)
    _correct(complete, np.flatnonzero(is_new), history, holdings, settings)
    return Extension(complete, tuple(new_fits), is_new[:, None] | became_known)


def quantiles_at(
    origin: Origin,
    in_force: Mapping[str, Mapping[str, Fit]],
    models: Sequence[ForecastModel],
    settings: ForecastSettings,
) -> Floats:
    """Raw quantiles of every model at an origin, shape (n_models, n_horizons, n_levels); NaN where unavailable."""
    request = ForecastRequest(settings.horizon_days, settings.paths_of_origin(len(origin.symbols)), settings.seed)
    made = with_blend({model.name: model.forecast(origin, in_force[model.name], request) for model in models})
    quantiles = np.full((len(MODEL_NAMES), settings.horizon_days, len(LEVELS)), np.nan)
    for place, name in enumerate(MODEL_NAMES):
        one = made[name]
        if isinstance(one, Forecast):
            quantiles[place] = rounded(one.quantiles)
    return quantiles


def corrections_at(record: Record, session: int, settings: ForecastSettings) -> Floats:
    """Corrections for forecasts made at an exchange session, shape (n_models, n_horizons, n_levels)."""
    wanted = np.array([session], dtype=np.int64)
    return conformal_corrections(_scaled_scores(record), record.sessions, wanted, origin_step=settings.origin_step)[
        :, 0
    ]


def loss_floor(positions: Positions) -> float:
    """Most that can be lost, as a fraction of the base: all positions where nothing is short or borrowed."""
    return -float(positions.values.sum()) / positions.base if positions.is_long_only else -np.inf


def _due_origins(
    record: Record, history: PriceHistory, holdings: Holdings, settings: ForecastSettings
) -> list[tuple[Quarter, list[int]]]:
    """Rows without a record, by the quarter that serves them, oldest first."""
    numbers = history.first_session + np.arange(len(history))
    on_grid = (numbers % settings.origin_step == 0) & ~np.isin(numbers, record.sessions)
    due: list[tuple[Quarter, list[int]]] = []
    for row in np.flatnonzero(on_grid).tolist():
        quarter = quarter_of(history, holdings, row, settings)
        if quarter.returns < settings.minimum_sessions:
            continue
        if not due or due[-1][0].refit_date != quarter.refit_date:
            due.append((quarter, []))
        due[-1][1].append(row)
    return due


def _with_new_origins(record: Record, numbers: list[int], forecasts: list[Floats]) -> Record:
    """The record with new origins in their place, uncorrected and without outcomes."""
    if not numbers:
        return record
    sessions = np.concatenate([record.sessions, np.array(numbers, dtype=np.int64)])
    raw = np.stack(forecasts, axis=1)
    unknown = np.full((len(numbers), record.horizons), np.nan)
    joined = Record(
        sessions,
        np.concatenate([record.raw, raw], axis=1),
        np.concatenate([record.corrected, np.full_like(raw, np.nan)], axis=1),
        np.concatenate([record.realised, unknown]),
    )
    if (np.diff(sessions) > 0).all():
        return joined
    order = np.argsort(sessions, kind="stable")
    return Record(sessions[order], joined.raw[:, order], joined.corrected[:, order], joined.realised[order])


def _realised(record: Record, history: PriceHistory, holdings: Holdings, settings: ForecastSettings) -> Floats:
    """Outcomes known by the end of the history; those already in the record stay."""
    realised = record.realised.copy()
    last = len(history) - 1
    for place in np.flatnonzero(np.isnan(realised).any(axis=1)).tolist():
        row = int(record.sessions[place]) - history.first_session
        reach = min(record.horizons, last - row)
        if row < 0 or reach < 1:
            continue
        included = quarter_of(history, holdings, row, settings).included
        positions = holdings.at(history.prices[row], included)
        growth = history.prices[row + 1 : row + reach + 1, included] / history.prices[row, included] - 1.0
        # Not by BLAS: its last bit depends on how many sessions are known, and an outcome is stored once and for good.
        gains = np.ascontiguousarray(growth * positions.values[included])
        outcome = gains.sum(axis=1) / positions.base
        known = np.isfinite(realised[place, :reach])
        realised[place, :reach] = np.where(known, realised[place, :reach], outcome)
    return realised


def _scaled_scores(record: Record) -> Floats:
    """``(outcome - raw quantile) / width``; NaN where unknown or where the band has no width."""
    width = band_width(record.raw)[..., None]
    return np.divide(record.scores(record.raw), width, out=np.full_like(record.raw, np.nan), where=width > 0)


def _correct(
    record: Record,
    places: npt.NDArray[np.int64],
    history: PriceHistory,
    holdings: Holdings,
    settings: ForecastSettings,
) -> None:
    """Fill in the corrected quantiles of new origins."""
    if not len(places):
        return
    corrections = conformal_corrections(
        _scaled_scores(record), record.sessions, record.sessions[places], origin_step=settings.origin_step
    )
    floors = []
    for number in record.sessions[places].tolist():
        row = number - history.first_session
        floors.append(
            loss_floor(holdings.at(history.prices[row], quarter_of(history, holdings, row, settings).included))
        )
    floor = np.array(floors)[None, :, None, None]
    record.corrected[:, places] = rounded(apply_corrections(record.raw[:, places], corrections, floor))
