from __future__ import annotations

import numpy as np
import pytest

from quant_assets.signals.reasons import heuristic_reasons, top_reasons
from quant_assets.signals.recommendation import edge, recommend, recommend_by_score


def test_edge_is_the_gain_over_the_deviation_of_the_outcome():
    """The edge of 0.6 over a base rate of 0.5 is a fifth of the outcome's deviation."""
    assert edge(np.array([0.6]), np.array([0.5])) == pytest.approx([0.2])


def test_the_deviation_of_a_calibrated_edge_is_its_correlation_with_the_outcome():
    """Over many bets the standard deviation of the edge equals the correlation of probability and outcome."""
    rng = np.random.default_rng(0)
    probability = rng.beta(4, 4, 400_000)
    outcome = (rng.random(400_000) < probability).astype(float)
    edges = edge(probability, np.full(400_000, 0.5))
    assert edges.std() == pytest.approx(np.corrcoef(probability, outcome)[0, 1], abs=0.01)


def test_small_edges_are_held():
    """Each step of the edge has its word, on both sides."""
    edges = np.array([-0.3, -0.1, -0.04, 0.0, 0.04, 0.1, 0.3])
    expected = ["strong_sell", "sell", "hold", "hold", "hold", "buy", "strong_buy"]
    assert recommend(edges, has_downside=True) == expected


def test_an_unlikely_jump_is_no_sell():
    """A chance of 2 % for a big rise that happens in 12 % of sessions is a hold: it says nothing about falls."""
    edges = edge(np.array([0.02]), np.array([0.12]))
    assert recommend(edges, has_downside=False) == ["hold"]


def test_a_low_probability_above_its_base_rate_is_a_buy():
    """A chance of 5 % for what happens in 2 % is a strong buy, 52 % for what happens in 55 % is a sell."""
    edges = edge(np.array([0.05, 0.52]), np.array([0.02, 0.55]))
    assert recommend(edges, has_downside=True) == ["strong_buy", "sell"]


def test_scores_recommend_by_their_own_steps():
    """The heuristic's score recommends at 0.2 and 0.5; without a score it holds."""
    scores = np.array([-0.6, -0.3, 0.1, 0.3, 0.6, np.nan])
    expected = ["strong_sell", "sell", "hold", "buy", "strong_buy", "hold"]
    assert recommend_by_score(scores, has_downside=True) == expected
    assert recommend_by_score(scores, has_downside=False)[:2] == ["hold", "hold"]


def test_reasons_name_the_largest_contributions():
    """The three largest by size come first, with value and effect on the odds; unknown values are said so."""
    text = top_reasons(
        ["natr_14", "my_feature", "rsi_14", "cci_20"],
        np.array([2.5, np.nan, 70.0, 1.0], dtype=np.float32),
        np.array([np.log(1.5), -np.log(2.0), 0.001, 0.1]),
    )
    assert text == (
        "my_feature unknown lowers the odds by 50%; average true range 2.5 raises the odds by 50%; "
        "commodity channel index 1 raises the odds by 11%"
    )


def test_an_ordinary_row_says_so():
    """Where nothing moves the odds there is no invented reason."""
    text = top_reasons(["natr_14"], np.array([2.5], dtype=np.float32), np.array([0.0]))
    assert text == "nothing sets this session apart"


def test_heuristic_reasons_leave_unknown_rules_out():
    """Known parts are listed with their sign; without any the sentence says so."""
    assert heuristic_reasons(["momentum", "macd"], np.array([0.4, np.nan])) == "momentum +0.40"
    assert heuristic_reasons(["momentum"], np.array([np.nan])) == "no rule has its inputs yet"
