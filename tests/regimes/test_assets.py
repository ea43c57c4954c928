from __future__ import annotations

import dagster as dg
import polars as pl
import pytest

from quant_assets.ops.tables import RUN_STATE
from quant_assets.regimes import assets, checks
from quant_assets.regimes.tables import MARKET_REGIMES, TABLES
from quant_assets.settings import Universe
from resources.warehouse import Warehouse, asset_key
from tests.regimes.test_night import NOW, PRICES, add_prices
from tests.support.regime_markets import MARKET, reference_history


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Assets and checks materialised on a real warehouse with a reference market."""
    closes, _ = reference_history(700, symbols=2, seed=6)
    warehouse = Warehouse(tmp_path_factory.mktemp("home") / "warehouse.duckdb", run_id="test")
    warehouse.ensure([*TABLES, PRICES, RUN_STATE])
    add_prices(warehouse, closes)
    state = {"as_of": closes["date"].max(), "source": "test", "dividend_adjustment": "vendor", "source_clock": NOW}
    warehouse.replace(RUN_STATE, pl.DataFrame([state], schema=RUN_STATE.polars_schema))
    symbols = [{"symbol": name, "name": name, "asset_class": "etf"} for name in (MARKET, "S01", "S02")]
    return warehouse, dg.materialize(
        [*dg.load_assets_from_modules([assets]), *dg.load_asset_checks_from_modules([checks])],
        resources={"warehouse": warehouse, "universe": Universe(symbols=symbols, market=MARKET)},
    )


def test_every_table_of_the_room_is_an_asset_that_fills(result):
    """One run fills every table but those that a short history leaves empty, and reports rows of each."""
    warehouse, run = result
    assert run.success
    for table in TABLES:
        found = run.asset_materializations_for_node(
            "evaluate_regimes" if table.name == "evaluation" else "label_regimes"
        )
        assert asset_key(table) in {event.asset_key for event in found}
        assert warehouse.read(table).height > 0


def test_every_check_passes(result):
    """The checks hold on a good night, look-ahead included."""
    _, run = result
    evaluations = {evaluation.check_name: evaluation.passed for evaluation in run.get_asset_check_evaluations()}
    assert set(evaluations) == set(checks.__all__)
    assert all(evaluations.values())


def test_the_chart_is_in_the_metadata_and_on_disk(result):
    """The market's asset shows the picture and names the file."""
    warehouse, run = result
    (event,) = [
        one
        for one in run.asset_materializations_for_node("label_regimes")
        if one.asset_key == asset_key(MARKET_REGIMES)
    ]
    assert "data:image/svg+xml" in event.metadata["chart"].value
    for suffix in ("html", "svg"):
        assert (warehouse.path.parent / "charts" / "regimes" / f"market_regimes.{suffix}").stat().st_size > 10_000
    assert event.metadata["refresh_lag_hours"].value > 0
