"""What a label says about the next 20 sessions of real history, where no truth is known.

A label is useful where risk differs by it. For each session: the annualised volatility and the deepest loss of the next
20 sessions. Their means by today's label come from a regression on label dummies. Neighbouring sessions share 19 of
their 20 days and a label lasts for 42 sessions on average, so standard errors are Newey and West's (1987, Econometrica
55) with 60 lags (statsmodels).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import polars as pl
from statsmodels.regression.linear_model import OLS

from quant_assets.regimes.scores import SESSIONS_PER_YEAR
from quant_assets.regimes.states import STATE_COUNT, STATES

__all__ = ["AHEAD", "LAGS", "label_habits", "next_drawdown", "next_volatility", "separation"]

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int64]

AHEAD = 20
LAGS = 60
"""A stay of 42 sessions and the 19 that neighbouring outcomes share. Bartlett's weights halve what lies half-way, so 20
lags, the outcome's length alone, leave out most of the dependence within a stay."""
_FEW = 30
"""Sessions of a label below which no mean is given."""


def next_volatility(close: Floats) -> Floats:
    """Annualised root mean square log return of the next 20 sessions; NaN in the last 20 rows."""
    squares = np.diff(np.log(close)) ** 2
    out = np.full(len(close), np.nan)
    for t in range(len(close) - AHEAD):
        out[t] = math.sqrt(squares[t : t + AHEAD].mean() * SESSIONS_PER_YEAR)
    return out


def next_drawdown(close: Floats) -> Floats:
    """Deepest fall from a high of the next 20 sessions, today's close included; 0 or negative, NaN in the last 20."""
    out = np.full(len(close), np.nan)
    for t in range(len(close) - AHEAD):
        ahead = close[t : t + AHEAD + 1]
        out[t] = (ahead / np.maximum.accumulate(ahead)).min() - 1
    return out


def separation(outcome: Floats, states: States) -> pl.DataFrame:
    """Mean outcome by label with Newey-West errors, and the share of variance that labels explain.

    Parameters
    ----------
    outcome : array, shape (n,)
        NaN where unknown.
    states : array of int, shape (n,)

    Returns
    -------
    polars.DataFrame
        slice (a regime, or all), value, standard_error. For ``all`` the value is R squared and there is no error. A
        regime with fewer than 30 sessions has null.
    """
    known = np.isfinite(outcome)
    y, labels = outcome[known], states[known]
    counts = np.bincount(labels, minlength=STATE_COUNT)
    usable = np.flatnonzero(counts >= _FEW)
    rows: dict[int, tuple[float | None, float | None]] = dict.fromkeys(range(STATE_COUNT), (None, None))
    explained = None
    if len(usable):
        inside = np.isin(labels, usable)
        dummies = (labels[inside, None] == usable).astype(float)
        fit = OLS(y[inside], dummies).fit(cov_type="HAC", cov_kwds={"maxlags": min(LAGS, int(inside.sum()) - 1)})
        rows |= {int(state): (float(fit.params[i]), float(fit.bse[i])) for i, state in enumerate(usable)}
        spread = ((y[inside] - y[inside].mean()) ** 2).sum()
        explained = float(1 - (fit.resid**2).sum() / spread) if spread > 0 else None
    values = [*rows.values(), (explained, None)]
    return pl.DataFrame(
        {
            "slice": [*(str(state) for state in STATES), "all"],
            "value": [value for value, _ in values],
            "standard_error": [error for _, error in values],
        },
        schema={"slice": pl.String, "value": pl.Float64, "standard_error": pl.Float64},
    )


def label_habits(states: States) -> dict[str, float]:
    """Flips a year, mean stay in sessions (completed and running stays alike), and the share of each label."""
    flips = int((np.diff(states) != 0).sum())
    shares = np.bincount(states, minlength=STATE_COUNT) / len(states)
    habits = {
        "flips_per_year": flips / (len(states) / SESSIONS_PER_YEAR),
        "mean_stay_sessions": len(states) / (flips + 1),
    }
    return habits | {f"share_{state}": float(share) for state, share in zip(STATES, shares, strict=True)}
