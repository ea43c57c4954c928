"""The one hand-over between models and everything else: what is known at an origin, a fit, and a forecast.

Changes of the portfolio's value are measured as fractions of its base (absolute positions plus absolute cash), which
is the value itself where nothing is short, and never crosses zero.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from quant_assets.forecasts.holdings import Positions
from quant_assets.forecasts.parameters import LEVELS, TAILS, Floats

__all__ = [
    "FAILED",
    "FITTED",
    "Fit",
    "Forecast",
    "ForecastModel",
    "ForecastRequest",
    "Origin",
    "Unavailable",
    "average_forecast",
    "balanced_picks",
    "failed",
    "fitted",
    "from_draws",
]

FITTED = "fitted"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a forecast may use: everything known at the close of one session.

    Parameters
    ----------
    date : date
    symbols : tuple of str
        The k holdings that take part.
    returns : Floats
        Shape (n, k): log returns up to ``date``, oldest first, complete.
    positions : Positions
        Money in each of the k holdings, and cash, at ``date``.
    sessions : ndarray of datetime64[D]
        Shape (n + 1,): the session before the first return, then the session of each return.
    days_ahead : Floats
        Shape (n_horizons,): calendar days to each session to come.
    """

    date: dt.date
    symbols: tuple[str, ...]
    sessions: npt.NDArray[np.datetime64]
    returns: Floats
    positions: Positions
    days_ahead: Floats

    def changes(self) -> Floats:
        """What each past session would have done to today's positions, as a fraction of the base, shape (n,)."""
        return np.asarray(np.expm1(self.returns) @ (self.positions.values / self.positions.base))

    def equity(self) -> Floats:
        """Value of today's holdings on each past session in currency, shape (n + 1,); the last one is today's value."""
        total = np.cumsum(self.returns, axis=0)
        relative = np.exp(np.vstack([np.zeros((1, len(self.symbols))), total]) - total[-1])
        return np.asarray(relative @ self.positions.values + self.positions.cash)


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted parameters of one model for one subject, or why there are none.

    Parameters
    ----------
    model, subject : str
        The subject is a symbol, or ``portfolio``.
    refit_date : date
        First session that the fit may serve; it saw only earlier rows.
    status : str
        ``fitted`` or ``failed``.
    reason : str
        Why it failed; empty otherwise.
    fitted_from, fitted_to : date, optional
        First and last session of the returns used.
    sessions : int
        Returns used.
    parameters : dict
        Plain numbers and lists, as stored.
    """

    model: str
    subject: str
    refit_date: dt.date
    status: str
    reason: str = ""
    fitted_from: dt.date | None = None
    fitted_to: dt.date | None = None
    sessions: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)


def _as_fitted(model: str, subject: str, refit_date: dt.date, origin: Origin, *, status: str, **more: Any) -> Fit:
    first: dt.date = origin.sessions[1].item()
    return Fit(
        model,
        subject,
        refit_date,
        status,
        fitted_from=first,
        fitted_to=origin.date,
        sessions=len(origin.returns),
        **more,
    )


def fitted(model: str, subject: str, refit_date: dt.date, origin: Origin, parameters: dict[str, Any]) -> Fit:
    """A fit that worked."""
    return _as_fitted(model, subject, refit_date, origin, status=FITTED, parameters=parameters)


def failed(model: str, subject: str, refit_date: dt.date, origin: Origin, reason: str) -> Fit:
    """A fit that did not, and why."""
    return _as_fitted(model, subject, refit_date, origin, status=FAILED, reason=reason)


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A model that cannot forecast this portfolio on this date, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """Distribution of the change of value over 1 to H sessions, as fractions of the base.

    Parameters
    ----------
    quantiles : Floats
        Shape (H, n_levels), rising along the levels of ``LEVELS``.
    mean : Floats
        Shape (H,).
    tail_means : Floats
        Shape (H, 2): mean change given that it lies below the 1 % and the 5 % quantile.
    drawdowns : Floats, optional
        Shape (H, 3): probability of a fall of 5, 10, 20 % from the highest value within the horizon; None for a model
        without paths, or where it was not asked for.
    """

    quantiles: Floats
    mean: Floats
    tail_means: Floats
    drawdowns: Floats | None = None


@dataclass(frozen=True, slots=True)
class ForecastRequest:
    """How much work a forecast is worth: horizons, paths, the seed, and whether drawdowns are wanted."""

    horizon_days: int
    paths: int
    seed: int
    has_drawdowns: bool = False

    def generator(self, origin: Origin, stream: int) -> np.random.Generator:
        """Random numbers that depend on the date and the model alone: one seed, one result."""
        return np.random.default_rng([self.seed, origin.date.toordinal(), stream])


class ForecastModel(Protocol):
    """What every model offers."""

    @property
    def name(self) -> str:
        """As stored in the column ``model``."""
        ...

    def fit(self, origins: Sequence[tuple[dt.date, Origin]]) -> list[Fit]:
        """Fits due at the given refit dates, each seeing the origin of the session before; [] without parameters."""
        ...

    def forecast(self, origin: Origin, fits: Mapping[str, Fit], request: ForecastRequest) -> Forecast | Unavailable:
        """Forecast from the origin with the model's fits in force, by subject."""
        ...


def balanced_picks(generator: np.random.Generator, rows: int, *, paths: int, steps: int) -> npt.NDArray[np.int64]:
    """Rows to draw, shape (paths, steps): at each step every row is drawn as often as the others, or once less.

    The balanced bootstrap (Davison, Hinkley and Schechtman 1986, Biometrika 73(3)): with 2,000 paths from 2,520 rows
    the sampling error of the median is less than half of what independent draws give.
    """
    repeats = -(-paths // rows)
    whole = np.broadcast_to(np.arange(rows, dtype=np.int64), (steps, repeats, rows))
    shuffled = generator.permuted(whole, axis=2).reshape(steps, repeats * rows)
    return np.ascontiguousarray(shuffled[:, :paths].T)


def from_draws(draws: Floats, drawdowns: Floats | None = None) -> Forecast:
    """Forecast from simulated changes.

    Parameters
    ----------
    draws : Floats
        Shape (H, n_paths), fractions of the base, in any order; sorted in place along the paths.
    """
    draws.sort(axis=1)
    count = draws.shape[1]
    where = LEVELS * (count - 1)
    below = np.floor(where).astype(np.int64)
    above = np.minimum(below + 1, count - 1)
    quantiles = draws[:, below] + (where - below) * (draws[:, above] - draws[:, below])
    tails = [draws[:, : max(1, round(LEVELS[level] * count))].mean(axis=1) for level in TAILS]
    return Forecast(quantiles, draws.mean(axis=1), np.column_stack(tails), drawdowns)


def average_forecast(forecasts: Sequence[Forecast]) -> Forecast:
    """Average of quantiles, level by level (Lichtendahl, Grushka-Cockayne and Winkler 2013, Management Science 59(7)).

    Drawdown probabilities are averaged over the forecasts that have them.
    """
    with_paths = [one.drawdowns for one in forecasts if one.drawdowns is not None]
    return Forecast(
        np.mean([one.quantiles for one in forecasts], axis=0),
        np.mean([one.mean for one in forecasts], axis=0),
        np.mean([one.tail_means for one in forecasts], axis=0),
        np.mean(with_paths, axis=0) if with_paths else None,
    )
