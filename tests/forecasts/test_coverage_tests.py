import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from quant_assets.forecasts.coverage_tests import christoffersen_p_value, kupiec_p_value


@given(st.integers(1, 600), st.floats(0.01, 0.2), st.data())
def test_kupiec_is_the_likelihood_ratio_of_two_binomials(count, rate, data):
    """The p-value is that of scipy's binomial likelihoods."""
    breaches = data.draw(st.integers(0, count))
    ratio = -2 * (stats.binom.logpmf(breaches, count, rate) - stats.binom.logpmf(breaches, count, breaches / count))
    assert kupiec_p_value(breaches, count, rate) == pytest.approx(stats.chi2.sf(max(ratio, 0), 1), rel=1e-6, abs=1e-9)


def test_kupiecs_own_rejection_regions():
    """Kupiec (1995), table 2: at 95 % confidence a rate of 5 % over 255 days stands for 6 < breaches < 21."""
    assert kupiec_p_value(6, 255, 0.05) < 0.05 < kupiec_p_value(7, 255, 0.05)
    assert kupiec_p_value(21, 255, 0.05) < 0.05 < kupiec_p_value(20, 255, 0.05)


def slow_christoffersen(breached, rate):
    pairs = list(itertools.pairwise(breached))
    counts = {pair: pairs.count(pair) for pair in ((0, 0), (0, 1), (1, 0), (1, 1))}
    n0, n1 = counts[0, 0] + counts[0, 1], counts[1, 0] + counts[1, 1]
    p01, p11 = (counts[0, 1] / n0 if n0 else 0), (counts[1, 1] / n1 if n1 else 0)
    p1 = (counts[0, 1] + counts[1, 1]) / len(pairs)
    power = lambda p, k: p**k if k else 1.0  # noqa: E731 - one line of a formula
    null = power(1 - p1, counts[0, 0] + counts[1, 0]) * power(p1, counts[0, 1] + counts[1, 1])
    chain = (
        power(1 - p01, counts[0, 0])
        * power(p01, counts[0, 1])
        * power(1 - p11, counts[1, 0])
        * power(p11, counts[1, 1])
    )
    n, x = len(breached), sum(breached)
    coverage = -2 * (stats.binom.logpmf(x, n, rate) - stats.binom.logpmf(x, n, x / n))
    return stats.chi2.sf(coverage - 2 * np.log(null / chain), 2)


@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_christoffersen_is_the_markov_likelihood_ratio(breached):
    """The p-value is that of the four transition counts written out."""
    expected = slow_christoffersen([int(b) for b in breached], 0.05)
    assert christoffersen_p_value(np.array(breached), 0.05) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_clusters_are_noticed_and_independence_is_not():
    """Ten breaches in a row are rejected, ten spread ones are not."""
    spread, cluster = np.zeros(200, dtype=bool), np.zeros(200, dtype=bool)
    spread[5::20] = True
    cluster[50:60] = True
    assert christoffersen_p_value(spread, 0.05) > 0.3
    assert christoffersen_p_value(cluster, 0.05) < 1e-6


def test_nothing_to_test_is_nan():
    """Without observations there is no probability."""
    assert np.isnan(kupiec_p_value(0, 0, 0.05))
    assert np.isnan(christoffersen_p_value(np.array([True]), 0.05))
