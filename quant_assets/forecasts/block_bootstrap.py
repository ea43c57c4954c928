"""Historical simulation: blocks of past sessions, drawn jointly for all holdings and laid end to end.

Blocks of 10 sessions keep the clustering of volatility within two weeks. The newest 1,000 sessions are drawn from
(four years: with all ten, the 5-95 band of calm years holds 97 % of outcomes). Source: Kunsch (1989), Annals of
Statistics 17(3). Returns are moved so that their mean is the shrunk drift.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.forecasts.distribution import (
    Fit,
    Forecast,
    ForecastRequest,
    Origin,
    Unavailable,
    balanced_picks,
    from_draws,
)
from quant_assets.forecasts.drift import shrunk_drift
from quant_assets.forecasts.parameters import BLOCK_BOOTSTRAP, DRAWDOWNS
from quant_assets.forecasts.path_simulation import drawdown_probabilities, drawn_paths

__all__ = ["BlockBootstrap"]

_STREAM = 2


@dataclass(frozen=True, slots=True)
class BlockBootstrap:
    """Overlapping blocks of past sessions with replacement.

    Parameters
    ----------
    block_sessions : int
        1 would forget the clustering of volatility, 60 leave a thousand sessions 17 different blocks.
    window_sessions : int
        Newest returns that blocks are drawn from.
    minimum_sessions : int
        Returns needed.
    """

    block_sessions: int = 10
    window_sessions: int = 1_000
    minimum_sessions: int = 250

    @property
    def name(self) -> str:
        """As stored."""
        return BLOCK_BOOTSTRAP

    def fit(self, origins: Sequence[tuple[dt.date, Origin]]) -> list[Fit]:
        """Nothing to fit between refit dates."""
        del origins
        return []

    def forecast(self, origin: Origin, fits: Mapping[str, Fit], request: ForecastRequest) -> Forecast | Unavailable:
        """Draw paths from the newest window."""
        del fits
        count = len(origin.returns)
        if count < self.minimum_sessions:
            return Unavailable(f"{count} returns of the holdings are known, {self.minimum_sessions} are needed")
        window = np.ascontiguousarray(origin.returns[-self.window_sessions :])
        blocks = -(-request.horizon_days // self.block_sessions)
        last_start = len(window) - self.block_sessions
        generator = request.generator(origin, _STREAM)
        starts = balanced_picks(generator, last_start + 1, paths=request.paths, steps=blocks)
        picks = (starts[:, :, None] + np.arange(self.block_sessions)).reshape(request.paths, -1)
        picks = np.ascontiguousarray(picks[:, : request.horizon_days])
        shift = shrunk_drift(origin.returns) - window.mean(axis=0)
        changes = drawn_paths(window, picks, origin.positions.values, shift)
        value, base = origin.positions.value, origin.positions.base
        has_drawdowns = request.has_drawdowns and value > 0
        drawdowns = drawdown_probabilities(changes, value, np.array(DRAWDOWNS)) if has_drawdowns else None
        return from_draws(changes / base, drawdowns)
