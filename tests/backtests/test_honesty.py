"""What a sceptic would try: look-ahead must show, noise must lose its costs, luck must be discounted."""

import dataclasses

import numpy as np
import pytest

from quant_assets.backtests.backtest import backtest
from quant_assets.backtests.costs import Costs
from quant_assets.backtests.evaluation import Bench
from quant_assets.backtests.market import lay_out
from quant_assets.backtests.rules import Rules
from quant_assets.backtests.simulation import simulate
from quant_assets.backtests.sweep import expand, sweep
from quant_assets.foundation.performance import sharpe_ratio, simple_returns
from quant_assets.strategies import Indicators, Knowledge, PricePanel, build_strategy
from quant_assets.strategies.targets import Targets
from tests.support.price_panels import make_panel

FREE = Costs(commission_bps=0, half_spread_bps=0)


def planted_panel(sessions=600):
    """Noise-free: the close rises or falls by about one per cent as a hidden coin says, and opens where it closed."""
    rng = np.random.default_rng(0)
    sign = rng.choice([-1.0, 1.0], sessions)
    close = 100 * np.cumprod(1 + 0.01 * sign * rng.uniform(0.5, 1.5, sessions))[:, None]
    opening = np.vstack([close[:1], close[:-1]])
    days = np.busday_offset("2010-01-04", np.arange(sessions), roll="forward")
    flat, one = np.zeros(close.shape), np.ones(close.shape)
    panel = PricePanel(days, ("P",), opening, close, opening, close, 1e9 * one, flat, one)
    return panel, sign


def sharpe_of(weights, panel):
    """Sharpe ratio of weights decided at each close and filled at the next open."""
    targets = Targets(weights[:, None], np.ones((len(weights), 1), dtype=np.uint8))
    run = simulate(lay_out(panel, Rules()), targets, Rules(borrow_rate_ann=0.0), FREE)
    return sharpe_ratio(simple_returns(run.equity), risk_free_rate=0.0)


def test_a_signal_one_bar_too_early_shows():
    """Knowing today's coin earns nothing after the close; knowing tomorrow's earns every session."""
    panel, sign = planted_panel()
    honest = sharpe_of(sign * 1.0, panel)
    leaked = sharpe_of(np.append(sign[1:], 0.0), panel)
    assert abs(honest) < 1.5
    assert leaked > 20


def test_noise_pays_its_costs():
    """Random positions on a random walk lose what trading costs, within the error of the walk itself."""
    lost, expected, errors = [], [], []
    for seed in range(30):
        panel = make_panel(500, 1, seed=seed, actions=False, drift=-0.0002)
        rng = np.random.default_rng(seed)
        weights = rng.choice([0.0, 1.0], (500, 1))
        targets = Targets(weights, np.ones(weights.shape, dtype=np.uint8))
        paid = simulate(lay_out(panel, Rules()), targets, Rules(), Costs(commission_bps=20, half_spread_bps=0))
        free = simulate(lay_out(panel, Rules()), targets, Rules(), FREE)
        changes = np.abs(np.diff(weights[:-1, 0], prepend=0)).sum()
        lost.append(np.log(free.equity[-1] / paid.equity[-1]))
        expected.append(changes * 0.002)
        errors.append(np.log(free.equity[-1] / 100_000))
    np.testing.assert_allclose(lost, expected, rtol=0.01)
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(30)


def test_the_best_of_many_worthless_rules_is_not_believed():
    """On noise the best of 200 crossovers looks good by itself and not after allowing for the search."""
    believed, deflated = 0, 0
    for seed in range(12):
        panel = make_panel(750, 1, seed=100 + seed, actions=False, drift=-0.0002)
        bench = Bench(Knowledge(panel, Indicators(panel)), lay_out(panel, Rules()), Rules(), FREE, 0, 749)
        found = sweep({"N": bench}, expand("sma_crossover", {"fast": range(2, 22, 2), "slow": range(25, 125, 5)}))
        (_, best), *_ = found.best(1)
        result = backtest(found.variants[best], bench, trials=found.trials)
        believed += result.measures.probabilistic_sharpe > 0.9
        deflated += result.deflated_sharpe > 0.9
    assert believed >= 3
    assert deflated <= 1


@pytest.fixture(scope="module")
def predicted():
    """A market of three symbols and probabilities that know tomorrow's direction two times in three."""
    panel = make_panel(900, 3, seed=5, actions=False)
    rng = np.random.default_rng(0)
    # A decision on the close of t earns from the open of t+1 to that of t+2.
    earns = np.zeros(panel.shape)
    earns[:-2] = np.sign(panel.open[2:] / panel.open[1:-1] - 1)
    right = rng.random(panel.shape) < 2 / 3
    probability = 0.5 + 0.2 * np.where(right, earns, -earns) + 0.05 * rng.random(panel.shape)
    return Bench(Knowledge(panel, Indicators(panel), probability), lay_out(panel, Rules()), Rules(), Costs(), 0, 899)


def test_a_model_that_knows_something_beats_its_twin(predicted):
    """With informative predictions the interval of the Sharpe difference to the rule twin lies above zero."""
    result = backtest(build_strategy("ml_signal"), predicted)
    assert result.twin.strategy == "ml_signal_twin"
    assert result.twin.difference.low > 0
    assert result.twin.difference.difference == pytest.approx(result.measures.sharpe - result.twin.sharpe)


def test_a_model_that_knows_nothing_does_not(predicted):
    """With random predictions the interval covers zero."""
    rng = np.random.default_rng(3)
    known = dataclasses.replace(predicted.known, probability=rng.random(predicted.market.panel.shape))
    result = backtest(build_strategy("ml_signal"), dataclasses.replace(predicted, known=known, costs=FREE))
    assert result.twin.difference.low < 0 < result.twin.difference.high
