"""Regime and return paths. Index t of every array depends on draws up to t alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.replay.synthetic.parameters import MarketParameters
from quant_assets.replay.synthetic.streams import MARKET, Purpose, stream

__all__ = ["MarketPath", "SymbolPath", "autoregression", "market_path", "symbol_path"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MarketPath:
    """The market: state number, log return (fraction) and standard deviation of that return, session by session."""

    states: npt.NDArray[np.int64]
    log_returns: Floats
    volatilities: Floats


@dataclass(frozen=True, slots=True)
class SymbolPath:
    """A symbol: log total return and its standard deviation given state and clusters; its fixed traits."""

    log_returns: Floats
    volatilities: Floats
    beta: float
    idiosyncratic_ratio: float
    first_price: float


def market_path(parameters: MarketParameters, seed: int, sessions: int) -> MarketPath:
    """Draw the market's states and returns over ``sessions`` sessions."""
    states = _regime_states(parameters, seed, sessions)
    mean = np.array([regime.mean_pct for regime in parameters.regimes])[states] / 100
    volatility = np.array([regime.volatility_pct for regime in parameters.regimes])[states] / 100
    volatility = volatility * _clusters(parameters, seed, MARKET, sessions)
    residual = _unit_t(parameters, stream(seed, Purpose.RETURN, MARKET), sessions)
    return MarketPath(states, mean + volatility * residual, volatility)


def symbol_path(parameters: MarketParameters, market: MarketPath, seed: int, number: int) -> SymbolPath:
    """Draw one symbol's returns along the market's."""
    sessions = len(market.states)
    traits = stream(seed, Purpose.TRAITS, number).random(3)
    beta, ratio, first_price = (
        low + (high - low) * draw
        for draw, (low, high) in zip(
            traits,
            (parameters.beta_range, parameters.idiosyncratic_range, parameters.first_price_range),
            strict=True,
        )
    )
    # The state's volatility, without the market's own cluster: clusters of a symbol are its own.
    level = np.array([regime.volatility_pct for regime in parameters.regimes])[market.states] / 100
    own = ratio * level * _clusters(parameters, seed, number, sessions)
    residual = _unit_t(parameters, stream(seed, Purpose.RETURN, number), sessions)
    if parameters.autocorrelation:
        innovation = np.sqrt(1 - parameters.autocorrelation**2)
        residual = autoregression(residual * innovation, parameters.autocorrelation)
    volatility = np.sqrt((beta * market.volatilities) ** 2 + own**2)
    return SymbolPath(beta * market.log_returns + own * residual, volatility, beta, ratio, first_price)


def _regime_states(parameters: MarketParameters, seed: int, sessions: int) -> npt.NDArray[np.int64]:
    draws = stream(seed, Purpose.REGIME, MARKET).random((sessions, 2))
    stays = np.array([regime.mean_stay for regime in parameters.regimes])
    count = len(stays)
    leave = 1.0 / stays
    states = np.zeros(sessions, dtype=np.int64)
    # Long-run shares: states are entered equally often, so each has a share in proportion to its stay.
    state = int(np.searchsorted(np.cumsum(stays) / stays.sum(), draws[0, 1])) if sessions else 0
    for position, (leaves, target) in enumerate(draws.tolist()):
        if position and count > 1 and leaves < leave[state]:
            state = (state + 1 + int(target * (count - 1))) % count
        states[position] = state
    return states


def _unit_t(parameters: MarketParameters, generator: np.random.Generator, sessions: int) -> Floats:
    degrees = parameters.tail_degrees
    drawn: Floats = generator.standard_t(degrees, sessions) * np.sqrt((degrees - 2) / degrees)
    return drawn


def _clusters(parameters: MarketParameters, seed: int, number: int, sessions: int) -> Floats:
    """Multiplier of volatility with mean square 1: the exponential of a stationary first-order autoregression."""
    spread = parameters.cluster_log_sd
    if spread == 0:
        return np.ones(sessions)
    normal = stream(seed, Purpose.CLUSTER, number).standard_normal(sessions)
    persistence = parameters.cluster_persistence
    shocks = normal * spread * np.sqrt(1 - persistence**2)
    shocks[:1] = normal[:1] * spread
    multiplier: Floats = np.exp(autoregression(shocks, persistence) - spread**2)
    return multiplier


def autoregression(shocks: Floats, coefficient: float) -> Floats:
    """``x[t] = coefficient * x[t-1] + shocks[t]``, by a compiled exponential mean."""
    if not len(shocks):
        return shocks
    # A negative coefficient is the positive one with every other sign turned.
    signs = np.where(np.arange(len(shocks)) % 2, np.sign(coefficient) or 1.0, 1.0)
    scaled = signs * shocks / (1 - abs(coefficient))
    scaled[0] = shocks[0]
    recursion: Floats = signs * pl.Series(scaled).ewm_mean(alpha=1 - abs(coefficient), adjust=False).to_numpy()
    return recursion
