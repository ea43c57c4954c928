"""The baseline: a random walk with drift, normal in the log of the value.

Drift is the plain mean over the window, volatility the standard deviation of the newest 250 sessions, both of the log
change that today's holdings would have seen. A year of volatility makes it a stronger baseline than the whole window
(on the goal portfolio its pinball loss is 2 to 6 % lower), so a model that beats it has shown something. Where the
value is not positive or a past session would have ruined the portfolio, the change itself is taken as normal.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from quant_assets.forecasts.distribution import Fit, Forecast, ForecastRequest, Origin, Unavailable
from quant_assets.forecasts.parameters import DRAWDOWNS, LEVELS, RANDOM_WALK, TAILS, Floats
from quant_assets.forecasts.path_simulation import drawdown_probabilities

__all__ = ["RandomWalk"]

_STREAM = 1
_NORMAL = NormalDist()
_SCORES: Floats = np.array([_NORMAL.inv_cdf(float(level)) for level in LEVELS])


@dataclass(frozen=True, slots=True)
class RandomWalk:
    """Normal log changes with constant drift and volatility.

    Parameters
    ----------
    volatility_sessions : int
        Newest sessions that the volatility is measured on.
    minimum_sessions : int
        Returns needed; 20 give a volatility with a standard error of 16 %.
    """

    volatility_sessions: int = 250
    minimum_sessions: int = 20

    @property
    def name(self) -> str:
        """As stored."""
        return RANDOM_WALK

    def fit(self, origins: Sequence[tuple[dt.date, Origin]]) -> list[Fit]:
        """Nothing to fit between refit dates."""
        del origins
        return []

    def forecast(self, origin: Origin, fits: Mapping[str, Fit], request: ForecastRequest) -> Forecast | Unavailable:
        """Closed form; only drawdowns are simulated."""
        del fits
        count = len(origin.returns)
        if count < self.minimum_sessions:
            return Unavailable(f"{count} returns of the holdings are known, {self.minimum_sessions} are needed")
        value, base = origin.positions.value, origin.positions.base
        relative = origin.changes() * (base / value) if value > 0 else np.array([-1.0])
        is_log = bool((relative > -1).all())
        steps = np.log1p(relative) if is_log else origin.changes()
        drift, deviation = float(steps.mean()), float(steps[-self.volatility_sessions :].std(ddof=1))
        horizons = np.arange(1, request.horizon_days + 1, dtype=np.float64)
        centre, spread = drift * horizons, deviation * np.sqrt(horizons)
        if not is_log:
            return _normal(centre, spread)
        drawdowns = None
        if request.has_drawdowns:
            normal = request.generator(origin, _STREAM).standard_normal((request.paths, request.horizon_days))
            paths = value * np.expm1(np.cumsum(drift + deviation * normal, axis=1).T)
            drawdowns = drawdown_probabilities(np.ascontiguousarray(paths), value, np.array(DRAWDOWNS))
        return _log_normal(centre, spread, value / base, drawdowns)


def _normal(centre: Floats, spread: Floats) -> Forecast:
    """Normal change as a fraction of the base; the tail mean is ``centre - spread * phi(z) / p``."""
    tails = np.column_stack([centre - spread * _NORMAL.pdf(float(_SCORES[i])) / LEVELS[i] for i in TAILS])
    return Forecast(centre[:, None] + spread[:, None] * _SCORES, centre, tails)


def _log_normal(centre: Floats, spread: Floats, scale: float, drawdowns: Floats | None) -> Forecast:
    """Log-normal value; the tail mean is ``exp(centre + spread^2 / 2) Phi(z - spread) / p - 1``."""
    growth = np.exp(centre + 0.5 * spread**2)
    tails = np.column_stack([growth * _below(_SCORES[i] - spread) / LEVELS[i] - 1.0 for i in TAILS])
    quantiles = np.expm1(centre[:, None] + spread[:, None] * _SCORES)
    return Forecast(scale * quantiles, scale * (growth - 1.0), scale * tails, drawdowns)


def _below(scores: Floats) -> Floats:
    """Standard normal distribution function."""
    return np.array([0.5 * math.erfc(-score / math.sqrt(2.0)) for score in scores.tolist()])
