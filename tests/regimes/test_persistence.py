from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.regimes.persistence import CONFIRMATION_ODDS, confirmed_states


def slow_rule(probabilities, before, odds):
    """The rule, one session at a time."""
    labels = []
    for row in probabilities:
        likeliest = int(np.argmax(row))
        if before is None or row[likeliest] >= odds * row[before]:
            before = likeliest
        labels.append(before)
    return labels


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), before=st.sampled_from([None, 0, 1, 2, 3]), odds=st.floats(1, 5))
def test_rule_is_as_stated(seed, before, odds):
    """The label moves exactly where another state is so many times as likely as the label."""
    probabilities = np.random.default_rng(seed).dirichlet(np.full(4, 0.5), 60)
    assert confirmed_states(probabilities, before, odds).tolist() == slow_rule(probabilities, before, odds)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 59))
def test_yesterdays_label_is_all_that_is_remembered(seed, cut):
    """Labelling in two parts equals labelling at once."""
    probabilities = np.random.default_rng(seed).dirichlet(np.full(4, 0.5), 60)
    first = confirmed_states(probabilities[:cut], None)
    second = confirmed_states(probabilities[cut:], int(first[-1]))
    assert np.array_equal(np.concatenate([first, second]), confirmed_states(probabilities, None))


def test_odds_of_one_label_the_most_probable_state():
    """Without a demand on the odds the label is the likeliest state."""
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), 200)
    assert np.array_equal(confirmed_states(probabilities, None, 1.0), probabilities.argmax(axis=1))


def test_more_demanding_odds_change_the_label_less_often():
    """Flips do not increase with the odds that are asked for."""
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(0, 0.3, (2000, 4)), axis=0)
    walk -= walk.mean(axis=1, keepdims=True)
    probabilities = np.exp(walk) / np.exp(walk).sum(axis=1, keepdims=True)
    flips = [int((np.diff(confirmed_states(probabilities, None, odds)) != 0).sum()) for odds in (1, 1.5, 2, 3, 5)]
    assert flips == sorted(flips, reverse=True)
    assert flips[0] > flips[-1]


@pytest.mark.parametrize(("share", "label"), [(0.66, 0), (0.67, 1)])
def test_twice_as_likely_is_the_border(share, label):
    """Two to one is enough, less is not."""
    row = np.array([[1 - share, share, 0.0, 0.0]])
    assert confirmed_states(row, 0)[0] == label
    assert CONFIRMATION_ODDS == 2
