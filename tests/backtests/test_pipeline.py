"""Backtests as assets on a real warehouse: tables, pages, forms and checks."""

import dataclasses
import datetime as dt

import dagster as dg
import numpy as np
import polars as pl
import pytest

from jobs.backtest_strategies import backtest_strategies
from quant_assets.backtests import assets, checks
from quant_assets.backtests.inputs import Inputs
from quant_assets.backtests.requests import Request, perform
from quant_assets.backtests.storage import read_inputs, report_path, store_outcome, write_reports
from quant_assets.backtests.tables import EQUITY_CURVES, RUNS, TABLES, TRADES
from quant_assets.foundation.errors import DataError, UsageError
from quant_assets.market_data.tables import CORPORATE_ACTIONS, DAILY_PRICES
from quant_assets.ops.tables import INSTRUMENTS, RUN_STATE
from quant_assets.quality.tables import QUARANTINED_PRICES
from quant_assets.regimes.tables import MARKET_REGIMES
from quant_assets.signals.tables import MODELS
from quant_assets.signals.tables import WALK_FORWARD_PREDICTIONS as PREDICTIONS
from quant_assets.strategies import STRATEGIES
from resources.warehouse import Warehouse
from tests.support.packaged_panel import packaged_bars

CLOCK = dt.datetime(2013, 3, 1, 22, tzinfo=dt.UTC)
AS_OF = dt.date(2009, 12, 31)
START = dt.date(2007, 1, 1)
NEUTRAL = {
    "VARCHAR": "",
    "DATE": START,
    "TIMESTAMPTZ": CLOCK,
    "DOUBLE": 0.5,
    "BIGINT": 1,
    "INTEGER": 1,
    "BOOLEAN": False,
}


def fill(warehouse, table, frame, **constants):
    """Store a frame; a column it lacks is a constant, else null where that is allowed, else something neutral."""
    lacking = {
        column.name: constants.get(column.name, None if column.nullable else NEUTRAL[column.type])
        for column in table.columns
        if column.name not in frame.columns
    }
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in lacking.items())
    warehouse.replace(table, frame.select(table.column_names).cast(dict(table.polars_schema)))


def make_warehouse(path):
    """The packaged history of three stocks and one index-like symbol, known up to the end of 2009."""
    warehouse = Warehouse(path / "warehouse.duckdb", run_id="test")
    warehouse.ensure(
        (*TABLES, DAILY_PRICES, CORPORATE_ACTIONS, QUARANTINED_PRICES, MARKET_REGIMES, INSTRUMENTS, RUN_STATE)
    )
    bars = packaged_bars().filter(pl.col("date") >= START, pl.col("symbol") != "FB").drop("adjusted_close")
    bars = bars.with_columns(symbol=pl.col("symbol").replace("GOOG", "SPX"))
    fill(warehouse, DAILY_PRICES, bars, source="test", first_seen_at=CLOCK, updated_at=CLOCK)
    actions = pl.DataFrame(
        {"symbol": ["IBM", "IBM"], "effective_date": [dt.date(2008, 2, 6), dt.date(2011, 2, 8)], "value": [0.4, 9.0]}
    )
    fill(warehouse, CORPORATE_ACTIONS, actions, kind="dividend", source="test", first_seen_at=CLOCK)
    names = pl.DataFrame({"symbol": ["AAPL", "IBM", "MSFT", "SPX"], "is_market": [False, False, False, True]})
    kinds = pl.when(pl.col("symbol") == "SPX").then(pl.lit("index")).otherwise(pl.lit("equity"))
    fill(warehouse, INSTRUMENTS, names.with_columns(asset_class=kinds), name="x")
    state = pl.DataFrame({"as_of": [AS_OF]})
    fill(warehouse, RUN_STATE, state, source="test", source_clock=CLOCK, dividend_adjustment="vendor")
    return warehouse


def add_models(warehouse):
    """Regimes, and predictions of two versions of which the older is the champion."""
    bars = warehouse.read(
        DAILY_PRICES, ["symbol", "date"], "symbol <> 'SPX' AND date >= ? AND date <= ?", [START, AS_OF]
    )
    warehouse.ensure((PREDICTIONS, MODELS))
    rng = np.random.default_rng(0)
    versions = [
        bars.with_columns(
            model=pl.lit("direction"), model_version=pl.lit(v), probability=pl.Series(rng.random(len(bars)))
        )
        for v in ("direction-1", "direction-2")
    ]
    fill(warehouse, PREDICTIONS, pl.concat(versions).filter(pl.col("date") >= dt.date(2008, 1, 1)))
    models = pl.DataFrame({"model_version": ["direction-1", "direction-2"], "alias": ["champion", None]})
    fill(warehouse, MODELS, models, model="direction")
    days = bars["date"].unique().sort()
    states = pl.Series(np.array(["bullish", "bearish"])[np.arange(len(days)) // 90 % 2])
    share = {f"p_{state}": 0.25 for state in ("bullish", "bearish", "sideways", "high_volatility")}
    fill(warehouse, MARKET_REGIMES, pl.DataFrame({"date": days, "regime": states}), model_version="r-1", **share)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A warehouse with everything backtests read."""
    warehouse = make_warehouse(tmp_path_factory.mktemp("filled"))
    add_models(warehouse)
    return warehouse


@pytest.fixture(scope="module")
def inputs(filled) -> Inputs:
    """What backtests read from it."""
    return read_inputs(filled)


def materialize(warehouse, config=None):
    """Run the assets and their checks in process."""
    settings = {"ops": {"run_backtests": {"config": config}}} if config else None
    chosen = [checks.no_strategy_looks_ahead, checks.books_add_up, checks.runs_have_trades]
    return dg.materialize(
        [assets.backtest_tables, *chosen], resources={"warehouse": warehouse}, run_config=settings, raise_on_error=False
    )


@pytest.fixture(scope="module")
def night(filled):
    """The default set, as a night runs it."""
    return materialize(filled)


def test_the_night_fills_every_table(filled, night):
    """Each strategy has a run, a curve, parts and a page; model strategies start with their predictions."""
    assert night.success
    runs = filled.read(RUNS)
    assert set(runs["strategy"]) == set(STRATEGIES)
    assert set(runs["origin"]) == {"default"}
    assert set(runs["variants"]) == {len(STRATEGIES)}
    assert set(runs["symbols"]) == {"AAPL,IBM,MSFT"}
    assert runs["end_date"].max() == dt.date(2009, 12, 31)
    assert set(filled.read(EQUITY_CURVES)["backtest_id"]) == set(runs["backtest_id"])
    starts = dict(runs.select("strategy", "start_date").rows())
    assert starts["ml_signal"] == dt.date(2008, 1, 2)
    assert starts["buy_and_hold"] == dt.date(2007, 1, 3)
    model = runs.filter(pl.col("strategy") == "ml_signal").row(0, named=True)
    assert model["twin_strategy"] == "ml_signal_twin"
    assert model["sharpe_difference_low"] < model["sharpe_difference"] < model["sharpe_difference_high"]
    pages = [report_path(filled.path.parent, one) for one in runs["backtest_id"]]
    assert all(page.exists() for page in pages)


def test_the_checks_of_a_night_pass(night):
    """No strategy looks ahead and the books add up; the run's metadata links the best page."""
    passed = {one.check_name: one.passed for one in night.get_asset_check_evaluations()}
    assert passed == {"no_strategy_looks_ahead": True, "books_add_up": True, "runs_have_trades": True}
    events = {e.asset_key.path[-1]: e.materialization for e in night.get_asset_materialization_events()}
    assert events["runs"].metadata["best_report"].value.endswith(".html")
    assert events["runs"].metadata["runs_in_call"].value == len(STRATEGIES)


def test_the_same_night_again_changes_nothing(filled, night):
    """Same code, data and request: same ids, same rows, no page written again."""
    before = {table.name: filled.read(table) for table in TABLES}
    page = report_path(filled.path.parent, before["runs"]["backtest_id"][0])
    written = page.stat().st_mtime_ns
    outcome = perform(read_inputs(filled), Request())
    store_outcome(filled, outcome)
    write_reports(filled.path.parent, outcome, stored=set(before["runs"]["backtest_id"]))
    assert all(filled.read(table).equals(before[table.name]) for table in TABLES)
    assert page.stat().st_mtime_ns == written


def test_a_new_session_replaces_the_default_set_only(tmp_path):
    """The next night's default runs take the place of the last ones; requested runs stay, with their pages."""
    warehouse = make_warehouse(tmp_path)
    asked = perform(read_inputs(warehouse), Request(strategy="buy_and_hold", end=dt.date(2009, 6, 30)))
    store_outcome(warehouse, asked)
    for as_of in (dt.date(2009, 12, 30), dt.date(2009, 12, 31)):
        fill(
            warehouse, RUN_STATE, pl.DataFrame({"as_of": [as_of]}),
            source="test", source_clock=CLOCK, dividend_adjustment="vendor",
        )  # fmt: skip
        store_outcome(warehouse, perform(read_inputs(warehouse), Request()))
    runs = warehouse.read(RUNS)
    assert runs["origin"].value_counts().sort("origin").rows() == [("default", len(STRATEGIES)), ("requested", 1)]
    assert set(warehouse.read(TRADES)["backtest_id"]) <= set(runs["backtest_id"])
    assert set(runs.filter(pl.col("origin") == "default")["end_date"]) == {dt.date(2009, 12, 31)}


def test_variants_tried_one_at_a_time_deflate_like_a_sweep(tmp_path):
    """Three calls with one variant each deflate the Sharpe ratio like one sweep of three; repeats count once."""
    warehouse = make_warehouse(tmp_path)
    swept = perform(read_inputs(warehouse), Request(strategy="sma_crossover", axes={"fast": [5, 10, 15]}))
    expected = {row["parameters"]: row["deflated_sharpe"] for row in swept.runs.iter_rows(named=True)}
    for number, fast in enumerate((5, 10, 10, 15)):
        found = perform(read_inputs(warehouse), Request(strategy="sma_crossover", parameters={"fast": fast}))
        store_outcome(warehouse, found)
        assert found.runs["variants"].item() == (1, 2, 2, 3)[number]
    assert found.runs["deflated_sharpe"].item() == pytest.approx(expected[found.runs["parameters"].item()], rel=1e-9)
    assert perform(read_inputs(warehouse), Request(strategy="buy_and_hold")).runs["variants"].item() == 1


def test_a_nightly_run_that_is_asked_for_counts_the_night_and_stays(tmp_path):
    """Asking for a default run neither makes it a lucky single one nor lets the night take it away."""
    warehouse = make_warehouse(tmp_path)
    night = perform(read_inputs(warehouse), Request())
    store_outcome(warehouse, night)
    asked = perform(read_inputs(warehouse), Request(strategy="equal_weight"))
    assert asked.runs["variants"].item() == len(STRATEGIES)
    store_outcome(warehouse, asked)
    other = perform(read_inputs(warehouse), Request(strategy="sma_crossover", axes={"fast": [5, 20]}, keep=0))
    assert set(other.runs["variants"]) == {len(STRATEGIES) + 1}
    store_outcome(warehouse, other)
    kept = {*asked.runs["backtest_id"], *other.runs["backtest_id"]}
    for end in (dt.date(2009, 12, 31), dt.date(2009, 12, 30)):
        fill(
            warehouse, RUN_STATE, pl.DataFrame({"as_of": [end]}),
            source="test", source_clock=CLOCK, dividend_adjustment="vendor",
        )  # fmt: skip
        store_outcome(warehouse, perform(read_inputs(warehouse), Request()))
        stored = dict(warehouse.read(RUNS, ["backtest_id", "origin"]).rows())
        assert {stored[one] for one in asked.runs["backtest_id"]} == {"requested"}
        assert {stored[one] for one in other.runs["backtest_id"]} == {"sweep"}
    variants = dict(warehouse.read(RUNS, ["backtest_id", "variants"]).rows())
    assert {variants[one] for one in other.runs["backtest_id"]} == {len(STRATEGIES) + 1}
    assert set(asked.runs["backtest_id"]) <= set(warehouse.read(EQUITY_CURVES)["backtest_id"])
    assert kept <= set(variants)


def test_without_models_the_strategies_say_so(tmp_path):
    """Before signals and regimes have run, their strategies hold cash, their notes say why, and a check warns."""
    warehouse = make_warehouse(tmp_path)
    result = materialize(warehouse)
    assert result.success
    notes = dict(warehouse.read(RUNS, ["strategy", "note"]).rows())
    assert "no walk-forward predictions" in notes["ml_signal"]
    assert "no market regimes" in notes["regime_adaptive"]
    assert notes["buy_and_hold"] == ""
    found = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert not found["runs_have_trades"].passed
    assert found["runs_have_trades"].severity is dg.AssetCheckSeverity.WARN


def test_inputs_stop_at_the_as_of_date_and_leave_out_what_is_withheld(tmp_path):
    """Bars and actions after the as-of date and quarantined bars do not exist for a backtest; released ones do."""
    warehouse = make_warehouse(tmp_path)
    bars = warehouse.read(DAILY_PRICES, where="symbol = 'IBM' AND date IN ('2009-03-02', '2009-03-03')")
    held = bars.select(set(bars.columns) & set(QUARANTINED_PRICES.column_names))
    released = pl.Series([None, CLOCK], dtype=pl.Datetime("us", "UTC"))
    fill(
        warehouse,
        QUARANTINED_PRICES,
        held.sort("date").with_columns(released_at=released),
        reason="test",
        quarantined_at=CLOCK,
    )
    inputs = read_inputs(warehouse)
    assert inputs.bars["date"].max() == AS_OF
    assert inputs.actions["effective_date"].to_list() == [dt.date(2008, 2, 6)]
    days = inputs.bars.filter(pl.col("symbol") == "IBM")["date"]
    assert dt.date(2009, 3, 2) not in days
    assert dt.date(2009, 3, 3) in days


def test_the_champion_is_what_ml_signal_trades(filled, inputs):
    """Predictions are those of the champion's version, not the newest."""
    stored = filled.read(PREDICTIONS, where="model_version = 'direction-1'").select("symbol", "date", "probability")
    assert inputs.predictions.equals(stored)


def test_market_returns_are_total_returns_between_the_sessions_of_the_panel(inputs):
    """The benchmark is the market symbol's own series on the panel's sessions."""
    panel = inputs.panel(("IBM",))
    closes = inputs.bars.filter(pl.col("symbol") == "SPX").sort("date")["close"].to_numpy()
    np.testing.assert_allclose(inputs.market_returns(panel), closes[1:] / closes[:-1] - 1)
    assert len(dataclasses.replace(inputs, market=None).market_returns(panel)) == 0


def test_a_sweep_from_the_form(filled, night):
    """Ranges and lists make a grid per symbol; every variant is a row and the best have curves and pages."""
    config = {
        "strategy": "sma_crossover",
        "sweep": {"fast": {"from": 5, "to": 15, "step": 5}, "slow": [50, 100]},
        "symbols": ["IBM", "MSFT"],
        "each_symbol_alone": True,
        "start": "2008-01-01",
        "keep": 2,
        "costs": {"commission_bps": 1.0},
        "rules": {"capital": 5000.0, "whole_shares": True},
    }
    result = materialize(filled, config)
    assert result.success
    rows = filled.read(RUNS, where="origin = 'sweep'")
    assert len(rows) == 12
    # Twelve of the sweep and one of each strategy of the night before.
    assert set(rows["variants"]) == {12 + len(STRATEGIES)}
    assert set(rows["cost_bps"]) == {6.0}
    assert set(rows["capital"]) == {5000.0}
    curves = set(filled.read(EQUITY_CURVES)["backtest_id"]) & set(rows["backtest_id"])
    best = rows.sort("sharpe", descending=True).head(2)
    assert curves == set(best["backtest_id"])
    assert all(report_path(filled.path.parent, one).exists() for one in curves)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"from": 5, "to": 53, "step": 5}, list(range(5, 54, 5))),
        ({"from": 5, "to": 50, "step": 5}, list(range(5, 51, 5))),
        ({"from": 0.1, "to": 0.3, "step": 0.1}, [0.1, 0.2, 0.3]),
        ({"from": 7, "to": 7, "step": 2}, [7]),
    ],
)
def test_a_range_of_the_form_ends_inside_its_bounds(given, values):
    """The upper end is tried where a step falls on it, and nothing beyond it ever."""
    request = assets.BacktestConfig(strategy="sma_crossover", sweep={"fast": given}).request()
    assert request.axes["fast"] == pytest.approx(values)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"strategy": "magic"}, "there is no strategy 'magic'"),
        ({"parameters": {"fast": 3}}, "without a strategy"),
        ({"strategy": "sma_crossover", "parameters": {"fast": 1}}, "allowed: 2 to 200"),
        ({"strategy": "buy_and_hold", "symbols": ["ZZZ"]}, "no price history for ZZZ"),
        ({"strategy": "buy_and_hold", "symbols": ["SPX"]}, "SPX is an index"),
        ({"strategy": "buy_and_hold", "symbols": ["IBM", "MSFT", "IBM"]}, "IBM is asked for more than once"),
        ({"strategy": "sma_crossover", "sweep": {"fast": [5]}, "keep": -1}, "keep is -1; ask for 0 runs or more"),
        ({"strategy": "buy_and_hold", "start": "2020-01-01"}, "outside the price history"),
        ({"strategy": "buy_and_hold", "start": "2009-06-01", "end": "2009-05-01"}, "no two sessions"),
        ({"strategy": "buy_and_hold", "start": "yesterday"}, "not a date"),
        ({"strategy": "sma_crossover", "sweep": {"fast": 5}}, "neither a list nor a range"),
        ({"strategy": "sma_crossover", "sweep": {"fast": {"from": 9, "to": 5, "step": 1}}}, "lower end first"),
        ({"strategy": "sma_crossover", "sweep": {"fast": {"from": 5, "to": 9, "step": 0}}}, "a step above 0"),
        ({"strategy": "sma_crossover", "sweep": {"fast": {"from": 5, "to": 9, "step": -1}}}, "a step above 0"),
        ({"strategy": "buy_and_hold", "rules": {"capital": 0.0}}, "capital: Input should be greater than 0"),
        ({"strategy": "buy_and_hold", "costs": {"commission_bps": -1.0}}, "commission_bps: Input should be greater"),
        ({"strategy": "buy_and_hold", "rules": {"fill": "yesterday"}}, "fill: Input should be 'open' or 'close'"),
    ],
)
def test_bad_requests_are_refused_in_one_sentence(inputs, config, message):
    """Every wrong entry of the form is an error that says what is allowed."""
    with pytest.raises(UsageError, match=message):
        perform(inputs, assets.BacktestConfig(**config).request())


def test_no_prices_is_an_error_not_an_empty_result(tmp_path):
    """An empty warehouse says what to run first."""
    warehouse = make_warehouse(tmp_path)
    warehouse.replace(DAILY_PRICES, DAILY_PRICES.empty())
    with pytest.raises(DataError, match="run the nightly job first"):
        read_inputs(warehouse)


def test_the_job_runs_backtests_and_publishes():
    """The job that people launch selects this room's assets and the publication, and nothing else."""

    @dg.asset(key=["serving", "readers_database"])
    def publication() -> None:
        """Stands where the publication stands."""

    @dg.asset
    def bystander() -> None:
        """Belongs to no job of this room."""

    definitions = dg.Definitions(
        assets=[assets.backtest_tables, publication, bystander],
        jobs=[backtest_strategies],
        resources={"warehouse": dg.ResourceDefinition.none_resource()},
    )
    job = definitions.resolve_job_def("backtest_strategies")
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == {
        "serving/readers_database",
        *(f"backtests/{table.name}" for table in TABLES),
    }


def test_progress_counts_runs(inputs):
    """Progress is reported run by run."""
    seen = []
    request = Request(strategy="equal_weight", each_alone=True)
    perform(inputs, request, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
