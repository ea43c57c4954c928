"""One synthetic market with known regimes, fixed once so that nobody chooses the difficulty of the test.

The market's daily log return has the mean and volatility of its regime and Student-t residuals with 6 degrees of
freedom scaled to unit variance. A regime lasts a geometric time with the stated mean and goes to each of the others
with equal probability, so the regimes are a Markov chain and the Bayes filter of the market's returns is known exactly:
it is the ceiling for anything that looks at prices. The other symbols follow the market with their own beta and noise
that does not depend on the regime. Given the market's return they therefore say nothing more about it, which is the
harder reading of "correlated symbols" and keeps the ceiling exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = ["REFERENCE", "ReferenceParameters", "ReferencePath", "reference_path", "true_filter"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReferenceParameters:
    """The market's parameters; regimes in the order bullish, bearish, sideways, high volatility.

    Parameters
    ----------
    mean_pct, volatility_pct : tuple of float
        Daily, in per cent.
    mean_stay : tuple of float
        Sessions.
    tail_degrees : float
    symbols, sessions : int
    """

    mean_pct: tuple[float, ...] = (0.06, -0.12, 0.0, 0.0)
    volatility_pct: tuple[float, ...] = (0.9, 1.8, 0.6, 3.0)
    mean_stay: tuple[float, ...] = (120.0, 80.0, 90.0, 30.0)
    tail_degrees: float = 6.0
    symbols: int = 20
    sessions: int = 20 * 252

    @property
    def transition(self) -> Floats:
        """Row: regime of the session before; column: regime of the session."""
        leave = 1.0 / np.asarray(self.mean_stay)
        matrix = np.tile(leave[:, None] / (len(leave) - 1), (1, len(leave)))
        np.fill_diagonal(matrix, 1.0 - leave)
        return np.asarray(matrix)

    @property
    def stationary(self) -> Floats:
        """Long-run share of each regime; with equal chances after leaving it is proportional to the mean stay."""
        stay = np.asarray(self.mean_stay)
        return np.asarray(stay / stay.sum())


REFERENCE = ReferenceParameters()


@dataclass(frozen=True, slots=True)
class ReferencePath:
    """One realisation.

    Parameters
    ----------
    states : array of int, shape (n,)
        True regime of each session.
    market_returns : array, shape (n,)
        Log returns.
    symbol_returns : array, shape (n, s)
        Log returns.
    """

    states: npt.NDArray[np.int64]
    market_returns: Floats
    symbol_returns: Floats


def reference_path(rng: np.random.Generator, parameters: ReferenceParameters = REFERENCE) -> ReferencePath:
    """Draw a market: betas uniform on 0.6 to 1.4, own noise with a daily volatility uniform on 0.8 to 1.6 per cent."""
    n = parameters.sessions
    states = np.empty(n, dtype=np.int64)
    states[0] = rng.choice(len(parameters.mean_stay), p=parameters.stationary)
    thresholds, draws = parameters.transition.cumsum(axis=1), rng.random(n)
    for t in range(1, n):
        states[t] = min(np.searchsorted(thresholds[states[t - 1]], draws[t]), len(thresholds) - 1)
    unit = math.sqrt(parameters.tail_degrees / (parameters.tail_degrees - 2))
    means, volatilities = np.asarray(parameters.mean_pct) / 100, np.asarray(parameters.volatility_pct) / 100
    market = means[states] + volatilities[states] * rng.standard_t(parameters.tail_degrees, n) / unit
    betas = rng.uniform(0.6, 1.4, parameters.symbols)
    noise = rng.uniform(0.008, 0.016, parameters.symbols)
    own = rng.standard_t(parameters.tail_degrees, (n, parameters.symbols)) / unit * noise
    return ReferencePath(states, market, market[:, None] * betas + own)


def true_filter(market_returns: Floats, parameters: ReferenceParameters = REFERENCE) -> Floats:
    """Filtered regime probabilities with the true parameters, shape (n, 4): nothing that sees prices does better."""
    unit = math.sqrt(parameters.tail_degrees / (parameters.tail_degrees - 2))
    spread = np.asarray(parameters.volatility_pct) / 100 / unit
    standard = (market_returns[:, None] - np.asarray(parameters.mean_pct) / 100) / spread
    density = stats.t.logpdf(standard, parameters.tail_degrees) - np.log(spread)
    out = np.empty((len(density), len(spread)))
    previous, transition = parameters.stationary, parameters.transition
    for t, row in enumerate(density):
        weight = (previous @ transition) * np.exp(row - row.max())
        previous = weight / weight.sum()
        out[t] = previous
    return out
