from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from quant_assets.signals.metrics import auc
from quant_assets.signals.session_bootstrap import SessionBootstrap, block_length, interval
from tests.support.signal_markets import weekdays


@pytest.fixture
def panel():
    """Dates of 100 sessions with one to four rows each."""
    rng = np.random.default_rng(0)
    return np.repeat(weekdays(100), rng.integers(1, 5, 100)), rng


def drawn_sessions(bootstrap: SessionBootstrap, resample: int) -> np.ndarray:
    """Numbers of the sessions of one resample, block by block."""
    blocks = zip(bootstrap.starts[resample], bootstrap.lengths, strict=True)
    return np.concatenate([(start + np.arange(length)) % bootstrap.sessions for start, length in blocks])


def test_sums_equal_rows_laid_out(panel):
    """The sum over a resample is the sum over the rows of its sessions, each as often as it was drawn."""
    dates, rng = panel
    values = rng.normal(size=len(dates))
    bootstrap = SessionBootstrap.draw(dates, rng, resamples=20)
    sums = bootstrap.sums(values)
    for resample in range(20):
        sessions = drawn_sessions(bootstrap, resample)
        assert len(sessions) == 100
        expected = sum(values[bootstrap.session_of_row == session].sum() for session in sessions)
        assert sums[resample] == pytest.approx(expected)


def test_auc_of_a_resample_equals_rows_laid_out(panel):
    """The AUC of each resample is that of its rows repeated; few distinct scores make the bins exact."""
    dates, rng = panel
    scores = rng.integers(0, 50, len(dates)).astype(float)
    labels = (rng.random(len(dates)) < 0.3 + 0.01 * scores).astype(float)
    bootstrap = SessionBootstrap.draw(dates, rng, resamples=10)
    found = bootstrap.auc(scores, labels)
    for resample in range(10):
        rows = np.concatenate(
            [np.flatnonzero(bootstrap.session_of_row == s) for s in drawn_sessions(bootstrap, resample)]
        )
        assert found[resample] == pytest.approx(auc(scores[rows], labels[rows]), abs=5e-4)


def test_interval_covers_the_mean_of_dependent_rows():
    """Over panels of six years whose sessions share a shock, the 95 % interval covers the truth as often as it says."""
    panels, sessions = 200, 1500
    covered = 0
    for seed in range(panels):
        rng = np.random.default_rng(seed)
        dates = np.repeat(weekdays(sessions), 3)
        values = np.repeat(rng.normal(size=sessions), 3) + rng.normal(size=3 * sessions)
        low, high = interval(SessionBootstrap.draw(dates, rng, resamples=200).sums(values))
        covered += low <= 0.0 <= high
    assert covered >= binom.ppf(0.001, panels, 0.95)


def test_short_histories_use_shorter_blocks():
    """Three sessions are drawn in blocks of one."""
    bootstrap = SessionBootstrap.draw(weekdays(3), np.random.default_rng(0), resamples=5)
    assert bootstrap.lengths.tolist() == [1, 1, 1]


def test_no_finite_value_has_no_interval():
    """Resamples that are all undefined give NaN bounds."""
    assert np.isnan(interval(np.full(5, np.nan))).all()


def test_blocks_hold_four_horizons():
    """Default horizons keep a month; a label over a quarter is drawn in blocks of a year."""
    assert [block_length(horizon) for horizon in (1, 5, 6, 63)] == [21, 21, 24, 252]


def test_longer_blocks_see_the_dependence_of_overlapping_labels():
    """Of the variance of a mean of moving sums, blocks of four horizons find nearly all and blocks of a month little.

    Blocks of b sessions weigh the covariance at lag k by 1 - k / b. For sums over h sessions that leaves
    1 - h / (3 b) of the variance where b > h, and b / h (1 - b / (3 h)) where b < h.
    """
    horizon, sessions, ratios = 63, 4000, {21: [], block_length(63): []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values = np.convolve(rng.normal(size=sessions + horizon - 1), np.ones(horizon), "valid")
        for block, found in ratios.items():
            drawn = SessionBootstrap.draw(weekdays(sessions), rng, resamples=200, block_sessions=block)
            found.append(drawn.sums(values).var() / (sessions * horizon**2))
    assert np.mean(ratios[252]) == pytest.approx(1 - 63 / (3 * 252), abs=0.25)
    assert np.mean(ratios[21]) == pytest.approx(21 / 63 * (1 - 21 / (3 * 63)), abs=0.05)
