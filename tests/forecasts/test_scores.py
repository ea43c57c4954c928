import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_pinball_loss

from quant_assets.forecasts.parameters import LEVELS, LOWER, MEDIAN, UPPER
from quant_assets.forecasts.scores import absolute_error, band_pinball, crps, is_inside, pinball, pit_shares


@pytest.fixture
def sample():
    rng = np.random.default_rng(1)
    return rng.normal(0, 0.05, 500), np.sort(rng.normal(0, 0.05, (500, len(LEVELS))), axis=1)


def test_pinball_is_scikit_learns(sample):
    """Each level's mean loss equals the library's."""
    outcome, quantiles = sample
    for place, level in enumerate(LEVELS):
        expected = mean_pinball_loss(outcome, quantiles[:, place], alpha=level)
        assert pinball(outcome, quantiles[:, place], level).mean() == pytest.approx(expected)
    three = [mean_pinball_loss(outcome, quantiles[:, place], alpha=LEVELS[place]) for place in (LOWER, MEDIAN, UPPER)]
    assert band_pinball(outcome, quantiles).mean() == pytest.approx(np.mean(three))


def test_crps_of_a_normal_is_its_closed_form():
    """With thirteen levels the score of a standard normal is within 1.5 % of Gneiting and Raftery's formula."""
    outcome = np.random.default_rng(2).standard_normal(20_000)
    quantiles = np.broadcast_to(stats.norm.ppf(LEVELS), (20_000, len(LEVELS)))
    exact = outcome * (2 * stats.norm.cdf(outcome) - 1) + 2 * stats.norm.pdf(outcome) - 1 / np.sqrt(np.pi)
    assert crps(outcome, quantiles).mean() == pytest.approx(exact.mean(), rel=0.015)


def test_a_right_distribution_has_a_flat_histogram():
    """Outcomes of the forecast's own distribution fill each tenth alike; a shifted one does not."""
    outcome = np.random.default_rng(3).standard_normal(20_000)
    quantiles = np.broadcast_to(stats.norm.ppf(LEVELS), (20_000, len(LEVELS)))
    shares = pit_shares(outcome, quantiles)
    assert shares.sum() == pytest.approx(1)
    assert np.abs(shares - 0.1).max() < 4 * np.sqrt(0.09 / 20_000)
    assert pit_shares(outcome + 1, quantiles)[9] == pytest.approx(
        1 - stats.norm.cdf(stats.norm.ppf(0.9) - 1), abs=0.015
    )


def test_unknown_outcomes_are_neither_inside_nor_outside():
    """NaN stays NaN in every score and is left out of the histogram."""
    outcome = np.array([0.0, np.nan, 5.0])
    quantiles = np.broadcast_to(stats.norm.ppf(LEVELS), (3, len(LEVELS)))
    np.testing.assert_array_equal(is_inside(outcome, quantiles), [1.0, np.nan, 0.0])
    assert np.isnan(absolute_error(outcome, quantiles)).tolist() == [False, True, False]
    assert np.isnan(crps(outcome, quantiles)).tolist() == [False, True, False]
    assert pit_shares(outcome, quantiles)[9] == 0.5
    assert np.isnan(pit_shares(np.array([np.nan]), quantiles[:1])).all()


def test_the_borders_belong_to_the_band():
    """An outcome equal to p05 or p95 is inside."""
    quantiles = np.broadcast_to(stats.norm.ppf(LEVELS), (2, len(LEVELS)))
    assert is_inside(quantiles[0, [LOWER, UPPER]], quantiles).tolist() == [1.0, 1.0]
