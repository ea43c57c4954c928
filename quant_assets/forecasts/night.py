"""A night of the room: extend and judge the record, forecast tonight, measure the past, draw."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.forecasts.charts import Picture, calibration_chart, fan_chart, past_fan
from quant_assets.forecasts.evaluation import evaluate, pit_histograms
from quant_assets.forecasts.history import PriceHistory, price_history
from quant_assets.forecasts.holdings import Holdings, read_holdings
from quant_assets.forecasts.parameters import Floats, ForecastSettings
from quant_assets.forecasts.past_equity import equity_rows, measure_rows, stress_rows
from quant_assets.forecasts.record import Record, record_rows
from quant_assets.forecasts.refits import fit_table, make_origin, quarter_of
from quant_assets.forecasts.rolling_origins import extend_record
from quant_assets.forecasts.selection import record_losses, served_models
from quant_assets.forecasts.storage import Change, load, record_changes, retained_from, store_changes
from quant_assets.forecasts.tables import (
    COMPONENT_VAR,
    EQUITY_HISTORY,
    FORECAST_EVALUATIONS,
    MODEL_CHOICES,
    PIT_HISTOGRAMS,
    PORTFOLIO_FORECASTS,
    PORTFOLIO_MEASURES,
    POSITIONS,
    STRESS_WINDOWS,
)
from quant_assets.forecasts.tonight import Tonight, forecast_tonight
from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.table_store import TableStore
from quant_assets.foundation.tables import Table
from quant_assets.settings import Portfolio

__all__ = ["Night", "quarter_starts", "run_night"]

_SHOWN_HORIZONS = (1, 5, 20, 60)


@dataclass(frozen=True, slots=True)
class Night:
    """What a night computed, as stored.

    Parameters
    ----------
    tonight : Tonight
    evaluations, pit : polars.DataFrame
        Empty where no past forecast has an outcome yet.
    new_origins : int
    fan : Picture
    calibration : Picture, optional
        Drawn on nights that add an origin (one in five); None on the others, and where there is nothing to judge yet.
    """

    tonight: Tonight
    evaluations: pl.DataFrame
    pit: pl.DataFrame
    new_origins: int
    fan: Picture
    calibration: Picture | None


def run_night(
    store: TableStore,
    portfolio: Portfolio,
    calendar: TradingCalendar,
    settings: ForecastSettings,
    *,
    is_full_refresh: bool = False,
) -> Night:
    """Bring every table of the room but ``outcomes`` up to the session of the run.

    Parameters
    ----------
    store : TableStore
        The warehouse.
    portfolio : Portfolio
        Of the universe file.
    calendar : TradingCalendar
    settings : ForecastSettings
    is_full_refresh : bool
        Forget the stored record and fits and make them again from the prices as they are now.
    """
    holdings = read_holdings(portfolio)
    key, horizon_days = holdings.portfolio_id, settings.horizon_days
    loaded = load(store, holdings.symbols, key, horizon_days=horizon_days, calendar=calendar)
    history = price_history(loaded.closes, holdings.symbols, calendar, loaded.as_of)
    before = Record.empty(horizon_days) if is_full_refresh else loaded.record
    fits = {} if is_full_refresh else loaded.fits
    extension = extend_record(before, fits, history, holdings, settings)
    record, losses = extension.record, record_losses(extension.record)
    known_fits = {**fits, **fit_table(extension.new_fits)}
    tonight = forecast_tonight(history, holdings, record, known_fits, settings, losses=losses)
    evaluations, pit = _judge(record, losses, history=history, holdings=holdings, settings=settings)
    past = _past(history, holdings, settings)
    is_new = not len(before.sessions) and not fits
    changes = record_changes(extension, tonight.new_fits, key, calendar, is_new=is_new)
    changes += [Change(FORECAST_EVALUATIONS, evaluations), Change(PIT_HISTOGRAMS, pit)]
    changes += _nightly_changes(tonight, past, loaded.as_of)
    store_changes(store, changes, retained_from(calendar.sessions, loaded.as_of))
    new_origins = len(record.sessions) - len(before.sessions)
    return Night(
        tonight,
        evaluations,
        pit,
        new_origins,
        _fan(tonight, record, past[EQUITY_HISTORY], history),
        calibration_chart(evaluations, pit, horizons=_SHOWN_HORIZONS) if evaluations.height and new_origins else None,
    )


def quarter_starts(
    record: Record, history: PriceHistory, holdings: Holdings, settings: ForecastSettings
) -> npt.NDArray[np.int64]:
    """Session number of the first session of each origin's quarter, shape (n_origins,)."""
    rows = (record.sessions - history.first_session).tolist()
    starts = [quarter_of(history, holdings, row, settings).row for row in rows]
    return np.array(starts, dtype=np.int64) + history.first_session


def _judge(
    record: Record, losses: Floats, *, history: PriceHistory, holdings: Holdings, settings: ForecastSettings
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Evaluations and PIT histograms of the record."""
    if not np.isfinite(record.realised).any():
        return FORECAST_EVALUATIONS.empty(), PIT_HISTOGRAMS.empty()
    served = served_models(record, losses, quarter_starts(record, history, holdings, settings))
    evaluations = evaluate(record, served, history.exchange_sessions, origin_step=settings.origin_step)
    return evaluations, pit_histograms(record, served)


def _past(history: PriceHistory, holdings: Holdings, settings: ForecastSettings) -> dict[Table, pl.DataFrame]:
    """What today's holdings went through, over the whole history."""
    whole = make_origin(
        history,
        holdings,
        len(history) - 1,
        included=holdings.amounts != 0,
        settings=replace(settings, window_sessions=len(history)),
    )
    return {
        EQUITY_HISTORY: equity_rows(whole),
        PORTFOLIO_MEASURES: measure_rows(whole),
        STRESS_WINDOWS: stress_rows(whole, history),
    }


def _nightly_changes(tonight: Tonight, past: dict[Table, pl.DataFrame], as_of: dt.date) -> list[Change]:
    """Rows of the night in the place of an earlier run's of the same night."""
    nightly = {
        PORTFOLIO_FORECASTS: tonight.forecasts,
        POSITIONS: tonight.positions,
        MODEL_CHOICES: tonight.choices,
        COMPONENT_VAR: tonight.components,
    }
    nightly |= {table: rows for table, rows in past.items() if table is not EQUITY_HISTORY}
    changes = [Change(table, rows, "as_of = ?", (as_of,)) for table, rows in nightly.items()]
    return [*changes, Change(EQUITY_HISTORY, past[EQUITY_HISTORY])]


def _fan(tonight: Tonight, record: Record, equity: pl.DataFrame, history: PriceHistory) -> Picture:
    """The fan chart with the newest complete forecast of the model served."""
    served = tonight.forecasts.filter("is_selected")
    complete = np.flatnonzero(np.isfinite(record.realised).all(axis=1))
    wanted = np.zeros(record.realised.shape, dtype=np.bool_)
    wanted[complete[-1:]] = True
    rows = record_rows(record, history.exchange_sessions, wanted)
    past = past_fan(rows, equity, model=served["model"][0], base_value=served["base_value"][0])
    return fan_chart(equity, tonight.forecasts, past)
