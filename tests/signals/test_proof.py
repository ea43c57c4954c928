"""What the whole protocol finds on markets whose truth is known."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from quant_assets.signals.evaluation import figure_of
from quant_assets.signals.training import Circumstances, TrainedModel, train_model
from tests.support.signal_markets import NAMES, gaussian_closes, small_features, small_spec, small_table

NOW = Circumstances("direction-1", 2, dt.datetime(2010, 1, 1, tzinfo=dt.UTC), "")
NOISE_SEEDS = range(6)


def trained(seed: int, autocorrelation: float, symbols: int = 10) -> TrainedModel:
    spec = small_spec()
    closes = gaussian_closes(seed, symbols=symbols, sessions=2000, autocorrelation=autocorrelation)
    return train_model(small_table(closes, spec), spec, NOW)


@pytest.fixture(scope="module")
def noise() -> list[TrainedModel]:
    return [trained(seed, 0.0) for seed in NOISE_SEEDS]


def test_noise_is_not_promoted(noise):
    """On markets without any signal no model takes the champion's place."""
    assert [one.verdict.wins for one in noise] == [False] * len(noise)


def test_noise_has_no_skill(noise):
    """On noise the AUC is one half within three errors, and no Brier skill is above a tenth of a per cent."""
    for one in noise:
        area = figure_of(one.figures, "auc")
        assert abs(area.value - 0.5) < 3.0 * (area.high - area.low) / 3.92
        assert figure_of(one.figures, "brier_skill").value < 0.001


@pytest.mark.parametrize("autocorrelation", [0.1, 0.2])
def test_a_planted_signal_is_found_at_its_strength(autocorrelation):
    """With returns that follow yesterday's at a known correlation the AUC is the closed form's.

    For normal returns with correlation r, the AUC of yesterday's return for today's sign is
    1/2 + (2/pi) asin(r/sqrt 2), from the orthant probability of three normals. The model may lose a little of it,
    never gain.
    """
    possible = 0.5 + 2.0 / np.pi * np.arcsin(autocorrelation / np.sqrt(2.0))
    area = figure_of(trained(1, autocorrelation).figures, "auc")
    error = (area.high - area.low) / 3.92
    assert area.value < possible + 3.0 * error
    assert area.value - 0.5 > 0.8 * (possible - 0.5) - 3.0 * error
    assert area.low > 0.5


def test_a_planted_signal_is_promoted_and_explained():
    """A true signal beats the base rate, its cause leads the importance, and its probabilities are calibrated."""
    one = trained(2, 0.1, symbols=25)
    assert one.verdict.wins
    importance = one.model.card.importance
    assert max(importance, key=lambda name: importance[name][1]) == "today"
    assert figure_of(one.figures, "calibration_deciles_off").value == 0.0
    assert figure_of(one.figures, "brier_skill", "against:logistic").value > -0.001  # the truth is linear


def test_a_leak_is_too_good_to_be_promoted():
    """A feature that is tomorrow's return gives a rank IC that is refused, however much it beats the base rate."""
    spec = small_spec()
    closes = gaussian_closes(3, symbols=10, sessions=2000)
    table = small_table(closes, spec)
    features = small_features(closes)
    assert features.columns[2:] == list(NAMES)
    table.matrix[:, 0] = np.nan_to_num(table.forward_returns)
    verdict = train_model(table, spec, NOW).verdict
    assert not verdict.wins
    assert "sees the future" in verdict.reason
