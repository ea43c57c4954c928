"""Every strategy is causal, stays inside its leverage, and does what its one sentence says."""

import math

import numpy as np
import pytest
import talib

from quant_assets.backtests import kernel
from quant_assets.backtests.causality import look_ahead
from quant_assets.backtests.costs import Costs
from quant_assets.backtests.market import lay_out
from quant_assets.backtests.rules import Rules
from quant_assets.backtests.simulation import simulate
from quant_assets.foundation.errors import UsageError
from quant_assets.strategies import (
    STRATEGIES,
    Indicators,
    Knowledge,
    build_strategy,
    describe,
    parameters_json,
    parameters_of,
)
from quant_assets.strategies.regime_adaptive import REGIMES
from quant_assets.strategies.settling import settle
from quant_assets.strategies.targets import PATIENCE
from tests.support.price_panels import make_panel

SESSIONS = 700


@pytest.fixture(scope="module")
def known():
    """Three symbols with gaps, splits and dividends, probabilities for most rows and a regime for each."""
    panel = make_panel(SESSIONS, 3, seed=4, gaps=0.03)
    rng = np.random.default_rng(1)
    probability = np.where(rng.random(panel.shape) < 0.9, rng.random(panel.shape), np.nan)
    probability[:100] = np.nan
    regime = rng.choice(REGIMES, SESSIONS)
    regime[:50] = ""
    return Knowledge(panel, Indicators(panel), probability, regime)


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_strategy_looks_ahead(name, known):
    """Decisions up to a session are the same when everything after it is cut off or corrupted."""
    assert look_ahead(build_strategy(name), known, [120, 333, 600], np.random.default_rng(0)) == []


def test_looking_ahead_is_caught(known):
    """The proof is not vacuous: a rule that reads tomorrow's close is named with the session it changed."""
    crossover = STRATEGIES["sma_crossover"]

    class Clairvoyant(crossover):
        name = "clairvoyant"

        def targets(self, known):
            rising = np.zeros(known.panel.shape)
            rising[:-1] = known.panel.mark[1:] > known.panel.mark[:-1]
            return settle(rising / 3)

    found = look_ahead(Clairvoyant(), known, [333], np.random.default_rng(0))
    assert len(found) >= 1
    assert "clairvoyant decides otherwise" in found[0]


@pytest.mark.parametrize("name", STRATEGIES)
def test_weights_are_numbers_within_the_equity(name, known):
    """By default no strategy asks for more than the equity, and each asks for something on this market."""
    targets = build_strategy(name).targets(known)
    targets.checked(max_leverage=1.0, strategy=name)
    assert targets.decided.any()
    assert np.abs(targets.weights).max() > 0


def test_crossover_holds_while_the_fast_average_is_above(known):
    """Weights are the slot where the averages, computed anew per symbol, stand so, and minus it when shorting."""
    for side, otherwise in (("long", 0.0), ("both", -1 / 3)):
        targets = build_strategy("sma_crossover", {"fast": 5, "slow": 30, "side": side}).targets(known)
        for s in range(3):
            rows = np.flatnonzero(known.panel.has_bar[:, s])
            series = known.panel.total_return_close[rows, s]
            for i in range(29, len(series)):
                above = np.mean(series[i - 4 : i + 1]) > np.mean(series[i - 29 : i + 1])
                assert targets.weights[rows[i], s] == (1 / 3 if above else otherwise)
            assert not targets.weights[: rows[29], s].any()


@pytest.mark.parametrize(("side", "otherwise"), [("long", 0.0), ("both", -1 / 3)])
def test_macd_follows_the_library(known, side, otherwise):
    """The position follows the sign of TA-Lib's histogram and stands still where it has none."""
    targets = build_strategy("ema_macd", {"side": side}).targets(known)
    for s in range(3):
        rows = np.flatnonzero(known.panel.has_bar[:, s])
        histogram = talib.MACD(known.panel.total_return_close[rows, s], 12, 26, 9)[2]
        valid = ~np.isnan(histogram)
        expected = np.where(histogram[valid] > 0, 1 / 3, otherwise)
        np.testing.assert_array_equal(targets.weights[rows[valid], s], expected)


@pytest.mark.parametrize("name", ["rsi_reversal", "bollinger_reversion"])
def test_reversals_enter_low_and_leave_high(name, known):
    """A loop over bars with the two conditions gives the same holdings."""
    strategy = build_strategy(name)
    targets = strategy.targets(known)
    for s in range(3):
        rows = np.flatnonzero(known.panel.has_bar[:, s])
        series = known.panel.total_return_close[rows, s]
        held = 0.0
        rsi = talib.RSI(series, 14)
        for i in range(len(series)):
            if name == "rsi_reversal":
                enters, leaves = rsi[i] < 30, rsi[i] > 55
            elif i >= 19:
                window = series[i - 19 : i + 1]
                enters = series[i] < window.mean() - 2 * window.std()
                leaves = series[i] >= window.mean()
            else:
                enters = leaves = False
            held = 1 / 3 if enters else 0.0 if leaves else held
            assert targets.weights[rows[i], s] == held


def test_momentum_judges_at_its_rhythm(known):
    """Between judgements nothing is decided; at one the sign of the past return decides."""
    targets = build_strategy("time_series_momentum", {"lookback": 60, "every": 10}).targets(known)
    assert set(np.flatnonzero(targets.decided.any(axis=1)) % 10) == {0}
    rows = np.flatnonzero(known.panel.has_bar[:, 0])
    series = dict(zip(rows, known.panel.total_return_close[rows, 0], strict=True))
    for t in range(70, SESSIONS, 10):
        seen = [r for r in rows if r <= t]
        rose = series[seen[-1]] > series[seen[-61]]
        assert targets.weights[t, 0] == (1 / 3 if rose else 0.0)


def test_cross_sectional_momentum_holds_the_best():
    """With five symbols and a share of 0.4 the two with the best skipped past return share the equity."""
    panel = make_panel(400, 5, seed=8)
    known = Knowledge(panel, Indicators(panel))
    targets = build_strategy("cross_sectional_momentum", {"lookback": 100, "skip": 20}).targets(known)
    worth = panel.total_return_close
    for t in range(105, 400, 21):
        score = worth[t - 20] / worth[t - 100]
        best = set(np.argsort(-score)[:2])
        assert set(np.flatnonzero(targets.weights[t])) == best
        assert targets.weights[t].sum() == pytest.approx(1.0)


def test_equal_weight_splits_among_what_trades_and_keeps_what_does_not(known):
    """Symbols with a bar share what those without one leave; a rebalancing touches nothing that has no bar."""
    targets = build_strategy("equal_weight", {"every": 5}).targets(known)
    held = np.zeros(3)
    for t in range(SESSIONS):
        alive = known.panel.has_bar[t]
        if t % 5 == 0:
            held = np.where(alive, (1 - held[~alive].sum()) / max(alive.sum(), 1), held)
        np.testing.assert_allclose(targets.weights[t], held, atol=1e-12)
        np.testing.assert_array_equal(targets.decided[t], alive if t % 5 == 0 else np.zeros(3))
    assert (~known.panel.has_bar[::5]).any()


@pytest.mark.parametrize("name", ["equal_weight", "cross_sectional_momentum"])
def test_a_missing_bar_at_a_rebalancing_sells_nothing(name):
    """A position without a bar on the day keeps its shares until the next decision that has one."""
    panel = make_panel(400, 3, seed=6, actions=False)
    parameters = {"every": 21, **({"lookback": 50, "skip": 0, "share": 1.0} if name != "equal_weight" else {})}
    row = 21 * 10
    for grid in (panel.open, panel.high, panel.low, panel.close, panel.volume):
        grid[row : row + 2, 1] = np.nan
    targets = build_strategy(name, parameters).targets(Knowledge(panel, Indicators(panel)))
    assert targets.decided[row].tolist() == [1, 0, 1]
    np.testing.assert_allclose(targets.weights[row], 1 / 3)
    run = simulate(lay_out(panel, Rules()), targets, Rules(), Costs())
    exits = run.closed_trips[:, kernel.TRIP_EXIT]
    assert not ((exits >= row) & (exits <= row + 5)).any()


def test_a_symbol_that_is_gone_leaves_its_weight_to_the_others():
    """After the sessions at which accounts close out by default, nothing is kept back for it."""
    assert Rules().halt_limit == PATIENCE
    panel = make_panel(60, 2, actions=False)
    panel.close[20:, 1] = np.nan
    targets = build_strategy("equal_weight", {"every": 1}).targets(Knowledge(panel, Indicators(panel)))
    assert targets.weights[28].tolist() == [0.5, 0.5]
    assert targets.weights[29].tolist() == [1.0, 0.0]


def test_between_rebalancings_the_decided_weights_stay(known):
    """Rows without a decision repeat the row before, so nothing undecided can be traded."""
    for name in ("equal_weight", "cross_sectional_momentum"):
        targets = build_strategy(name, {"every": 21}).targets(known)
        undecided = np.flatnonzero(~targets.decided.any(axis=1))
        changed = undecided[(targets.weights[undecided] != targets.weights[undecided - 1]).any(axis=1)]
        assert changed.size == 0
        overlay = build_strategy("volatility_target", {"every": 1, "of": {"name": name, "every": 21}}).targets(known)
        assert not overlay.weights[targets.weights == 0].any()


def test_volatility_target_brings_volatility_to_the_target():
    """On steady noise the scaled strategy has about the volatility aimed at, whatever the market's is."""
    panel = make_panel(3000, 1, seed=2, actions=False)
    known = Knowledge(panel, Indicators(panel))
    targets = build_strategy("volatility_target", {"target_ann": 0.1, "every": 1}).targets(known)
    change = panel.close[1:, 0] / panel.close[:-1, 0] - 1
    earned = targets.weights[:-1, 0] * change
    assert earned[100:].std() * math.sqrt(252) == pytest.approx(0.1, rel=0.05)
    assert change.std() * math.sqrt(252) == pytest.approx(0.32, rel=0.05)


def test_volatility_target_wraps_any_strategy(known):
    """The overlay takes a nested strategy by name and trades when that one trades."""
    overlay = build_strategy("volatility_target", {"every": 63, "of": {"name": "sma_crossover", "fast": 5, "slow": 30}})
    inner = build_strategy("sma_crossover", {"fast": 5, "slow": 30}).targets(known)
    targets = overlay.targets(known)
    assert targets.decided[inner.decided.any(axis=1)].all()
    held = np.flatnonzero((inner.weights[100:] == 0) & (targets.weights[100:] != 0))
    assert held.size == 0
    assert '"name": "sma_crossover"' in parameters_json(overlay)


def test_regime_adaptive_uses_the_regime_of_the_close(known):
    """Size and window of each session are those of the regime known then."""
    strategy = build_strategy("regime_adaptive")
    targets = strategy.targets(known)
    rows = np.flatnonzero(known.panel.has_bar[:, 1])
    series = known.panel.total_return_close[rows, 1]
    for i in range(210, len(rows)):
        regime = known.regime[rows[i]]
        window = getattr(strategy, f"{regime}_window")
        above = series[i] > np.mean(series[i - window + 1 : i + 1])
        assert targets.weights[rows[i], 1] == pytest.approx(getattr(strategy, f"{regime}_size") / 3 if above else 0.0)


def test_ml_signal_and_its_twin_differ_only_in_the_score(known):
    """Same sessions, same slots, same share of time in the market; with the twin's score both are the same."""
    signal = build_strategy("ml_signal", {"lookback": 120})
    twin = signal.twin()
    ours, theirs = signal.targets(known), twin.targets(known)
    assert (ours.weights > 0).mean() == pytest.approx((theirs.weights > 0).mean(), abs=0.05)
    past_return = np.where(np.isfinite(known.probability), known.indicators.change(twin.span), np.nan)
    same = signal.targets(Knowledge(known.panel, known.indicators, past_return))
    np.testing.assert_array_equal(same.weights, theirs.weights)


def test_ml_signal_compares_each_score_with_its_own_past(known):
    """A loop over the symbol's earlier scores, today's left out, gives the same holdings."""
    targets = build_strategy("ml_signal", {"lookback": 60, "quantile": 0.7}).targets(known)
    for s in range(3):
        rows = np.flatnonzero(np.isfinite(known.probability[:, s]))
        score = known.probability[rows, s]
        for i in range(len(rows)):
            if i < 15:
                assert targets.weights[rows[i], s] == 0.0
                continue
            level = np.quantile(score[max(0, i - 60) : i], 0.7)
            assert targets.weights[rows[i], s] == (1 / 3 if score[i] > level else 0.0)


@pytest.mark.parametrize("name", ["ml_signal", "ml_signal_twin", "regime_adaptive"])
def test_missing_tables_leave_cash_and_a_reason(name, known):
    """Without predictions or regimes there is no position, and the reason is recorded."""
    bare = Knowledge(known.panel, known.indicators)
    targets = build_strategy(name).targets(bare)
    assert not targets.decided.any()
    assert "stored" in targets.reason


def test_bad_parameters_are_refused_with_what_is_allowed():
    """Unknown names, values out of bounds and crossed windows each give one sentence that helps."""
    for name, parameters, message in (
        ("golden_cross", {}, "choose from buy_and_hold"),
        ("sma_crossover", {"fast": 1}, "allowed: 2 to 200 by 1 sessions"),
        ("sma_crossover", {"fast": 50, "slow": 50}, "must be below slow"),
        ("sma_crossover", {"pace": 5}, "there is no parameter 'pace'; choose from fast, slow, side"),
        ("rsi_reversal", {"enter_below": 50, "exit_above": 40}, "must be below exit_above"),
        ("sma_crossover", {"side": "short"}, "allowed: long or both"),
        ("volatility_target", {"of": {"name": "nothing"}}, "choose from"),
    ):
        with pytest.raises(UsageError, match=message.replace("(", "\\(")):
            build_strategy(name, parameters)


@pytest.mark.parametrize("name", STRATEGIES)
def test_parameters_make_a_form_and_a_search_space(name):
    """Each parameter has bounds around its default, a step, a unit and a description, and its grid validates."""
    for one in parameters_of(STRATEGIES[name]):
        assert one.description
        grid = one.grid(points=3)
        if not one.choices:
            assert one.unit
            assert one.low <= one.default <= one.high
            assert (grid[0], grid[-1]) == (one.low, one.high)
        assert all(isinstance(value, one.kind) for value in grid)
        assert one.name in describe(name)


def test_demanding_targets_are_refused(known):
    """NaN weights and tenfold leverage are errors that name the strategy."""
    panel = known.panel
    lots = settle(np.full(panel.shape, 10 / 3))
    with pytest.raises(UsageError, match=r"greedy asks for 10\.00 times"):
        lots.checked(max_leverage=1.0, strategy="greedy")
    lots.weights[3, 1] = np.nan
    with pytest.raises(UsageError, match="not a number"):
        lots.checked(max_leverage=20.0, strategy="greedy")
