from __future__ import annotations

import datetime as dt
from itertools import permutations

import numpy as np
import pytest

from quant_assets.regimes.model import RegimeModel, StateSummary
from quant_assets.regimes.naming import density_distances, name_states, rule_costs

LADDER = np.array([0.75, 1.35, 0.42, 2.4])
TYPICAL = (
    StateSummary(0.05, 0.8, 0.5, 0.35),
    StateSummary(-0.1, 1.4, -0.6, 0.25),
    StateSummary(0.0, 0.45, 0.0, 0.3),
    StateSummary(0.0, 2.5, -0.2, 0.1),
)


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
def test_names_do_not_depend_on_the_order_of_states(order):
    """However the library numbered the states, each gets the name that fits it."""
    shuffled = tuple(TYPICAL[i] for i in order)
    chosen = name_states(rule_costs(shuffled, LADDER, 3000))
    assert [shuffled[state] for state in chosen] == list(TYPICAL)


def test_direction_decides_between_equal_volatilities():
    """Of two states with the same volatility between two rungs, the rising one is bullish."""
    level = np.sqrt(0.75 * 1.35)
    up, down = StateSummary(0.1, level, 0.8, 0.3), StateSummary(-0.1, level, -0.8, 0.3)
    chosen = name_states(rule_costs((down, up, TYPICAL[2], TYPICAL[3]), LADDER, 3000))
    assert chosen[:2] == [1, 0]


def test_a_mean_of_a_few_weeks_renames_nothing():
    """A falling calm state seen for 30 sessions keeps the name of its volatility."""
    brief = StateSummary(-0.2, 0.75, -1.5, 0.01)
    chosen = name_states(rule_costs((brief, *TYPICAL[1:]), LADDER, 3000))
    assert chosen == [0, 1, 2, 3]


def previous(means):
    """A model with the given means of one feature and unit variances."""
    day = dt.date(2000, 1, 3)
    rows = tuple((mean,) for mean in means)
    return RegimeModel(
        "m", day, day, day, ("a",), (1.0,), rows, ((1.0,),) * 4, ((0.25,) * 4,) * 4, 0.0, 1, 0, 1, TYPICAL
    )


def test_distance_is_bhattacharyyas():
    """The distance of two normals is the closed form, by numerical integration of sqrt(f g)."""
    grid = np.linspace(-30, 30, 200_001)
    first = np.exp(-((grid - 1.0) ** 2) / 2 / 2.0) / np.sqrt(2 * np.pi * 2.0)
    second = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    expected = -np.log(np.trapezoid(np.sqrt(first * second), grid))
    found = density_distances(np.array([[1.0]] * 4), np.array([[2.0]] * 4), previous([0.0] * 4))
    assert found == pytest.approx(np.full((4, 4), expected), rel=1e-6)


def test_a_refit_with_states_in_another_order_keeps_the_names():
    """States that come back permuted are matched with their old selves."""
    before, after = [0.0, 1.0, -1.0, 3.0], np.array([[3.1], [-1.1], [1.1], [0.1]])
    distances = density_distances(after, np.ones((4, 1)), previous(before))
    assert name_states(np.zeros((4, 4)), distances) == [3, 2, 1, 0]


def test_alignment_settles_what_the_rule_leaves_open():
    """Two states that the rule cannot tell apart keep the names they had."""
    twin = StateSummary(0.0, np.sqrt(0.75 * 1.35), 0.0, 0.3)
    costs = rule_costs((twin, twin, TYPICAL[2], TYPICAL[3]), LADDER, 3000)
    swapped = density_distances(
        np.array([[1.0], [0.0], [-1.0], [3.0]]), np.ones((4, 1)), previous([0.0, 1.0, -1.0, 3.0])
    )
    assert name_states(costs, swapped) == [1, 0, 2, 3]
