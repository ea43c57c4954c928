"""What the four names mean before any data is seen: the prior of every fit and the rule that names its states.

A regime is a level of volatility and a direction. The levels are a ladder with equal ratios around the long-run
volatility: sideways lowest, then bullish, bearish, high volatility. The direction is the mean t-statistic of the last
60 sessions: bullish half a standard error up, bearish half down, the others none.

The ladder's centre is the root mean square return of the training window, pulled towards a long-run figure that counts
as ``prior_sessions`` sessions, because two calm years do not show what calm means. The pull fades when the window
contradicts it (a market of bonds or of coins): its weight is multiplied by exp(-d^2 / 2), d being the difference of log
volatilities in units of one half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quant_assets.regimes.features import MOVE_POWER, Feature
from quant_assets.regimes.states import STATE_COUNT

__all__ = ["MARKET_ANCHORS", "SYMBOL_ANCHORS", "Anchors", "feature_priors", "ladder"]

Floats = npt.NDArray[np.float64]

LADDER_RATIO = 1.9
"""Volatility of one step over the next: 0.38, 0.73, 1.38 and 2.62 times the centre. Accuracy on twenty development
markets (seeds 100 to 119) was 80.2, 80.7 and 80.2 % for ratios of 1.8, 1.9 and 2.0."""
RUNGS = np.array([-0.5, 0.5, -1.5, 1.5])
DIRECTIONS = np.array([0.5, -0.5, 0.0, 0.0])
_DOUBT = 0.5
"""Difference of log volatilities at which the long-run figure starts to lose its say: a factor of 1.65."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Prior of a kind of series.

    Parameters
    ----------
    volatility : float
        Long-run daily volatility in units of the features' scale.
    prior_sessions : float
        Sessions of evidence that it counts for.
    """

    volatility: float
    prior_sessions: float = 2000.0


MARKET_ANCHORS = Anchors(volatility=1.2)
"""1.2 per cent a day, 19 per cent a year: the rough long-run figure of US equity indices since the 1920s, worth eight
years of evidence. The market's features are in per cent. On the development markets, whose own figure is 1.44, accuracy
was 80.2 % with it, 79.4 % with 1.0 or 1.4, and 76.7 % without (mostly lost in the first years). For another kind of
market (bonds, coins) it fades by itself."""
SYMBOL_ANCHORS = Anchors(volatility=1.0)
"""A symbol is measured in units of its own long-run volatility, so the long-run figure is one."""


def ladder(moves: Floats, anchors: Anchors) -> Floats:
    """Volatility that each state's name stands for.

    Parameters
    ----------
    moves : array, shape (n,)
        Returns of the training window in units of the scale.
    anchors : Anchors

    Returns
    -------
    array, shape (4,)
        In the order of ``STATES``, in units of the scale.
    """
    seen = float(np.mean(moves**2))
    doubt = math.log(max(math.sqrt(seen), 1e-12) / anchors.volatility) / _DOUBT
    weight = anchors.prior_sessions * math.exp(-(doubt**2) / 2)
    centre = math.sqrt((len(moves) * seen + weight * anchors.volatility**2) / (len(moves) + weight))
    return np.asarray(centre * LADDER_RATIO**RUNGS)


def feature_priors(features: tuple[Feature, ...], volatilities: Floats, matrix: Floats) -> tuple[Floats, Floats]:
    """Prior mean and variance of each feature in each state.

    The two features of a single session follow from a normal return of the state's volatility: the asinh by 40-point
    Gauss-Hermite quadrature, the power from ``E|z|^p = 2^(p/2) gamma((p + 1) / 2) / sqrt(pi)``. Trend has the state's
    direction; the rest start from the window's own mean and variance.

    Parameters
    ----------
    features : tuple of Feature
        Columns of ``matrix``.
    volatilities : array, shape (4,)
        From :func:`ladder`.
    matrix : array, shape (n, k)
        Features of the training window without NaN.

    Returns
    -------
    tuple of array, shape (4, k)
    """
    means = np.tile(matrix.mean(axis=0), (STATE_COUNT, 1))
    variances = np.tile(matrix.var(axis=0), (STATE_COUNT, 1))
    own = {
        "return_1d": _of_asinh(volatilities),
        "move_size_1d": _of_power(volatilities, MOVE_POWER),
        "trend_60d": (DIRECTIONS, np.ones(STATE_COUNT)),
    }
    for column, feature in enumerate(features):
        if feature.name in own:
            means[:, column], variances[:, column] = own[feature.name]
    return means, variances


def _of_asinh(volatilities: Floats) -> tuple[Floats, Floats]:
    """Mean, 0 by symmetry, and variance of asinh(v z) for standard normal z."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    return np.zeros(STATE_COUNT), np.arcsinh(volatilities[:, None] * nodes) ** 2 @ (weights / weights.sum())


def _of_power(volatilities: Floats, power: float) -> tuple[Floats, Floats]:
    """Mean and variance of |v z|^p for standard normal z."""
    first, second = (2 ** (p / 2) * math.gamma((p + 1) / 2) / math.sqrt(math.pi) for p in (power, 2 * power))
    return volatilities**power * first, volatilities ** (2 * power) * (second - first**2)
