from __future__ import annotations

import numpy as np
import pytest

from quant_assets.signals.calibration import sigmoid
from quant_assets.signals.heuristic import (
    RULE_FEATURES,
    RULES,
    WEIGHTS,
    fit_heuristic_line,
    heuristic_parts,
    heuristic_score,
)
from tests.support.signal_markets import weekdays

PLAIN = {
    "rate_of_change_60d": 0.0,
    "realised_volatility_ann_60": 0.2,
    "rsi_14": 50.0,
    "macd_hist_ratio": 0.0,
    "natr_14": 2.0,
    "price_change_1d": 0.01,
    "volume_ratio": 1.0,
}


def parts_of(**changes: float) -> np.ndarray:
    row = PLAIN | changes
    matrix = np.array([[row[name] for name in RULE_FEATURES]], dtype=np.float32)
    return heuristic_parts(matrix, RULE_FEATURES)[0]


def test_nothing_unusual_scores_nothing():
    """A flat return, a middling RSI, a flat MACD and usual volume score 0."""
    assert parts_of() == pytest.approx(np.zeros(4))


@pytest.mark.parametrize(
    ("changes", "rule", "part"),
    [
        ({"rate_of_change_60d": 0.2 * np.sqrt(60 / 252)}, "momentum", 0.5),
        ({"rate_of_change_60d": 5.0}, "momentum", 1.0),
        ({"rsi_14": 40.0}, "reversal", 0.5),
        ({"rsi_14": 85.0}, "reversal", -1.0),
        ({"macd_hist_ratio": 0.0025}, "macd", 0.5),
        ({"macd_hist_ratio": -0.1}, "macd", -1.0),
        ({"volume_ratio": 1.5}, "volume", 0.5),
        ({"volume_ratio": 4.0, "price_change_1d": -0.01}, "volume", -1.0),
        ({"volume_ratio": 0.5}, "volume", 0.0),
    ],
)
def test_each_rule_is_as_documented(changes, rule, part):
    """Each rule's part follows its formula, within 1, times its weight."""
    expected = np.zeros(4)
    expected[RULES.index(rule)] = part
    assert parts_of(**changes) == pytest.approx(expected * WEIGHTS, abs=1e-6)


def test_score_lies_within_one():
    """All rules at their best score 1, at their worst -1."""
    assert heuristic_score(WEIGHTS[None, :]) == pytest.approx([1.0])
    assert heuristic_score(-WEIGHTS[None, :]) == pytest.approx([-1.0])


def test_unknown_rules_count_nothing():
    """A rule without inputs counts 0; without any rule there is no score."""
    parts = parts_of(rsi_14=np.nan, rate_of_change_60d=5.0)
    assert np.isnan(parts[1])
    assert heuristic_score(parts[None, :]) == pytest.approx([0.4])
    assert np.isnan(heuristic_score(np.full((1, 4), np.nan)))


def test_missing_columns_make_rules_unknown():
    """A store without a column leaves the rule out and keeps the others."""
    parts = heuristic_parts(np.array([[30.0]], dtype=np.float32), ["rsi_14"])[0]
    assert np.isnan(parts[[0, 2, 3]]).all()
    assert parts[1] == pytest.approx(0.2)


def test_the_line_finds_what_the_score_adds():
    """Where the score adds 1.2 to the log-odds of the base rate, the line says so."""
    rng = np.random.default_rng(0)
    score, rate = rng.uniform(-1, 1, 20000), rng.choice([0.1, 0.4], 20000)
    labels = (rng.random(20000) < sigmoid(np.log(rate / (1 - rate)) + 1.2 * score)).astype(float)
    line = fit_heuristic_line(score, labels, rate, weekdays(20000))
    assert line.slope == pytest.approx(1.2, abs=0.1)
    assert line.intercept == pytest.approx(0.0, abs=0.06)


def test_a_useless_score_leaves_the_base_rate():
    """A score that points the wrong way, or none at all, adds nothing."""
    labels = np.tile([0.0, 1.0], 500)
    rate = np.full(1000, 0.5)
    wrong = fit_heuristic_line(0.5 - labels, labels, rate, weekdays(1000))
    none = fit_heuristic_line(np.full(1000, np.nan), labels, rate, weekdays(1000))
    assert (wrong.slope, wrong.intercept) == (none.slope, none.intercept) == (0.0, 0.0)
