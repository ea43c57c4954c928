"""The models of the room. Adding one is a file with the interface and a line here; the blend averages two of them."""

from __future__ import annotations

from quant_assets.forecasts.block_bootstrap import BlockBootstrap
from quant_assets.forecasts.distribution import Forecast, ForecastModel, Unavailable, average_forecast
from quant_assets.forecasts.filtered_simulation import FilteredSimulation
from quant_assets.forecasts.parameters import BLEND, FILTERED_SIMULATION, RANDOM_WALK, ForecastSettings
from quant_assets.forecasts.prophet_trend import ProphetTrend
from quant_assets.forecasts.random_walk import RandomWalk

__all__ = ["BLENDED", "MODEL_NAMES", "forecast_models", "with_blend"]

BLENDED = (FILTERED_SIMULATION, RANDOM_WALK)
"""What the blend averages: volatility of today and volatility of the year, wrong in different weeks."""


def forecast_models(settings: ForecastSettings) -> tuple[ForecastModel, ...]:
    """Every model that fits and forecasts by itself, the baseline first."""
    return (
        RandomWalk(),
        BlockBootstrap(minimum_sessions=settings.minimum_sessions),
        FilteredSimulation(minimum_sessions=settings.minimum_sessions),
        ProphetTrend(horizon_days=settings.horizon_days, minimum_sessions=settings.minimum_sessions),
    )


MODEL_NAMES = (*(model.name for model in forecast_models(ForecastSettings())), BLEND)
"""As stored in the column ``model``, in the order in which arrays hold them."""


def with_blend(forecasts: dict[str, Forecast | Unavailable]) -> dict[str, Forecast | Unavailable]:
    """The forecasts and their blend, which is unavailable where one of its parts is."""
    parts: list[Forecast] = []
    for name in BLENDED:
        part = forecasts[name]
        if isinstance(part, Unavailable):
            return forecasts | {BLEND: Unavailable(f"{name}: {part.reason}")}
        parts.append(part)
    return forecasts | {BLEND: average_forecast(parts)}
