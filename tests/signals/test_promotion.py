from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from quant_assets.signals.calibration import log_odds, sigmoid
from quant_assets.signals.promotion import IC_MARGIN, SKILL_MARGIN, judge
from quant_assets.signals.scored_rows import ScoredRows
from tests.support.signal_markets import weekdays

SYMBOLS, SPREAD = 20, 0.25


def candidate(
    sharpness: float = 1.0,
    champion_sharpness: float | None = None,
    *,
    sessions: int = 700,
    seed: int = 0,
    same: int = 0,
) -> ScoredRows:
    """Forecasts that know a share of the true log-odds; the champion knows another share of the same.

    The first ``same`` sessions of both are equal, as a retraining's past is.
    """
    rng = np.random.default_rng(seed)
    rows = SYMBOLS * sessions
    truth = rng.normal(0.0, SPREAD, rows)
    labels = (rng.random(rows) < sigmoid(truth)).astype(float)
    returns = np.where(labels > 0.5, 1.0, -1.0) * rng.exponential(0.01, rows)

    def told(share: float) -> np.ndarray:
        noise = rng.normal(0.0, SPREAD, rows)
        return sigmoid(share * truth + np.sqrt(share * (1.0 - share)) * noise)

    ours = told(sharpness)
    opponents = {}
    if champion_sharpness is not None:
        theirs = told(champion_sharpness)
        theirs[: same * SYMBOLS] = ours[: same * SYMBOLS]
        opponents["champion"] = theirs
    return ScoredRows(
        1,
        np.tile([f"S{n:02d}" for n in range(SYMBOLS)], sessions),
        np.repeat(weekdays(sessions), SYMBOLS),
        np.full(rows, ""),
        ours,
        np.full(rows, 0.5),
        labels,
        returns,
        opponents,
    )


def verdict(scored: ScoredRows):
    return judge(scored, np.random.default_rng(1))


def test_a_vacant_place_goes_to_who_beats_the_base_rate():
    """Without a champion a true forecast wins and one that knows nothing does not."""
    assert verdict(candidate(1.0)).wins
    assert not verdict(candidate(0.0)).wins


def test_two_years_of_forecasts_are_needed():
    """The best of forecasts is not promoted on less than two years."""
    found = verdict(candidate(1.0, sessions=503))
    assert not found.wins
    assert found.reason == "503 out-of-sample sessions are too few to judge by; 504 are needed"


def test_a_better_challenger_wins_on_both_measures():
    """Knowing all of the truth against half of it wins, and the sentence has both scores."""
    found = verdict(candidate(1.0, 0.5))
    assert found.wins
    assert "rank IC +" in found.reason
    assert found.reason.endswith("it wins")


@pytest.mark.parametrize("shares", [(0.5, 1.0), (0.5, 0.5)])
def test_a_worse_or_equal_challenger_does_not_win(shares):
    """Knowing less, or no more, leaves the champion in its place."""
    assert not verdict(candidate(*shares)).wins


def test_winning_on_one_measure_is_not_enough():
    """The same order of the same symbols, told with less confidence, gains no rank IC and does not win."""
    scored = candidate(1.0, 1.0)
    flat = sigmoid(log_odds(scored.probability) * 0.3)
    found = verdict(
        ScoredRows(
            1,
            scored.symbols,
            scored.dates,
            scored.regimes,
            scored.probability,
            scored.base_rate,
            scored.labels,
            scored.forward_returns,
            {"champion": flat},
        )
    )
    assert not found.wins
    assert "rank IC +0.0000" in found.reason


def test_only_sessions_with_different_forecasts_count():
    """A retraining that repeats the champion's past is compared where it differs, and needs half a year of it."""
    assert "differ from the champion's in 100 out-of-sample sessions" in verdict(candidate(1.0, 0.2, same=600)).reason
    assert verdict(candidate(1.0, 0.2, same=300)).wins


def test_a_champion_that_forecast_other_rows_cannot_be_compared():
    """Where the champion has no forecast for the rows, the challenger does not win by default."""
    scored = candidate(1.0, 0.5)
    scored.opponents["champion"][:] = np.nan
    assert not verdict(scored).wins


def test_margins_are_above_noise():
    """A win by a hair is none: two forecasts that differ by a millionth differ by less than either margin."""
    scored = candidate(1.0, 1.0)
    scored.opponents["champion"][:] = np.clip(scored.probability + 1e-6, 0, 1)
    assert not verdict(scored).wins
    assert min(SKILL_MARGIN, IC_MARGIN) >= 0.001


def test_chance_rarely_promotes():
    """Of forty pairs of equally good forecasts no more are promoted than a rate of 5 % allows with 99.9 %."""
    wins = sum(verdict(candidate(0.5, 0.5, seed=seed)).wins for seed in range(40))
    assert wins <= binom.ppf(0.999, 40, 0.05)


@pytest.mark.parametrize(("horizon", "least"), [(5, 504), (20, 1920)])
def test_long_horizons_need_more_sessions(horizon, least):
    """A place is filled on 24 blocks of forecasts, and a block is four horizons or a month."""
    short, enough = candidate(1.0, sessions=least - 1), candidate(1.0, sessions=least)
    assert f"{least} are needed" in verdict(replace(short, horizon_days=horizon)).reason
    assert verdict(replace(enough, horizon_days=horizon)).wins


def test_long_horizons_need_more_differing_sessions():
    """Where labels last 20 sessions, 120 differing sessions are no longer enough."""
    scored = replace(candidate(1.0, 0.2, sessions=2000, same=1700), horizon_days=20)
    assert "in 300 out-of-sample sessions and 458 are needed" in verdict(scored).reason
