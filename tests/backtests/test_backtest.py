"""A backtest's result, its identity, its rows and its sweep."""

import dataclasses
import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

from quant_assets.backtests import kernel
from quant_assets.backtests.backtest import backtest
from quant_assets.backtests.costs import Costs
from quant_assets.backtests.evaluation import Bench
from quant_assets.backtests.identity import backtest_id, data_digest
from quant_assets.backtests.market import lay_out
from quant_assets.backtests.parts import measure_parts
from quant_assets.backtests.records import run_records, sweep_records
from quant_assets.backtests.rules import Rules
from quant_assets.backtests.sweep import expand, sweep
from quant_assets.backtests.tables import RUNS
from quant_assets.foundation import performance as perf
from quant_assets.foundation.errors import UsageError
from quant_assets.strategies import Indicators, Knowledge, build_strategy
from tests.support.price_panels import make_panel


def make_bench(panel, *, first=0, last=None, rules=None, costs=None, probability=None, regime=None, market=None):
    """A bench over a panel, to its end by default."""
    rules = rules or Rules()
    last = panel.shape[0] - 1 if last is None else last
    known = Knowledge(panel, Indicators(panel), probability, regime)
    returns = np.zeros(0) if market is None else market
    return Bench(known, lay_out(panel, rules), rules, costs or Costs(), first, last, returns)


@pytest.fixture(scope="module")
def bench():
    """Two symbols, two years, with a market and regimes."""
    panel = make_panel(500, 2, seed=6, gaps=0.02)
    rng = np.random.default_rng(0)
    regime = rng.choice(["bullish", "bearish"], 500)
    regime[:10] = ""
    return make_bench(panel, regime=regime, market=rng.normal(0, 0.01, 499))


def test_measures_are_those_of_the_equity_curve(bench):
    """What a run reports is what the plain functions say of its stored curve and trades."""
    result = backtest(build_strategy("sma_crossover", {"fast": 5, "slow": 20}), bench)
    curve, trades = result.equity_curve(), result.trades()
    equity = curve["equity"].to_numpy()
    returns = perf.simple_returns(equity)
    closed = trades.filter(pl.col("exit_date").is_not_null())
    assert len(closed) > 10
    expected = {
        "total_return": perf.total_return(equity),
        "sharpe": perf.sharpe_ratio(returns, risk_free_rate=0.0),
        "max_drawdown": curve["drawdown"].min(),
        "cvar_95": perf.cvar(returns),
        "win_rate": perf.win_rate(closed["pnl"].to_numpy()),
        "average_trade": perf.average_trade(closed["trade_return"].to_numpy()),
        "turnover_ann": perf.turnover_ann(curve["traded"].to_numpy(), equity),
        "exposure": curve["exposure"].mean(),
        "beta": perf.alpha_beta(returns, bench.market_returns, risk_free_rate=0.0)[1],
    }
    row = run_records([result], origin="requested", market="M").row(0, named=True)
    for name, value in expected.items():
        assert row[name] == pytest.approx(value), name
    assert row["trades"] == len(trades)
    assert row["costs_paid"] == pytest.approx(curve["costs"].sum())
    assert equity[0] == bench.rules.capital


def test_the_account_equals_the_sum_of_its_trades(bench):
    """Stored round trips and the stored curve tell the same story to the cent."""
    result = backtest(build_strategy("rsi_reversal"), bench)
    profit = result.equity_curve()["equity"][-1] - bench.rules.capital
    assert result.trades()["pnl"].sum() == pytest.approx(profit, abs=0.005)


def test_the_same_run_has_the_same_id_and_any_change_another(bench):
    """The id depends on data, strategy, parameters, costs, rules and dates, and on nothing that comes later."""
    strategy = build_strategy("sma_crossover")
    base = backtest(strategy, bench).backtest_id
    assert backtest(build_strategy("sma_crossover"), bench).backtest_id == base
    panel = bench.market.panel
    wrong = dataclasses.replace(panel, close=panel.close * 1.0000001)
    others = {
        backtest(build_strategy("sma_crossover", {"fast": 21}), bench).backtest_id,
        backtest(build_strategy("buy_and_hold"), bench).backtest_id,
        backtest(strategy, dataclasses.replace(bench, costs=Costs(commission_bps=6))).backtest_id,
        backtest(strategy, dataclasses.replace(bench, rules=Rules(capital=5))).backtest_id,
        backtest(strategy, dataclasses.replace(bench, last=400, market_returns=np.zeros(0))).backtest_id,
        backtest(strategy, make_bench(wrong)).backtest_id,
    }
    assert len(others | {base}) == 7


def test_a_longer_history_keeps_result_and_id_of_a_fixed_span():
    """With the end date fixed, a night that adds bars changes neither a number nor the name of the run."""
    panel = make_panel(400, 2, seed=2)
    cut = panel.until(panel.dates[300].item())
    strategy = build_strategy("ema_macd")
    short, long = backtest(strategy, make_bench(cut)), backtest(strategy, make_bench(panel, last=300))
    assert short.backtest_id == long.backtest_id
    assert repr(short.measures) == repr(long.measures)
    assert short.equity_curve().equals(long.equity_curve())


def test_a_later_start_trades_from_that_close_on(bench):
    """Indicators know the history before the start; the account opens with cash at the start's close."""
    late = dataclasses.replace(bench, first=100, market_returns=np.zeros(0))
    result = backtest(build_strategy("buy_and_hold"), late)
    assert result.trades()["entry_date"].min() == bench.market.panel.dates[101].item()
    assert result.equity_curve()["equity"][0] == bench.rules.capital


def test_a_run_without_trades_says_why(bench):
    """Never asked, no data, or orders that nothing filled: each has its sentence, and measures stay undefined."""
    panel = bench.market.panel
    never = backtest(build_strategy("rsi_reversal", {"enter_below": 5, "window": 100}), bench)
    assert "never asked for a position" in never.note
    assert "no walk-forward predictions" in backtest(build_strategy("ml_signal"), bench).note
    assert "no market regimes" in backtest(build_strategy("regime_adaptive"), make_bench(panel)).note
    halted = dataclasses.replace(panel, volume=np.zeros(panel.shape))
    unfilled = backtest(build_strategy("buy_and_hold"), make_bench(halted))
    assert "none was filled (no_fill)" in unfilled.note
    row = run_records([never], origin="requested", market=None).row(0, named=True)
    assert (row["trades"], row["sharpe"], row["win_rate"], row["total_return"]) == (0, None, None, 0.0)


def test_events_are_readable():
    """The log names session, symbol and what happened."""
    panel = make_panel(40, 1, actions=False)
    panel.close[20:] = panel.open[20:] = np.nan
    result = backtest(build_strategy("buy_and_hold"), make_bench(panel, rules=Rules(halt_limit=3)))
    assert result.events().rows()[0][1:3] == ("S0", "closed_out")


def test_years_and_regimes_add_up(bench):
    """Compounding the parts gives the whole, and each session belongs to one part."""
    result = backtest(build_strategy("equal_weight"), bench)
    for frame in (result.by_year(), result.by_regime()):
        whole = np.prod(1 + frame["total_return"].to_numpy()) - 1
        assert whole == pytest.approx(result.measures.total_return)
        assert frame["sessions"].sum() == 499
    assert set(result.by_regime()["regime"]) == {"bullish", "bearish", "unknown"}


def test_a_session_belongs_to_the_regime_known_before_it():
    """The return of a session counts for the regime of the close before, never for its own."""
    regimes = np.array(["a", "b", "b"])
    parts = measure_parts(np.array([0.1, 0.2]), np.ones(2), regimes[:-1], risk_free_rate=0.0)
    assert parts.select("part", "total_return").rows() == [("a", pytest.approx(0.1)), ("b", pytest.approx(0.2))]


def test_a_sweep_equals_single_runs_whatever_the_threads():
    """Each cell of a sweep is the backtest of that variant on that bench, on one thread or three."""
    panel = make_panel(300, 2, seed=11)
    benches = {s: make_bench(panel.only([s])) for s in panel.symbols}
    variants = expand("sma_crossover", {"fast": [3, 5, 8], "slow": [8, 13, 21]})
    assert len(variants) == 8
    one, three = (sweep(benches, variants, threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one.measures, three.measures)
    for i, label in enumerate(one.labels):
        for j, variant in enumerate(variants):
            single = backtest(variant, benches[label])
            found = dict(zip(perf.MEASURE_NAMES, one.measures[i, j], strict=True))
            assert found == pytest.approx(dataclasses.asdict(single.measures), nan_ok=True)
            assert one.trades[i, j] == len(single.run.trips)


def test_a_sweep_records_every_variant_and_deflates_by_their_number():
    """All variants are stored with how many were tried, and the deflated Sharpe is the library formula's."""
    panel = make_panel(300, 1, seed=11, drift=0.002)
    benches = {"S0": make_bench(panel)}
    variants = expand("sma_crossover", {"fast": [3, 5, 8], "slow": [13, 21]})
    found = sweep(benches, variants)
    rows = sweep_records(found, benches, found.trials, market=None)
    assert len(rows) == 6
    assert rows["variants"].to_list() == [6] * 6
    (_, best), *_ = found.best(1)
    single = backtest(variants[best], benches["S0"], trials=found.trials)
    stored = rows.filter(pl.col("backtest_id") == single.backtest_id).row(0, named=True)
    assert stored["deflated_sharpe"] == pytest.approx(single.deflated_sharpe)
    assert stored["deflated_sharpe"] < stored["probabilistic_sharpe"]
    assert stored["sharpe"] == rows["sharpe"].max()
    assert RUNS.validate(rows).equals(rows)


def test_progress_of_a_sweep_adds_up():
    """Progress reports every variant once."""
    panel = make_panel(120, 1, seed=1)
    seen = []
    sweep({"S0": make_bench(panel)}, expand("sma_crossover", {"fast": range(2, 12)}), on_progress=seen.append)
    assert sum(seen) == 10


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"pace": [1]}, "no parameter 'pace'"),
        ({"fast": [1, 5]}, r"allowed: 2 to 200"),
        ({"fast": [50], "slow": [20]}, "no combination"),
        ({"fast": [], "slow": [20]}, "an axis is empty"),
        ({"fast": range(1100), "slow": range(1100)}, "thin it out"),
    ],
)
def test_grids_that_cannot_be_are_refused(axes, message):
    """Unknown axes, values out of bounds, empty and endless grids are errors with the reason."""
    with pytest.raises(UsageError, match=message):
        expand("sma_crossover", axes)


def test_greedy_strategies_are_refused_by_the_run(bench):
    """A strategy that asks for more leverage than the rules allow does not run."""
    overlay = build_strategy("volatility_target", {"most": 3.0, "target_ann": 0.6})
    with pytest.raises(UsageError, match="raise max_leverage"):
        backtest(overlay, bench)
    assert backtest(overlay, dataclasses.replace(bench, rules=Rules(max_leverage=3.0))).note == ""


def test_rules_and_costs_are_stored_readably(bench):
    """The row holds what it takes to run it again."""
    row = run_records([backtest(build_strategy("equal_weight"), bench)], origin="default", market="M").row(
        0, named=True
    )
    assert Rules(**json.loads(row["rules"])) == bench.rules
    assert Costs(**json.loads(row["costs"])) == bench.costs
    again = build_strategy(row["strategy"], json.loads(row["parameters"]))
    assert backtest_id(again, bench, data=data_digest(bench.known, bench.last)) == row["backtest_id"]
    assert isinstance(row["drawdown_peak_date"], dt.date)
    assert row["cost_bps"] == 10.0


def test_costs_of_a_run_are_paid_from_its_equity(bench):
    """The same trades without costs end with at least those costs more."""
    strategy = build_strategy("bollinger_reversion")
    paid = backtest(strategy, bench)
    free = backtest(strategy, dataclasses.replace(bench, costs=Costs(commission_bps=0, half_spread_bps=0)))
    costs = paid.run.path[kernel.PATH_COSTS].sum()
    assert costs > 0
    assert free.run.equity[-1] > paid.run.equity[-1]
