import datetime as dt
import shutil
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from quant_assets.forecasts import assets, checks
from quant_assets.forecasts.holdings import read_holdings
from quant_assets.forecasts.night import run_night
from quant_assets.forecasts.storage import RETENTION_SESSIONS, load, retained_from, store_outcomes
from quant_assets.forecasts.tables import (
    COMPONENT_VAR,
    FITS,
    FORECAST_EVALUATIONS,
    OUTCOMES,
    PORTFOLIO_FORECASTS,
    ROLLING_ORIGINS,
    STRESS_WINDOWS,
    TABLES,
)
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import DataError
from quant_assets.market_data.tables import ADJUSTED_PRICES, ADJUSTMENT_FACTORS, DAILY_PRICES
from quant_assets.ops.tables import RUN_STATE
from quant_assets.quality.tables import QUARANTINED_PRICES
from quant_assets.settings import AssetClass, Instrument, Portfolio, Universe
from resources.warehouse import TABLE_CHANGES, Warehouse
from tests.support.forecast_market import QUICK, closes, sessions, weights

CALENDAR = new_york_calendar()
PORTFOLIO = Portfolio(value=100_000, weights={"AA": 0.6, "BB": 0.4})
COUNT = 460
NOW = dt.datetime(2008, 1, 1, tzinfo=dt.UTC)
INSTRUMENTS = tuple(Instrument(symbol=name, name=name, asset_class=AssetClass.EQUITY) for name in ("AA", "BB"))


def stored_bars(frame):
    """Bars as traded, without any corporate action."""
    prices = {name: pl.col("close") for name in ("open", "high", "low", "close", "adjusted_close")}
    bars = frame.with_columns(**prices, volume=pl.lit(1_000, pl.Int64), dividend_amount=0.0, split_coefficient=1.0)
    return bars.with_columns(
        source=pl.lit("test"),
        first_seen_at=pl.lit(NOW, pl.Datetime("us", "UTC")),
        updated_at=pl.lit(NOW, pl.Datetime("us", "UTC")),
    ).select(DAILY_PRICES.column_names)


def move_to(warehouse, session):
    """The run's session, as the fetch leaves it."""
    row = {"as_of": session, "source": "test", "source_clock": NOW, "dividend_adjustment": "vendor"}
    state = pl.DataFrame([{name: row[name] for name in RUN_STATE.column_names}], schema=RUN_STATE.polars_schema)
    warehouse.replace(RUN_STATE, state)


def new_warehouse(folder):
    made = Warehouse(folder / "warehouse.duckdb", run_id="test")
    made.ensure([RUN_STATE, DAILY_PRICES, ADJUSTMENT_FACTORS, QUARANTINED_PRICES, ADJUSTED_PRICES, *TABLES])
    made.replace(DAILY_PRICES, stored_bars(closes(["AA", "BB"], COUNT)))
    move_to(made, sessions(COUNT)[-4])
    return made


@pytest.fixture(scope="module")
def after_one_night(tmp_path_factory):
    """A warehouse after its first night, made once; do not write to it."""
    made = new_warehouse(tmp_path_factory.mktemp("filled"))
    assert night(made).new_origins > 25
    return made.path


@pytest.fixture
def warehouse(after_one_night, tmp_path):
    """A copy of the warehouse after its first night."""
    return Warehouse(Path(shutil.copy(after_one_night, tmp_path / "warehouse.duckdb")), run_id="test")


def night(warehouse, portfolio=PORTFOLIO, **options):
    return run_night(warehouse, portfolio, CALENDAR, QUICK, **options)


def test_a_night_fills_the_tables_and_the_next_ones_extend_them(warehouse):
    """Three nights store three forecasts; outcomes come as their days do; what was recorded stays as it is."""
    last = sessions(COUNT)
    before = warehouse.read(ROLLING_ORIGINS).drop("realised_change")
    assert store_outcomes(warehouse) == 0
    for place in (-3, -2):
        move_to(warehouse, last[place])
        night(warehouse)
        store_outcomes(warehouse)
    after = warehouse.read(ROLLING_ORIGINS).drop("realised_change")
    assert after.join(before, on=before.columns, how="semi").height == before.height
    nights = warehouse.read(PORTFOLIO_FORECASTS)["as_of"].unique().sort().to_list()
    assert nights == last[-4:-1]
    judged = warehouse.read(OUTCOMES).group_by("as_of", "horizon_days").len().sort("as_of", "horizon_days")
    assert judged.rows() == [(last[-4], 1, 5), (last[-4], 2, 5), (last[-3], 1, 5)]
    assert warehouse.read(STRESS_WINDOWS)["as_of"].n_unique() == 3


def test_outcomes_are_what_the_prices_did(warehouse):
    """One night ahead, the realised value is the positions moved by the two closes."""
    last = sessions(COUNT)
    move_to(warehouse, last[-3])
    store_outcomes(warehouse)
    close = (
        closes(["AA", "BB"], COUNT).filter(pl.col("date").is_in([last[-4], last[-3]])).sort("symbol", "date")["close"]
    )
    expected = 60_000 * close[1] / close[0] + 40_000 * close[3] / close[2]
    assert warehouse.read(OUTCOMES)["realised"].to_list() == pytest.approx([expected] * 5)


def test_the_same_night_again_changes_nothing(warehouse):
    """A second run of the night writes the same rows, so no table counts as changed."""
    names = [table.qualified_name for table in TABLES]
    noted = warehouse.read(TABLE_CHANGES).filter(pl.col("table_name").is_in(names)).select("table_name", "changed_at")
    night(warehouse)
    again = warehouse.read(TABLE_CHANGES).filter(pl.col("table_name").is_in(names)).select("table_name", "changed_at")
    assert again.equals(noted)


def test_a_full_refresh_makes_the_same_record_from_the_same_prices(warehouse):
    """Forgetting the record and making it again gives the same rows; a restated price moves them only then."""
    stored = warehouse.read(ROLLING_ORIGINS)
    night(warehouse, is_full_refresh=True)
    assert warehouse.read(ROLLING_ORIGINS).equals(stored)
    restated = pl.when(pl.col("date") == sessions(COUNT)[100]).then(pl.col("close") * 1.2).otherwise("close")
    warehouse.replace(DAILY_PRICES, stored_bars(closes(["AA", "BB"], COUNT).with_columns(close=restated)))
    night(warehouse)
    assert warehouse.read(ROLLING_ORIGINS).equals(stored)
    night(warehouse, is_full_refresh=True)
    assert not warehouse.read(ROLLING_ORIGINS).equals(stored)


def test_other_holdings_start_another_record(warehouse):
    """Changed holdings are judged from the start; forecasts of earlier nights stay."""
    move_to(warehouse, sessions(COUNT)[-3])
    other = Portfolio(cash=1_000, shares={"AA": 10})
    night(warehouse, other)
    key = read_holdings(other).portfolio_id
    assert warehouse.read(ROLLING_ORIGINS)["portfolio_id"].unique().to_list() == [key]
    assert set(warehouse.read(FITS)["subject"]) == {"AA", "portfolio"}
    assert warehouse.read(PORTFOLIO_FORECASTS)["as_of"].n_unique() == 2
    before, now = (
        load(warehouse, ["AA"], each, horizon_days=10, calendar=CALENDAR)
        for each in (weights(AA=0.6, BB=0.4).portfolio_id, key)
    )
    assert (len(before.record.sessions), len(before.fits)) == (0, 0)
    assert len(now.record.sessions) > 25
    assert len(now.fits) > 1


def test_old_forecasts_of_models_not_served_are_dropped(warehouse):
    """After 252 sessions a night's forecast stays for the model served alone."""
    rows = warehouse.read(PORTFOLIO_FORECASTS)
    old, kept = sessions(COUNT)[-4 - RETENTION_SESSIONS - 1], sessions(COUNT)[-4 - RETENTION_SESSIONS]
    assert retained_from(CALENDAR.sessions, sessions(COUNT)[-4]) == kept
    for date in (old, kept):
        warehouse.replace(PORTFOLIO_FORECASTS, rows.with_columns(as_of=pl.lit(date)), "as_of = ?", [date])
    night(warehouse)
    left = warehouse.read(PORTFOLIO_FORECASTS)
    assert left.filter(pl.col("as_of") == old)["is_selected"].all()
    assert left.filter(pl.col("as_of") == kept).height == rows.height


def test_without_prices_the_night_says_what_is_missing(tmp_path):
    """Before the first fetch there is no session to forecast from."""
    empty = Warehouse(tmp_path / "empty.duckdb")
    empty.ensure([RUN_STATE, *TABLES])
    with pytest.raises(DataError, match="run the nightly job"):
        night(empty)


def materialize(warehouse, universe):
    every = [assets.portfolio_forecast, assets.forecast_outcomes]
    found = [getattr(checks, name) for name in checks.__all__]
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [*every, *found],
            instance=instance,
            resources={"warehouse": warehouse, "universe": universe},
            raise_on_error=False,
        )


def test_the_assets_forecast_judge_and_draw(tmp_path):
    """In Dagster every table is materialised with figures, the pictures are files, and every hard check passes."""
    warehouse = new_warehouse(tmp_path)
    result = materialize(warehouse, Universe(symbols=INSTRUMENTS, portfolio=PORTFOLIO))
    assert result.success
    made = {event.asset_key.path[-1]: event for event in result.get_asset_materialization_events()}
    assert set(made) == {table.name for table in TABLES}
    metadata = made[PORTFOLIO_FORECASTS.name].materialization.metadata
    assert metadata["model"].value in {"random_walk", "blend", "filtered_simulation", "block_bootstrap"}
    assert "data:image/svg+xml;base64," in metadata["fan_chart"].value
    table = made[FORECAST_EVALUATIONS.name].materialization.metadata["calibration_table"].records
    assert {record.data["model"] for record in table} >= {"selected", "random_walk"}
    folder = warehouse.path.parent / "charts" / "forecasts"
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.{suffix}" for name in ("fan_chart", "calibration") for suffix in ("html", "svg")
    }
    failed = {each.check_name for each in result.get_asset_check_evaluations() if not each.passed}
    assert failed <= {"coverage_is_as_stated", "served_model_beats_the_random_walk"}
    assert warehouse.read(COMPONENT_VAR)["horizon_days"].unique().sort().to_list() == [1, 5, 10, 20, 60]


def test_checks_fail_on_what_they_are_for(warehouse):
    """A disordered quantile, parts that do not add up and a stale price are found."""
    session = sessions(COUNT)[-4]
    bars = warehouse.read(DAILY_PRICES).filter(~((pl.col("symbol") == "BB") & (pl.col("date") == session)))
    warehouse.replace(DAILY_PRICES, bars)
    run_night(warehouse, PORTFOLIO, CALENDAR, QUICK)
    stale = checks.positions_have_fresh_prices(warehouse)
    assert not stale.passed
    assert "BB of" in stale.description
    assert checks.distributions_are_in_order(warehouse).passed
    assert checks.components_add_up(warehouse).passed
    rows = warehouse.read(PORTFOLIO_FORECASTS)
    swapped = rows.with_columns(p05=pl.when(pl.col("horizon_days") == 3).then("p99").otherwise("p05"))
    warehouse.replace(PORTFOLIO_FORECASTS, swapped)
    assert not checks.distributions_are_in_order(warehouse).passed
    parts = warehouse.read(COMPONENT_VAR)
    warehouse.replace(COMPONENT_VAR, parts.with_columns(component_var_95=pl.col("component_var_95") * 1.01))
    assert not checks.components_add_up(warehouse).passed


def test_a_universe_without_a_portfolio_forecasts_nothing(tmp_path):
    """Without a portfolio the night goes on, and every table says why it is empty."""
    warehouse = new_warehouse(tmp_path)
    result = materialize(warehouse, Universe(symbols=INSTRUMENTS))
    assert result.success
    event = next(e for e in result.get_asset_materialization_events() if e.asset_key.path[-1] == "positions")
    assert "no portfolio" in event.materialization.metadata["not_made"].value
    assert warehouse.read(PORTFOLIO_FORECASTS).is_empty()
