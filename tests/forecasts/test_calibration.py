import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quant_assets.forecasts.calibration import apply_corrections, band_width, conformal_corrections
from quant_assets.forecasts.parameters import LEVELS, LOWER, MEDIAN, UPPER

NORMAL = stats.norm.ppf(LEVELS)


def slow_corrections(scores, origins, wanted, step):
    """The rules of the module, written out with numpy for one model, session, horizon and level at a time."""
    models, _, horizons, levels = scores.shape
    single = np.zeros((models, len(wanted), horizons, levels))
    for m, a, h, j in np.ndindex(single.shape):
        known = np.sort(scores[m, origins + h + 1 <= wanted[a], h, j])
        known = known[np.isfinite(known)]
        n = len(known)
        if n < 20 or j == MEDIAN:
            continue
        tau = LEVELS[j]
        target = tau * (n + 1) / n if tau > 0.5 else 1 - (1 - tau) * (n + 1) / n
        quantile = np.interp(target * n - 0.5, np.arange(n), known)
        independent = n * min(1.0, step / (h + 1))
        single[m, a, h, j] = independent / (independent + 30) * quantile
    smooth = np.empty_like(single)
    for h in range(horizons):
        reach = min(2, h, horizons - 1 - h)
        smooth[:, :, h] = single[:, :, h - reach : h + reach + 1].mean(axis=2)
    return smooth


def example(seed=1, models=2, count=60, horizons=8):
    rng = np.random.default_rng(seed)
    scores = np.sort(rng.normal(0, 0.3, (models, count, horizons, len(LEVELS))), axis=-1)
    scores[0, 5:9] = np.nan
    return scores, 100 + 5 * np.arange(count)


def test_corrections_follow_the_written_rules():
    """The compiled pass over all sessions equals the rules written out."""
    scores, origins = example()
    wanted = np.array([90, 215, 216, 300, 395, 420])
    fast = conformal_corrections(scores, origins, wanted, origin_step=5)
    np.testing.assert_allclose(fast, slow_corrections(scores, origins, wanted, 5), atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(100, 400), st.integers(0, 1_000))
def test_a_correction_uses_no_outcome_of_the_future(session, seed):
    """Scores whose outcome lies after the session change nothing."""
    scores, origins = example()
    horizons = np.arange(1, scores.shape[2] + 1)
    unknown = origins[:, None] + horizons > session
    noise = np.where(unknown[None, :, :, None], np.random.default_rng(seed).normal(size=scores.shape), scores)
    wanted = np.array([session])
    one, two = (conformal_corrections(each, origins, wanted, origin_step=5) for each in (scores, noise))
    np.testing.assert_array_equal(one, two)


def test_few_outcomes_correct_nothing_and_the_median_never_moves():
    """Below twenty outcomes corrections are zero; those of the median always are."""
    scores, origins = example()
    early = conformal_corrections(scores, origins, np.array([origins[19]]), origin_step=5)
    assert not early.any()
    late = conformal_corrections(scores, origins, np.array([1_000]), origin_step=5)
    assert late[..., LOWER].all()
    assert not late[..., MEDIAN].any()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1, 0))
def test_corrected_quantiles_are_in_order_above_the_floor(seed, floor):
    """Whatever the corrections, quantiles rise with the level and lose no more than there is."""
    rng = np.random.default_rng(seed)
    quantiles = np.sort(rng.normal(0, 0.1, (3, len(LEVELS))), axis=-1)
    moved = apply_corrections(quantiles, rng.normal(0, 1, quantiles.shape), floor)
    assert (np.diff(moved, axis=-1) >= 0).all()
    assert moved.min() >= floor


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_a_level_that_crosses_the_median_stops_at_it(seed):
    """However far the other levels are moved, the corrected median is the raw one to the last bit."""
    rng = np.random.default_rng(seed)
    quantiles = np.sort(rng.normal(0, 0.1, (3, len(LEVELS))), axis=-1)
    moved = apply_corrections(quantiles, rng.normal(0, 1, quantiles.shape), -np.inf)
    np.testing.assert_array_equal(moved[:, MEDIAN], quantiles[:, MEDIAN])
    assert (np.diff(moved, axis=-1) >= 0).all()
    crossing = np.zeros_like(quantiles)
    crossing[:, LOWER] = 10.0
    raised = apply_corrections(quantiles, crossing, -np.inf)
    np.testing.assert_array_equal(raised[:, MEDIAN - 1 : MEDIAN + 1], quantiles[:, [MEDIAN, MEDIAN]])
    np.testing.assert_array_equal(raised[:, MEDIAN + 1 :], quantiles[:, MEDIAN + 1 :])


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_a_band_of_the_wrong_width_becomes_right(spread):
    """Forecasts with half or twice the true spread hold 90 % of outcomes once corrected, within sampling error."""
    rng = np.random.default_rng(7)
    count, new = 800, 4_000
    outcome = rng.normal(0, 0.02, (count, 1))
    raw = np.tile(0.02 * spread * NORMAL, (1, count, 1, 1))
    scores = (outcome[None, :, :, None] - raw) / band_width(raw)[..., None]
    origins = 5 * np.arange(count)
    correction = conformal_corrections(scores, origins, np.array([10_000]), origin_step=5)[0, 0, 0]
    band = apply_corrections(raw[0, 0, 0], correction, -np.inf)
    later = rng.normal(0, 0.02, new)
    inside = ((later >= band[LOWER]) & (later <= band[UPPER])).mean()
    before = stats.norm.cdf(spread * 1.645) - stats.norm.cdf(-spread * 1.645)
    # 800 outcomes know the share to 1.1 points, 4,000 trials to 0.5; shrinkage leaves 30 / 830 of the gap.
    left = abs(before - 0.9) * 30 / 830
    assert abs(inside - 0.9) < 3 * 0.012 + left
    assert abs(before - 0.9) > 0.08
