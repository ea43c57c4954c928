"""The heuristic: four rules of thumb, used where no champion exists or scoring fails, and a baseline everywhere else.

Each rule gives a part between -1 and 1; the score is their weighted sum, also between -1 and 1:

- momentum (weight 0.40): return of 60 sessions over its volatility, ``r60 / (vol60 sqrt(60 / 252))``, halved, within 1;
- reversal (0.20): ``(50 - RSI) / 20``, within 1, so that 30 and below is 1 and 70 and above is -1;
- MACD (0.25): histogram over a quarter of the average true range, within 1;
- volume (0.15): the sign of the session's return times the excess of volume over its 20-session mean, within 1.

A rule whose inputs are not known counts 0; where none is known there is no score. The weights and spans are customary,
not fitted. What they are worth is measured like any model's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from quant_assets.signals.calibration import PlattMap, dispersion, fit_platt, log_odds

__all__ = [
    "HEURISTIC_SESSIONS",
    "RULES",
    "RULE_FEATURES",
    "WEIGHTS",
    "fit_heuristic_line",
    "heuristic_parts",
    "heuristic_score",
]

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]

RULES: tuple[str, ...] = ("momentum", "reversal", "macd", "volume")
RULE_FEATURES: tuple[str, ...] = (
    "rate_of_change_60d",
    "realised_volatility_ann_60",
    "rsi_14",
    "macd_hist_ratio",
    "natr_14",
    "price_change_1d",
    "volume_ratio",
)
"""Columns of the feature store that the rules read."""
HEURISTIC_SESSIONS = 1260
"""Newest sessions, five years, that calibrate the score, on a night that needs it and in each fold alike."""
WEIGHTS: Floats = np.array([0.40, 0.20, 0.25, 0.15])


def heuristic_parts(matrix: Matrix, features: Sequence[str]) -> Floats:
    """Weighted parts of each row, shape (n, 4) in the order of ``RULES``; NaN where a rule's inputs are not known.

    Parameters
    ----------
    matrix : array, shape (n, k)
    features : sequence of str
        Names of the columns; a rule whose column is missing is not known.
    """
    place = {name: position for position, name in enumerate(features)}

    def column(name: str) -> Floats:
        return matrix[:, place[name]].astype(np.float64) if name in place else np.full(len(matrix), np.nan)

    with np.errstate(divide="ignore", invalid="ignore"):
        spread = column("realised_volatility_ann_60") * np.sqrt(60.0 / 252.0)
        momentum = column("rate_of_change_60d") / spread / 2.0
        reversal = (50.0 - column("rsi_14")) / 20.0
        macd = column("macd_hist_ratio") / (column("natr_14") / 100.0) * 4.0
        volume = np.sign(column("price_change_1d")) * np.maximum(column("volume_ratio") - 1.0, 0.0)
    parts = np.column_stack([momentum, reversal, macd, volume])
    parts[~np.isfinite(parts)] = np.nan
    weighted: Floats = np.clip(parts, -1.0, 1.0) * WEIGHTS
    return weighted


def fit_heuristic_line(
    score: Floats, labels: Floats, base_rate: Floats, dates: npt.NDArray[np.datetime64], *, horizon_days: int = 1
) -> PlattMap:
    """What the score adds to the log-odds of each symbol's base rate, never in the wrong direction.

    Parameters
    ----------
    score, labels, base_rate : array, shape (n,)
        Rows without a score are left out. Without any, the line adds nothing.
    dates : array of datetime64[D], shape (n,)
    """
    known = ~np.isnan(score)
    if not known.any():
        return PlattMap(0.0, 0.0)
    offsets = log_odds(base_rate[known])
    return fit_platt(
        score[known],
        labels[known],
        offsets=offsets,
        prior_slope=0.0,
        inflation=dispersion(offsets, labels[known], dates[known], horizon_days=horizon_days),
    )


def heuristic_score(parts: Floats) -> Floats:
    """Score of each row, shape (n,); NaN where no rule is known."""
    known = ~np.isnan(parts)
    return np.where(known.any(axis=1), np.where(known, parts, 0.0).sum(axis=1), np.nan)
