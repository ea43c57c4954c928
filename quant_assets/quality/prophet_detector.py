"""Prophet's expectation of the log price, and each bar's surprise against it.

A Prophet trend is fitted per symbol on a trailing window at fixed calendar dates (every 60 sessions, staggered over
the symbols so that a night refits few) and predicts the 60 sessions that follow; predictions are cached. The score is
the *change* of the residual (log price less expectation) since the last accepted bar: a price is close to a random
walk, so weeks after a fit the residual itself says where the trend went, not whether today's bar is wrong.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import warnings
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.quality.detector_fits import FITTED, DetectorFit

__all__ = ["METHOD", "ProphetFit", "ProphetSettings", "ProphetTask", "due_prophet_tasks", "fit_prophets"]

METHOD = "prophet"


@dataclass(frozen=True, slots=True)
class ProphetSettings:
    """How the trends are fitted.

    Parameters
    ----------
    refit_sessions : int
        Sessions that one fit serves.
    window_bars : int
        Bars before the refit date that are used.
    minimum_bars : int
        Bars needed: half a year.
    changepoints : int
        Places where the trend may bend. Ten serve a two-year window as well as the library's 25, in half the time.
    seed : int
    """

    refit_sessions: int = 60
    window_bars: int = 504
    minimum_bars: int = 120
    changepoints: int = 10
    seed: int = 20_170_901


@dataclass(frozen=True, slots=True)
class ProphetTask:
    """One fit that is due: a symbol, its window (dates and log closes, oldest first) and the sessions to predict."""

    symbol: str
    refit_date: dt.date
    dates: tuple[dt.date, ...]
    log_close: npt.NDArray[np.float64]
    sessions: tuple[dt.date, ...]
    settings: ProphetSettings

    @property
    def model_version(self) -> str:
        """Unique over all models; the same task has the same one in every run."""
        return f"prophet-{self.symbol}-{self.refit_date:%Y%m%d}"


@dataclass(frozen=True, slots=True)
class ProphetFit:
    """A fit with its predictions (symbol, date, model_version, step, expected_log_price); empty where it failed."""

    fit: DetectorFit
    predictions: pl.DataFrame


_PREDICTIONS_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "date": pl.Date(),
    "model_version": pl.String(),
    "step": pl.Float64(),
    "expected_log_price": pl.Float64(),
}


def due_prophet_tasks(
    bars: pl.DataFrame,
    wanted: pl.DataFrame,
    calendar: TradingCalendar,
    settings: ProphetSettings | None = None,
) -> list[ProphetTask]:
    """Fits needed before the wanted bars can be scored.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, close, price_factor and volatility_1d; sane bars, at most one per symbol and date.
    wanted : pl.DataFrame
        symbol and date of the bars that have no prediction yet.
    calendar : TradingCalendar
    settings : ProphetSettings, optional

    Returns
    -------
    list of ProphetTask
        One per symbol and refit date, oldest first. A refit date depends on the symbol and the calendar alone.
    """
    settings = settings or ProphetSettings()
    sessions = pl.Series(calendar.sessions).cast(pl.Date)
    due = (
        wanted.select("symbol", sessions.search_sorted(wanted["date"]).cast(pl.Int64).alias("number"))
        .with_columns(_offset(settings).alias("offset"))
        .select("symbol", "offset", ((pl.col("number") - pl.col("offset")) // settings.refit_sessions).alias("block"))
        .unique()
        .sort("symbol", "block")
    )
    if due.is_empty():
        return []
    windows = {
        name: (group["date"].to_numpy(), _cleaned_log_close(group), group["date"].to_list())
        for (name,), group in bars.sort("symbol", "date").group_by("symbol", maintain_order=True)
    }
    tasks = []
    for symbol, offset, block in due.iter_rows():
        start = block * settings.refit_sessions + offset
        served = sessions[max(start, 0) : start + settings.refit_sessions].to_list()
        dates, log_close, listed = windows[symbol]
        end = int(np.searchsorted(dates, np.datetime64(served[0])))
        window = slice(max(0, end - settings.window_bars), end)
        kept = np.isfinite(log_close[window])
        tasks.append(
            ProphetTask(
                symbol=symbol,
                refit_date=served[0],
                dates=tuple(date for date, keep in zip(listed[window], kept, strict=True) if keep),
                log_close=log_close[window][kept],
                sessions=tuple(served),
                settings=settings,
            )
        )
    return tasks


def _offset(settings: ProphetSettings) -> pl.Expr:
    """Where a symbol's refit dates fall: spread evenly, and the same for ever."""
    return pl.col("symbol").map_elements(
        lambda symbol: zlib.crc32(symbol.encode()) % settings.refit_sessions, return_dtype=pl.Int64
    )


_FILTER_BARS = 5
"""Bars before that a bar is compared with before it may enter a fit."""
_FILTER_VOLATILITIES = 20.0
"""Distance from their median at which it may not: five ordinary days apart is 2, the crash of AAPL in 2000 is 17."""


def _cleaned_log_close(bars: pl.DataFrame) -> npt.NDArray[np.float64]:
    """Adjusted log closes with NaN for bars that left the level before them and came back or broke it."""
    cleaned = bars.with_columns((pl.col("close") * pl.col("price_factor")).log().alias("level")).with_columns(
        pl.col("level").rolling_median(_FILTER_BARS, min_samples=1).shift(1).alias("usual")
    )
    far = (pl.col("level") - pl.col("usual")).abs() > _FILTER_VOLATILITIES * pl.col("volatility_1d")
    kept = cleaned.select(pl.when(far.fill_null(value=False)).then(None).otherwise("level").alias("level"))
    return kept["level"].fill_null(float("nan")).to_numpy()


def fit_prophets(tasks: Sequence[ProphetTask], workers: int = 1) -> list[ProphetFit]:
    """Fit every task, in order; the optimiser runs in its own process, so that threads use every core."""
    if not tasks:
        return []
    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        warnings.simplefilter("ignore")  # the library's own deprecations are not ours to act on
        return list(pool.map(_fit_one, tasks))


def _fit_one(task: ProphetTask) -> ProphetFit:
    settings = task.settings
    fit = DetectorFit(
        model_version=task.model_version,
        method=METHOD,
        symbol=task.symbol,
        refit_date=task.refit_date,
        serves_to=task.sessions[-1],
        fitted_from=task.dates[0] if task.dates else None,
        fitted_to=task.dates[-1] if task.dates else None,
        rows=len(task.dates),
        status=FITTED,
        reason=None,
        parameters=json.dumps({"changepoints": settings.changepoints, "seed": settings.seed}),
    )
    nothing = pl.DataFrame(schema=_PREDICTIONS_SCHEMA)
    if len(task.dates) < settings.minimum_bars:
        return ProphetFit(fit.with_failure(f"{len(task.dates)} bars, {settings.minimum_bars} needed"), nothing)
    try:
        expected = _expected_log_price(task)
    except Exception as error:  # noqa: BLE001 - whatever the library raises is recorded as the reason of this fit
        return ProphetFit(fit.with_failure(f"{type(error).__name__}: {error}"), nothing)
    if not np.isfinite(expected).all():
        return ProphetFit(fit.with_failure("the fit predicts no finite price"), nothing)
    predictions = pl.DataFrame(
        {
            "symbol": [task.symbol] * len(task.sessions),
            "date": task.sessions,
            "model_version": [fit.model_version] * len(task.sessions),
            "step": np.diff(expected),
            "expected_log_price": expected[1:],
        },
        schema=_PREDICTIONS_SCHEMA,
    )
    return ProphetFit(fit, predictions)


def _expected_log_price(task: ProphetTask) -> npt.NDArray[np.float64]:
    """Prophet's value at the last bar of the window and at each session served."""
    # The libraries print several lines per fit; what goes wrong is raised, and recorded as the fit's reason.
    for name in ("cmdstanpy", "prophet", "prophet.models", "prophet.plot"):
        logging.getLogger(name).disabled = True
    # Imported here: the library costs 0.6 s to import and most nights fit nothing.
    from prophet import Prophet  # noqa: PLC0415

    model: Any = Prophet(
        n_changepoints=task.settings.changepoints,
        # Prices have no calendar season worth fitting on two years; weekends simply have no row.
        yearly_seasonality=False,
        weekly_seasonality=False,
        daily_seasonality=False,
        uncertainty_samples=0,
    )
    model.fit(pd.DataFrame({"ds": pd.to_datetime(list(task.dates)), "y": task.log_close}), seed=task.settings.seed)
    # Without seasons the trend is the whole prediction, and ten times cheaper to ask for.
    future = model.setup_dataframe(pd.DataFrame({"ds": pd.to_datetime([task.dates[-1], *task.sessions])}))
    return np.asarray(model.predict_trend(future), dtype=np.float64)
