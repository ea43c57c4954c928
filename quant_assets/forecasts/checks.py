"""Asset checks on forecasts: what must hold every night, and what people should know."""

from __future__ import annotations

import dagster as dg
import polars as pl

from quant_assets.forecasts.causality import models_that_look_ahead, origin_to_prove
from quant_assets.forecasts.holdings import read_holdings
from quant_assets.forecasts.parameters import SELECTED, ForecastSettings
from quant_assets.forecasts.storage import load
from quant_assets.forecasts.tables import (
    COMPONENT_VAR,
    FORECAST_EVALUATIONS,
    PORTFOLIO_FORECASTS,
    POSITIONS,
    ROLLING_ORIGINS,
)
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.settings import Universe
from resources.warehouse import Warehouse, asset_key

__all__ = [
    "components_add_up",
    "coverage_is_as_stated",
    "distributions_are_in_order",
    "forecasts_do_not_look_ahead",
    "positions_have_fresh_prices",
    "served_model_beats_the_random_walk",
]


_ENOUGH_ORIGINS = 200
"""Four years of weeks; the share of fewer outcomes strays by more than two points by chance alone."""


@dg.asset_check(
    asset=asset_key(PORTFOLIO_FORECASTS),
    blocking=True,
    description="p01 <= p05 <= p50 <= p95 <= p99, CVaR is not below VaR, and exactly one model is served per horizon.",
)
def distributions_are_in_order(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Count rows that contradict themselves."""
    found = warehouse.query(
        "SELECT count(*) FILTER (WHERE NOT (p01 <= p05 AND p05 <= p50 AND p50 <= p95 AND p95 <= p99)) AS disordered, "
        "count(*) FILTER (WHERE least(cvar_95 - var_95, cvar_99 - var_99) < -1e-9 * base_value) AS tails, "
        "count(DISTINCT (as_of, horizon_days)) - count(*) FILTER (WHERE is_selected) AS unserved "
        "FROM forecasts.portfolio_forecasts WHERE as_of = (SELECT max(as_of) FROM ops.run_state)"
    ).row(0, named=True)
    words = ", ".join(f"{count} {name}" for name, count in found.items())
    return dg.AssetCheckResult(passed=not any(found.values()), description=words, metadata=found)


@dg.asset_check(
    asset=asset_key(COMPONENT_VAR),
    description="The parts of VaR and CVaR sum to the served figures at every horizon.",
)
def components_add_up(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Compare sums with what is served."""
    worst = warehouse.query(
        "WITH parts AS (SELECT as_of, horizon_days, sum(component_var_95) AS var_95, sum(component_cvar_95) AS cvar_95 "
        "FROM forecasts.component_var GROUP BY ALL) "
        "SELECT max(greatest(abs(p.var_95 - f.var_95), abs(p.cvar_95 - f.cvar_95)) / f.base_value) AS worst "
        "FROM parts AS p JOIN forecasts.portfolio_forecasts AS f USING (as_of, horizon_days) WHERE f.is_selected"
    )["worst"][0]
    return dg.AssetCheckResult(
        passed=worst is None or worst < 1e-9, description=f"largest difference {worst or 0:.1e} of the base"
    )


@dg.asset_check(
    asset=asset_key(POSITIONS),
    description="Every holding is valued at a bar of the session; older prices (gaps, withheld bars) are listed.",
)
def positions_have_fresh_prices(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """List holdings without a bar of the night."""
    stale = warehouse.read(
        POSITIONS, ["symbol", "last_bar"], "stale_sessions > 0 AND as_of = (SELECT max(as_of) FROM ops.run_state)"
    )
    listed = ", ".join(f"{symbol} of {date}" for symbol, date in stale.iter_rows())
    return dg.AssetCheckResult(
        passed=stale.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"valued at an older price: {listed}" if listed else "all prices are of the session",
    )


@dg.asset_check(
    asset=asset_key(ROLLING_ORIGINS),
    description=(
        "One past forecast, another one every night, comes out the same when all later prices are noise. Earlier "
        "prices stay adjusted as they are tonight: that later dividends move old origins of share portfolios is not "
        "seen."
    ),
)
def forecasts_do_not_look_ahead(
    warehouse: dg.ResourceParam[Warehouse], universe: dg.ResourceParam[Universe]
) -> dg.AssetCheckResult:
    """Make a past forecast again on a corrupted future."""
    if universe.portfolio is None:
        return dg.AssetCheckResult(passed=True, description="the universe file has no portfolio")
    calendar, settings = new_york_calendar(), ForecastSettings()
    holdings = read_holdings(universe.portfolio)
    horizon_days = settings.horizon_days
    loaded = load(warehouse, holdings.symbols, holdings.portfolio_id, horizon_days=horizon_days, calendar=calendar)
    record, as_of = loaded.record, loaded.as_of
    session = origin_to_prove(record, as_of)
    if session is None:
        return dg.AssetCheckResult(passed=True, description="there is no past forecast yet")
    guilty = models_that_look_ahead(
        loaded.closes, holdings, record, session, calendar=calendar, as_of=as_of, settings=settings
    )
    date = calendar.sessions[session]
    words = f"looks ahead: {', '.join(guilty)}" if guilty else "unchanged"
    return dg.AssetCheckResult(passed=not guilty, description=f"origin {date}: {words}")


@dg.asset_check(
    asset=asset_key(FORECAST_EVALUATIONS),
    description="The 5-95 % band of what was served held 88 to 92 % of past outcomes at every horizon.",
)
def coverage_is_as_stated(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """List horizons whose coverage is outside the goal."""
    where = "model = ? AND origins >= ?"
    rows = warehouse.read(FORECAST_EVALUATIONS, ["horizon_days", "coverage_90"], where, [SELECTED, _ENOUGH_ORIGINS])
    outside = rows.filter(~pl.col("coverage_90").is_between(0.88, 0.92))
    listed = ", ".join(f"{horizon}: {share:.3f}" for horizon, share in outside.iter_rows())
    return dg.AssetCheckResult(
        passed=outside.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"outside at horizons {listed}" if listed else f"inside at {rows.height} horizons",
    )


@dg.asset_check(
    asset=asset_key(FORECAST_EVALUATIONS),
    description="What was served had no larger median error and no larger pinball loss than the random walk.",
)
def served_model_beats_the_random_walk(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """List horizons at which the baseline would have been better."""
    columns = ["horizon_days", "mae_to_random_walk", "pinball_to_random_walk"]
    rows = warehouse.read(FORECAST_EVALUATIONS, columns, "model = ?", [SELECTED])
    worse = rows.filter((pl.col("mae_to_random_walk") > 1) | (pl.col("pinball_to_random_walk") > 1))
    listed = ", ".join(str(horizon) for horizon in worse["horizon_days"])
    return dg.AssetCheckResult(
        passed=worse.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"worse at horizons {listed}" if listed else f"no worse at {rows.height} horizons",
    )
