"""What every forecast of the room agrees on: quantile levels, horizons, windows, seeds and the names of the models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quant_assets.foundation.errors import UsageError

__all__ = [
    "BLEND",
    "BLOCK_BOOTSTRAP",
    "DRAWDOWNS",
    "FILTERED_SIMULATION",
    "LEVELS",
    "LEVEL_NAMES",
    "LOWER",
    "MAXIMUM_HORIZON",
    "MEDIAN",
    "PROPHET",
    "RANDOM_WALK",
    "SELECTED",
    "TAILS",
    "UPPER",
    "Bools",
    "Floats",
    "ForecastSettings",
]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LEVELS: Floats = np.array([0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
"""Probabilities at which a distribution is kept: the 5-95 band, VaR at 95 and 99 %, deciles for the PIT histogram."""
LEVEL_NAMES = tuple(f"p{round(100 * level):02d}" for level in LEVELS)
LOWER, MEDIAN, UPPER = 1, 6, 11
"""Positions of 5, 50 and 95 % in ``LEVELS``."""
TAILS = (0, 1)
"""Positions of the levels below which a tail mean is kept: 1 % (CVaR 99) and 5 % (CVaR 95)."""
DRAWDOWNS = (0.05, 0.10, 0.20)
"""Falls from the highest value since tonight whose probability is forecast."""

RANDOM_WALK = "random_walk"
BLOCK_BOOTSTRAP = "block_bootstrap"
FILTERED_SIMULATION = "filtered_simulation"
PROPHET = "prophet"
BLEND = "blend"
SELECTED = "selected"
"""Not a model: what was served, by the record known at the time."""

MAXIMUM_HORIZON = 250
"""Sessions; beyond a year the drift assumption decides everything and ten years of history hold ten observations."""


@dataclass(frozen=True, slots=True)
class ForecastSettings:
    """How forecasts are made and judged.

    Parameters
    ----------
    horizon_days : int
        Longest horizon in sessions, 1 to 250; every horizon from 1 on is forecast.
    origin_step : int
        Sessions between two rolling origins. Origins are the exchange sessions whose number since 1990 is a multiple
        of it, so that a longer history moves none.
    minimum_sessions : int
        Returns that a model with fitted parameters or resampled history needs: a year.
    window_sessions : int
        Newest returns used at most: ten years, so that the dot-com years leave the window in time.
    joining_sessions : int
        Returns of its own that a holding needs at a refit date to enter the rolling origins of that quarter.
    rolling_paths, nightly_paths : int
        Simulated paths of a rolling origin and of tonight, for up to 20 holdings; fewer for more holdings.
    seed : int
    """

    horizon_days: int = 60
    origin_step: int = 5
    minimum_sessions: int = 250
    window_sessions: int = 2_520
    joining_sessions: int = 60
    rolling_paths: int = 2_000
    nightly_paths: int = 10_000
    seed: int = 20_080_915

    def __post_init__(self) -> None:
        if not 1 <= self.horizon_days <= MAXIMUM_HORIZON:
            raise UsageError(
                f"a forecast horizon of {self.horizon_days} sessions is not served; choose 1 to {MAXIMUM_HORIZON}."
            )
        if self.origin_step < 1 or self.rolling_paths < 100 or self.nightly_paths < 100:
            raise UsageError("rolling origins need a step of at least 1 session and forecasts at least 100 paths.")

    def paths_of_origin(self, holdings: int) -> int:
        """Paths of a rolling origin: 2,000 up to 20 holdings, then the same work, never under 250."""
        return max(min(250, self.rolling_paths), min(self.rolling_paths, self.rolling_paths * 20 // max(holdings, 1)))

    def paths_tonight(self, holdings: int) -> int:
        """Paths of tonight's forecast: 10,000 up to 20 holdings, then the same work, never under 2,000."""
        return max(min(2_000, self.nightly_paths), min(self.nightly_paths, self.nightly_paths * 20 // max(holdings, 1)))
