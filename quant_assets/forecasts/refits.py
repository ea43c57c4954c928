"""When models are fitted, on what, and for which holdings.

Refit dates are the first sessions of calendar quarters: fixed, so that a longer history moves none. A fit sees the
sessions before its refit date. A holding enters the rolling origins at the first refit date at which it has 60
returns of its own; until then the portfolio is judged without it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.forecasts.distribution import Fit, ForecastModel, Origin
from quant_assets.forecasts.history import PriceHistory
from quant_assets.forecasts.holdings import Holdings, Positions
from quant_assets.forecasts.parameters import Bools, ForecastSettings

__all__ = ["FitTable", "Quarter", "fit_table", "fits_in_force", "make_origin", "missing_fits", "quarter_of"]

FitTable = Mapping[tuple[str, dt.date], Mapping[str, Fit]]
"""Fits by model and refit date, then by subject."""


@dataclass(frozen=True, slots=True)
class Quarter:
    """One refit and the holdings that it is for.

    Parameters
    ----------
    row : int
        Row of the refit date in the history.
    refit_date : date
    included : Bools
        Shape (n_symbols,): holdings old enough to take part in rolling origins.
    returns : int
        Returns of the oldest included holding before the refit date.
    """

    row: int
    refit_date: dt.date
    included: Bools
    returns: int


def quarter_of(history: PriceHistory, holdings: Holdings, row: int, settings: ForecastSettings) -> Quarter:
    """The quarter that serves the session of ``row``; where the history starts inside it, row 0 is its refit."""
    date = history.date(row)
    start = dt.date(date.year, 3 * ((date.month - 1) // 3) + 1, 1)
    refit = int(np.searchsorted(history.sessions, np.datetime64(start, "D")))
    included = (refit - 1 - history.first_bar >= settings.joining_sessions) & (holdings.amounts != 0)
    returns = refit - 1 - int(history.first_bar[included].min()) if included.any() else 0
    return Quarter(refit, history.date(refit), included, returns)


def make_origin(
    history: PriceHistory, holdings: Holdings, row: int, *, included: Bools, settings: ForecastSettings
) -> Origin:
    """Everything known at the close of ``row`` about the included holdings."""
    returns = history.known_returns(row, window=settings.window_sessions, included=included, seed=settings.seed)
    positions = holdings.at(history.prices[row], included)
    return Origin(
        date=history.date(row),
        symbols=tuple(np.array(history.symbols)[included].tolist()),
        sessions=history.sessions[row - len(returns) : row + 1],
        returns=returns,
        positions=Positions(np.ascontiguousarray(positions.values[included]), positions.cash),
        days_ahead=history.days_ahead(row, settings.horizon_days),
    )


def missing_fits(
    models: Sequence[ForecastModel],
    fits: FitTable,
    quarters: Sequence[Quarter],
    *,
    history: PriceHistory,
    holdings: Holdings,
    settings: ForecastSettings,
) -> list[Fit]:
    """Fits that the quarters need and the table lacks; a quarter with no session before its refit date gets none."""
    usable = [quarter for quarter in quarters if quarter.included.any() and quarter.returns > 0]
    made: list[Fit] = []
    origins: dict[dt.date, Origin] = {}
    for model in models:
        due = [quarter for quarter in usable if (model.name, quarter.refit_date) not in fits]
        for quarter in due:
            if quarter.refit_date not in origins:
                origins[quarter.refit_date] = make_origin(
                    history, holdings, quarter.row - 1, included=quarter.included, settings=settings
                )
        made += model.fit([(quarter.refit_date, origins[quarter.refit_date]) for quarter in due])
    return made


def fit_table(fits: Sequence[Fit]) -> dict[tuple[str, dt.date], dict[str, Fit]]:
    """Fits by model and refit date, then by subject."""
    table: dict[tuple[str, dt.date], dict[str, Fit]] = {}
    for fit in fits:
        table.setdefault((fit.model, fit.refit_date), {})[fit.subject] = fit
    return table


def fits_in_force(fits: FitTable, models: Sequence[ForecastModel], refit_date: dt.date) -> dict[str, Mapping[str, Fit]]:
    """Fits of each model for one refit date."""
    return {model.name: fits.get((model.name, refit_date), {}) for model in models}
