"""Tonight's forecast: every model's distribution, corrected by its record, and which one is served."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from quant_assets.forecasts.calibration import apply_corrections
from quant_assets.forecasts.components import COMPONENT_HORIZONS, component_rows
from quant_assets.forecasts.distribution import Fit, Forecast, ForecastRequest, Origin, Unavailable
from quant_assets.forecasts.filtered_simulation import FilteredSimulation, PositionGains
from quant_assets.forecasts.history import PriceHistory
from quant_assets.forecasts.holdings import Holdings
from quant_assets.forecasts.models import MODEL_NAMES, forecast_models, with_blend
from quant_assets.forecasts.parameters import DRAWDOWNS, LEVEL_NAMES, LOWER, MEDIAN, TAILS, Floats, ForecastSettings
from quant_assets.forecasts.record import Record
from quant_assets.forecasts.refits import (
    FitTable,
    fit_table,
    fits_in_force,
    make_origin,
    missing_fits,
    quarter_of,
)
from quant_assets.forecasts.rolling_origins import corrections_at, loss_floor
from quant_assets.forecasts.selection import Choice, choose_model, record_losses
from quant_assets.foundation.errors import DataError

__all__ = ["Tonight", "forecast_tonight"]

_DRAWDOWN_NAMES = tuple(f"drawdown_{round(100 * limit):02d}_probability" for limit in DRAWDOWNS)


@dataclass(frozen=True, slots=True)
class Tonight:
    """What a night forecasts.

    Parameters
    ----------
    forecasts : polars.DataFrame
        Rows of ``forecasts.portfolio_forecasts``.
    choices : polars.DataFrame
        Rows of ``forecasts.model_choices``: every model, its score, and why it is or is not served.
    components : polars.DataFrame
        Rows of ``forecasts.component_var``.
    positions : polars.DataFrame
        Rows of ``forecasts.positions``.
    new_fits : tuple of Fit
    """

    forecasts: pl.DataFrame
    choices: pl.DataFrame
    components: pl.DataFrame
    positions: pl.DataFrame
    new_fits: tuple[Fit, ...]


def forecast_tonight(
    history: PriceHistory,
    holdings: Holdings,
    record: Record,
    fits: FitTable,
    settings: ForecastSettings,
    *,
    losses: Floats | None = None,
) -> Tonight:
    """Forecast from the last session of the history.

    Parameters
    ----------
    history : PriceHistory
        Ends at the session of the run.
    holdings : Holdings
    record : Record
        Rolling origins of this portfolio up to the session.
    fits : mapping
        Stored fits; tonight's quarter is fitted where it is missing.
    settings : ForecastSettings
    losses : Floats, optional
        ``record_losses`` of the record, where the caller has them.

    Raises
    ------
    DataError
        Where no model can forecast.
    """
    row = len(history) - 1
    models = forecast_models(settings)
    quarter = quarter_of(history, holdings, row, settings)
    new_fits = missing_fits(models, fits, [quarter], history=history, holdings=holdings, settings=settings)
    in_force = fits_in_force({**fits, **fit_table(new_fits)}, models, quarter.refit_date)
    origin = make_origin(history, holdings, row, included=holdings.amounts != 0, settings=settings)
    request = ForecastRequest(
        settings.horizon_days, settings.paths_tonight(len(origin.symbols)), settings.seed, has_drawdowns=True
    )
    kept = tuple(horizon for horizon in COMPONENT_HORIZONS if horizon <= settings.horizon_days)
    gains: PositionGains | None = None
    made: dict[str, Forecast | Unavailable] = {}
    for model in models:
        if isinstance(model, FilteredSimulation):
            both = model.forecast_with_gains(origin, in_force[model.name], request, kept)
            made[model.name], gains = (both, None) if isinstance(both, Unavailable) else both
        else:
            made[model.name] = model.forecast(origin, in_force[model.name], request)
    made = with_blend(made)
    corrections = corrections_at(record, history.first_session + row, settings)
    choice = choose_model(
        record, record_losses(record) if losses is None else losses, history.first_session + quarter.row
    )
    served = _served(made, choice)
    forecasts = _forecast_rows(made, corrections, origin, history, holdings, served=served)
    risks = _served_risks(forecasts, kept)
    return Tonight(
        forecasts,
        _choice_rows(made, choice, origin.date, decided_on=quarter.refit_date, served=served),
        component_rows(origin, gains, risks),
        _position_rows(history, holdings, row),
        tuple(new_fits),
    )


def _served(made: dict[str, Forecast | Unavailable], choice: Choice) -> str:
    """The first model in the order of the record that can forecast tonight."""
    for place in choice.order:
        if isinstance(made[MODEL_NAMES[place]], Forecast):
            return MODEL_NAMES[place]
    # The random walk needs least, so its reason is the one that a person can do something about.
    reason = next(one.reason for one in made.values() if isinstance(one, Unavailable))
    raise DataError(f"no model can forecast this portfolio tonight: {reason}; fetch more history for its symbols.")


def _forecast_rows(
    made: dict[str, Forecast | Unavailable],
    corrections: Floats,
    origin: Origin,
    history: PriceHistory,
    holdings: Holdings,
    *,
    served: str,
) -> pl.DataFrame:
    row, value, base = len(history) - 1, origin.positions.value, origin.positions.base
    floor = loss_floor(origin.positions)
    frames = []
    for place, name in enumerate(MODEL_NAMES):
        one = made[name]
        if isinstance(one, Unavailable):
            continue
        quantiles = apply_corrections(one.quantiles, corrections[place], floor)
        tails = np.maximum(_stretched_tails(one, quantiles), floor)
        horizons = len(quantiles)
        columns: dict[str, object] = {
            "as_of": [origin.date] * horizons,
            "horizon_days": np.arange(1, horizons + 1, dtype=np.int32),
            "model": [name] * horizons,
            "target_date": [history.date(row + ahead) for ahead in range(1, horizons + 1)],
            "portfolio_id": [holdings.portfolio_id] * horizons,
            "is_selected": [name == served] * horizons,
            "current_value": np.full(horizons, value),
            "base_value": np.full(horizons, base),
            "mean": value + base * one.mean,
            "var_95": -base * quantiles[:, LOWER],
            "cvar_95": -base * tails[:, 1],
            "var_99": -base * quantiles[:, 0],
            "cvar_99": -base * tails[:, 0],
            "raw_p05": value + base * one.quantiles[:, LOWER],
            "raw_p95": value + base * one.quantiles[:, -2],
        }
        columns |= {level: value + base * quantiles[:, i] for i, level in enumerate(LEVEL_NAMES)}
        drawdowns = np.full((horizons, len(DRAWDOWNS)), np.nan) if one.drawdowns is None else one.drawdowns
        columns |= {column: drawdowns[:, i] for i, column in enumerate(_DRAWDOWN_NAMES)}
        frames.append(pl.DataFrame(columns))
    rows = pl.concat(frames).with_columns(pl.col(_DRAWDOWN_NAMES).fill_nan(None))
    percent = [
        pl.when(pl.col("current_value") > 0).then(100.0 * pl.col(name) / pl.col("current_value")).alias(f"{name}_pct")
        for name in ("var_95", "cvar_95", "var_99", "cvar_99")
    ]
    return rows.with_columns(percent)


def _stretched_tails(forecast: Forecast, quantiles: Floats) -> Floats:
    """Tail means moved as their quantile was: the distance from the median grows or shrinks by the same factor."""
    middle, raw_middle = quantiles[:, MEDIAN], forecast.quantiles[:, MEDIAN]
    stretched = []
    for slot, level in enumerate(TAILS):
        reach = raw_middle - forecast.quantiles[:, level]
        factor = np.divide(middle - quantiles[:, level], reach, out=np.ones_like(reach), where=reach > 0)
        stretched.append(middle - factor * (raw_middle - forecast.tail_means[:, slot]))
    return np.column_stack(stretched)


def _served_risks(forecasts: pl.DataFrame, horizons: tuple[int, ...]) -> dict[int, tuple[float, float]]:
    """VaR and CVaR at 95 % of the served model by horizon."""
    served = forecasts.filter(pl.col("is_selected"), pl.col("horizon_days").is_in(horizons))
    return {
        horizon: (value_at_risk, conditional)
        for horizon, value_at_risk, conditional in served.select("horizon_days", "var_95", "cvar_95").iter_rows()
    }


def _choice_rows(
    made: dict[str, Forecast | Unavailable],
    choice: Choice,
    as_of: dt.date,
    *,
    decided_on: dt.date,
    served: str,
) -> pl.DataFrame:
    rows = []
    for rank, place in enumerate(choice.order, start=1):
        name, one = MODEL_NAMES[place], made[MODEL_NAMES[place]]
        score = float(choice.scores[place])
        rows.append(
            {
                "as_of": as_of,
                "model": name,
                "decided_on": decided_on,
                "rank": rank,
                "score": None if np.isnan(score) else score,
                "outcomes": int(choice.outcomes[place]),
                "is_selected": name == served,
                "is_available": isinstance(one, Forecast),
                "reason": one.reason if isinstance(one, Unavailable) else "",
            }
        )
    return pl.DataFrame(rows, schema_overrides={"score": pl.Float64, "rank": pl.Int32})


def _position_rows(history: PriceHistory, holdings: Holdings, row: int) -> pl.DataFrame:
    """Tonight's positions with the age of their prices and of their history."""
    positions = holdings.at(history.prices[row])
    oldest = int(history.first_bar.min())
    young = history.first_bar > oldest
    rules = [
        f"returns before {history.date(int(first))} follow the other holdings" if is_young else "own history"
        for first, is_young in zip(history.first_bar.tolist(), young.tolist(), strict=True)
    ]
    return pl.DataFrame(
        {
            "as_of": [history.date(row)] * len(history.symbols),
            "symbol": list(history.symbols),
            "value": positions.values,
            "weight": positions.values / positions.base,
            "price": history.prices[row],
            "sessions": row - history.first_bar + 1,
            "last_bar": [history.date(int(last)) for last in history.last_bar],
            "stale_sessions": row - history.last_bar,
            "history_rule": rules,
        }
    )
