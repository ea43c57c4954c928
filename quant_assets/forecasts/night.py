"""A night of the room: extend and judge the record, forecast tonight, measure the past, draw."""

from __future__ import annotations

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
from quant_assets.forecasts.storage import (
    fitting,
    load_as_of,
    load_closes,
    load_fits,
    load_record,
    retained_from,
    store_extension,
    store_forecasts,
)
from quant_assets.forecasts.tables import (
    COMPONENT_VAR,
    EQUITY_HISTORY,
    FORECAST_EVALUATIONS,
    MODEL_CHOICES,
    PIT_HISTOGRAMS,
    PORTFOLIO_MEASURES,
    POSITIONS,
    STRESS_WINDOWS,
)
from quant_assets.forecasts.tonight import Tonight, forecast_tonight
from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.table_store import TableStore
from quant_assets.settings import Portfolio

__all__ = ["Night", "quarter_starts", "run_night"]

_SHOWN_HORIZONS = (1, 5, 20, 60)
_WHOLE_HISTORY = 1_000_000


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
        None where there is nothing to judge yet.
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
    as_of = load_as_of(store)
    holdings = read_holdings(portfolio)
    closes = load_closes(store, holdings.symbols, as_of)
    history = price_history(closes, holdings.symbols, calendar, as_of)
    key = holdings.portfolio_id
    fits = {} if is_full_refresh else load_fits(store, key)
    before = (
        Record.empty(settings.horizon_days)
        if is_full_refresh
        else load_record(store, key, settings.horizon_days, calendar)
    )
    extension = extend_record(before, fits, history, holdings, settings)
    store_extension(store, extension, key, calendar, is_new=not len(before.sessions))
    known_fits = {**fits, **fit_table(extension.new_fits)}
    losses = record_losses(extension.record)
    tonight = forecast_tonight(history, holdings, extension.record, known_fits, settings, losses=losses)
    store_forecasts(store, tonight.forecasts, tonight.new_fits, retained_from(calendar.sessions, as_of))
    evaluations, pit = _judge(store, extension.record, losses, history=history, holdings=holdings, settings=settings)
    equity = _store_past(store, tonight, history, holdings, settings)
    return Night(
        tonight,
        evaluations,
        pit,
        len(extension.record.sessions) - len(before.sessions),
        _fan(tonight, extension.record, equity, history),
        calibration_chart(evaluations, pit, horizons=_SHOWN_HORIZONS) if evaluations.height else None,
    )


def quarter_starts(
    record: Record, history: PriceHistory, holdings: Holdings, settings: ForecastSettings
) -> npt.NDArray[np.int64]:
    """Session number of the first session of each origin's quarter, shape (n_origins,)."""
    rows = (record.sessions - history.first_session).tolist()
    starts = [quarter_of(history, holdings, row, settings).row for row in rows]
    return np.array(starts, dtype=np.int64) + history.first_session


def _judge(
    store: TableStore,
    record: Record,
    losses: Floats,
    *,
    history: PriceHistory,
    holdings: Holdings,
    settings: ForecastSettings,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Evaluations and PIT histograms of the record, stored in the place of the last ones."""
    evaluations, pit = FORECAST_EVALUATIONS.empty(), PIT_HISTOGRAMS.empty()
    if np.isfinite(record.realised).any():
        served = served_models(record, losses, quarter_starts(record, history, holdings, settings))
        evaluations = evaluate(record, served, history.exchange_sessions, origin_step=settings.origin_step)
        pit = pit_histograms(record, served)
    store.replace(FORECAST_EVALUATIONS, fitting(FORECAST_EVALUATIONS, evaluations))
    store.replace(PIT_HISTOGRAMS, fitting(PIT_HISTOGRAMS, pit))
    return evaluations, pit


def _store_past(
    store: TableStore, tonight: Tonight, history: PriceHistory, holdings: Holdings, settings: ForecastSettings
) -> pl.DataFrame:
    """Store tonight's positions and choices and what today's holdings went through; the equity history."""
    whole = make_origin(
        history,
        holdings,
        len(history) - 1,
        included=holdings.amounts != 0,
        settings=replace(settings, window_sessions=_WHOLE_HISTORY),
    )
    equity = equity_rows(whole)
    store.replace(EQUITY_HISTORY, fitting(EQUITY_HISTORY, equity))
    nightly = {
        POSITIONS: tonight.positions,
        MODEL_CHOICES: tonight.choices,
        COMPONENT_VAR: tonight.components,
        PORTFOLIO_MEASURES: measure_rows(whole),
        STRESS_WINDOWS: stress_rows(whole, history),
    }
    for table, rows in nightly.items():
        store.replace(table, fitting(table, rows), "as_of = ?", [whole.date])
    return equity


def _fan(tonight: Tonight, record: Record, equity: pl.DataFrame, history: PriceHistory) -> Picture:
    """The fan chart with the newest complete forecast of the model served."""
    served = tonight.forecasts.filter("is_selected")
    complete = np.flatnonzero(np.isfinite(record.realised).all(axis=1))
    wanted = np.zeros(record.realised.shape, dtype=np.bool_)
    wanted[complete[-1:]] = True
    rows = record_rows(record, history.exchange_sessions, wanted)
    past = past_fan(rows, equity, model=served["model"][0], base_value=served["base_value"][0])
    return fan_chart(equity, tonight.forecasts, past)
