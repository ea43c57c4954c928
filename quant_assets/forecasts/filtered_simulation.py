"""Filtered historical simulation: past shocks, freed of their volatility, scaled by today's.

Each holding's returns are divided by its GJR-GARCH volatility. Paths draw whole sessions of these residuals, the same
session for every holding (so that correlation and joint tails are the history's), and give them the volatility of the
day, which each path then carries forward. Source: Barone-Adesi, Giannopoulos and Vosper (1999), Journal of Futures
Markets 19(5). GARCH parameters are fitted on the first session of a quarter and filtered daily in between. The drift is
the shrunk one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from quant_assets.forecasts.distribution import (
    FITTED,
    Fit,
    Forecast,
    ForecastRequest,
    Origin,
    Unavailable,
    balanced_picks,
    failed,
    fitted,
    from_draws,
)
from quant_assets.forecasts.drift import shrunk_drift
from quant_assets.forecasts.gjr_fit import GjrParameters, fit_gjr, with_variance, without_fits
from quant_assets.forecasts.parameters import DRAWDOWNS, FILTERED_SIMULATION, Floats
from quant_assets.forecasts.path_simulation import drawdown_probabilities, filtered_paths, gjr_variances

__all__ = ["FilteredSimulation", "PositionGains"]

_STREAM = 3
_FIRST_VARIANCE_SESSIONS = 250
"""The filter starts from the mean square of the first year; with a persistence of 0.98 nothing is left of it."""


@dataclass(frozen=True, slots=True)
class PositionGains:
    """Gains of each position on the same paths: shape (n_horizons, n_paths, k) in currency, for the named horizons."""

    horizons: tuple[int, ...]
    gains: Floats


@dataclass(frozen=True, slots=True)
class FilteredSimulation:
    """GJR-GARCH volatility with joint resampling of residuals.

    Parameters
    ----------
    minimum_sessions : int
        Returns needed for a fit, and residuals to draw from.
    fitted_symbols : int
        Largest positions that get parameters of their own; the others share the medians of their dynamics around their
        own variance. 60 fits take about 0.7 s.
    """

    minimum_sessions: int = 250
    fitted_symbols: int = 60

    @property
    def name(self) -> str:
        """As stored."""
        return FILTERED_SIMULATION

    def fit(self, origins: Sequence[tuple[dt.date, Origin]]) -> list[Fit]:
        """One fit per refit date and symbol, the largest positions only."""
        fits = []
        for refit_date, origin in origins:
            largest = np.argsort(-np.abs(origin.positions.values), kind="stable")[: self.fitted_symbols]
            fits += [self._fit_symbol(refit_date, origin, int(column)) for column in sorted(largest)]
        return fits

    def _fit_symbol(self, refit_date: dt.date, origin: Origin, column: int) -> Fit:
        returns = origin.returns[:, column]
        sessions, subject = len(returns), origin.symbols[column]
        if sessions < self.minimum_sessions:
            reason = f"{sessions} returns are known, {self.minimum_sessions} are needed"
            return failed(self.name, subject, refit_date, origin, reason)
        try:
            parameters = fit_gjr(returns)
        except (ValueError, np.linalg.LinAlgError) as error:
            return failed(self.name, subject, refit_date, origin, str(error))
        return fitted(self.name, subject, refit_date, origin, asdict(parameters))

    def forecast(self, origin: Origin, fits: Mapping[str, Fit], request: ForecastRequest) -> Forecast | Unavailable:
        """Simulate the joint paths."""
        made = self.forecast_with_gains(origin, fits, request, ())
        return made if isinstance(made, Unavailable) else made[0]

    def forecast_with_gains(
        self, origin: Origin, fits: Mapping[str, Fit], request: ForecastRequest, kept_horizons: tuple[int, ...]
    ) -> tuple[Forecast, PositionGains] | Unavailable:
        """The forecast, and what each position gained on the same paths at the kept horizons."""
        simulated = self._simulate(origin, fits, request, kept_horizons)
        if isinstance(simulated, Unavailable):
            return simulated
        changes, gains = simulated
        value, base = origin.positions.value, origin.positions.base
        has_drawdowns = request.has_drawdowns and value > 0
        drawdowns = drawdown_probabilities(changes, value, np.array(DRAWDOWNS)) if has_drawdowns else None
        return from_draws(changes / base, drawdowns), gains

    def _simulate(
        self, origin: Origin, fits: Mapping[str, Fit], request: ForecastRequest, kept_horizons: tuple[int, ...]
    ) -> tuple[Floats, PositionGains] | Unavailable:
        """Changes of value in currency, shape (H, n_paths), and the gains of each position at the kept horizons."""
        usable = [GjrParameters(**fit.parameters) for fit in fits.values() if fit.status == FITTED]
        if not usable:
            reasons = sorted({fit.reason for fit in fits.values()}) or ["no fit is in force"]
            return Unavailable(f"no volatility model could be fitted: {reasons[0]}")
        if len(origin.returns) < self.minimum_sessions:
            return Unavailable(f"{len(origin.returns)} returns are known, {self.minimum_sessions} are needed")
        shocks = origin.returns - origin.returns.mean(axis=0)
        omega, alpha, gamma, beta = _parameters(origin.symbols, shocks, fits, usable)
        first = np.mean(shocks[:_FIRST_VARIANCE_SESSIONS] ** 2, axis=0)
        variances = gjr_variances(shocks, omega, alpha, gamma, beta, first)
        # A series that never moves has no variance to divide by and no shock to scale.
        residuals = np.divide(shocks, np.sqrt(variances[:-1]), out=np.zeros_like(shocks), where=variances[:-1] > 0)
        residuals -= residuals.mean(axis=0)
        picks = balanced_picks(
            request.generator(origin, _STREAM), len(residuals), paths=request.paths, steps=request.horizon_days
        )
        gains = np.empty((len(kept_horizons), request.paths, len(origin.symbols)))
        changes = filtered_paths(
            residuals,
            picks,
            origin.positions.values,
            shrunk_drift(origin.returns),
            omega,
            alpha,
            gamma,
            beta,
            variances[-1],
            _slots(kept_horizons, request.horizon_days),
            gains,
        )
        return changes, PositionGains(kept_horizons, gains)


def _parameters(
    symbols: tuple[str, ...], shocks: Floats, fits: Mapping[str, Fit], usable: list[GjrParameters]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Parameter arrays of shape (k,); a symbol without a fit borrows the dynamics of the others."""
    shared = without_fits(usable)
    chosen = []
    for column, symbol in enumerate(symbols):
        fit = fits.get(symbol)
        if fit is not None and fit.status == FITTED:
            chosen.append(GjrParameters(**fit.parameters))
        else:
            chosen.append(with_variance(shared, float(np.mean(shocks[:, column] ** 2))))
    table = np.array([[one.omega, one.alpha, one.gamma, one.beta] for one in chosen]).T.copy()
    return table[0], table[1], table[2], table[3]


def _slots(kept_horizons: tuple[int, ...], horizon_days: int) -> npt.NDArray[np.int64]:
    """Slot of each horizon among the kept ones, or -1."""
    slots = np.full(horizon_days, -1, dtype=np.int64)
    for slot, horizon in enumerate(kept_horizons):
        slots[horizon - 1] = slot
    return slots
