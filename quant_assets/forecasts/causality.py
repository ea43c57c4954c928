"""Proof that a past forecast used no price later than its origin: make it again with the future turned to noise.

Closes up to the origin stay adjusted as they are tonight. That a later dividend moves old origins of a share portfolio,
whose shares are valued at adjusted closes, is therefore not seen here.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from quant_assets.forecasts.history import PriceHistory, price_history
from quant_assets.forecasts.holdings import Holdings
from quant_assets.forecasts.models import MODEL_NAMES, forecast_models
from quant_assets.forecasts.parameters import Floats, ForecastSettings
from quant_assets.forecasts.record import Record
from quant_assets.forecasts.refits import fit_table, fits_in_force, make_origin, missing_fits, quarter_of
from quant_assets.forecasts.rolling_origins import corrections_at, quantiles_at
from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.point_in_time import corrupted_after

__all__ = ["models_that_look_ahead", "origin_to_prove"]


def origin_to_prove(record: Record, as_of: dt.date) -> int | None:
    """Session number of the origin whose turn it is: another one every night, so that in time all are proven."""
    if not len(record.sessions):
        return None
    return int(record.sessions[as_of.toordinal() * 7919 % len(record.sessions)])


def models_that_look_ahead(
    closes: pl.DataFrame,
    holdings: Holdings,
    record: Record,
    session: int,
    *,
    calendar: TradingCalendar,
    as_of: dt.date,
    settings: ForecastSettings,
) -> list[str]:
    """Models whose forecast at an origin changes when every later close is multiplied by a random factor.

    Fits are made anew on both histories, so they are proven too. ``corrections`` is named where the conformal
    corrections of the origin use an outcome that was not known.

    Parameters
    ----------
    closes : polars.DataFrame
        symbol, date, close.
    session : int
        Exchange session number of the origin.
    """
    origin_date: dt.date = calendar.sessions[session].item()
    rng = np.random.default_rng([settings.seed, session])
    noise = corrupted_after(closes, origin_date, rng=rng)
    made = [
        _quantiles(price_history(frame, holdings.symbols, calendar, as_of), holdings, session, settings)
        for frame in (closes, noise)
    ]
    guilty = [
        name
        for place, name in enumerate(MODEL_NAMES)
        if not np.array_equal(made[0][place], made[1][place], equal_nan=True)
    ]
    now = corrections_at(record, session, settings)
    then = corrections_at(record.known_by(session), session, settings)
    return guilty + ([] if np.array_equal(now, then) else ["corrections"])


def _quantiles(history: PriceHistory, holdings: Holdings, session: int, settings: ForecastSettings) -> Floats:
    models = forecast_models(settings)
    row = session - history.first_session
    quarter = quarter_of(history, holdings, row, settings)
    fits = missing_fits(models, {}, [quarter], history=history, holdings=holdings, settings=settings)
    origin = make_origin(history, holdings, row, included=quarter.included, settings=settings)
    return quantiles_at(origin, fits_in_force(fit_table(fits), models, quarter.refit_date), models, settings)
