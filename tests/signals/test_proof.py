"""What the whole protocol finds on markets whose truth is known."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from quant_assets.signals.evaluation import figure_of
from quant_assets.signals.promotion import judge_version
from quant_assets.signals.scored_rows import stored_rows
from quant_assets.signals.training import Circumstances, TrainedModel, train_model
from tests.support.signal_markets import NAMES, gaussian_closes, small_features, small_spec, small_table

NOW = Circumstances("direction-1", 2, dt.datetime(2010, 1, 1, tzinfo=dt.UTC), "")
NOISE_SEEDS = range(4)


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


def test_a_year_of_sundays_promotes_nothing(noise):
    """Judging the rows of a version again every week of a year, as a held challenger is, promotes nothing on noise."""
    for one in noise:
        sundays = np.unique(one.scored.dates)[-252::5]
        verdicts = [judge_version(one.scored.where(one.scored.dates <= day), one.model.card.spec) for day in sundays]
        assert min(verdict.sessions for verdict in verdicts) > 504
        assert not any(verdict.wins for verdict in verdicts)


def test_noise_has_no_skill(noise):
    """On noise the AUC is one half within three errors, and no Brier skill is above a tenth of a per cent."""
    for one in noise:
        area = figure_of(one.figures, "auc")
        assert abs(area.value - 0.5) < 3.0 * (area.high - area.low) / 3.92
        assert figure_of(one.figures, "brier_skill").value < 0.001


KEPT = 0.8
"""Share of the possible correlation that the booster has to keep: it also looks at four features that say nothing, and
grows trees of eight leaves where the truth is a straight line."""


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
    assert area.value - 0.5 > KEPT * (possible - 0.5) - 3.0 * error
    assert area.low > 0.5


@pytest.fixture(scope="module")
def planted() -> TrainedModel:
    return trained(2, 0.1, symbols=25)


def test_a_planted_signal_is_promoted_and_explained(planted):
    """A true signal beats the base rate, its cause leads the importance, and its probabilities are calibrated."""
    assert planted.verdict.wins
    importance = planted.model.card.importance
    assert max(importance, key=lambda name: importance[name][1]) == "today"
    assert figure_of(planted.figures, "calibration_deciles_off").value == 0.0


def test_a_planted_signal_has_its_closed_form_skill(planted):
    """The Brier skill found, and what is lost against a logistic regression on a linear truth, are as r allows.

    For normal returns with correlation r the true probability is Phi(r z / sqrt(1 - r^2)) with z normal. Its variance
    is asin(r^2) / (2 pi), so the skill possible over the base rate of 1/2 is (2/pi) asin(r^2): quadratic in r. Who
    keeps a share of the correlation keeps its square of the skill, and loses the rest against the logistic regression,
    which has the true form and keeps nearly all.
    """
    possible = 2.0 / np.pi * np.arcsin(0.1**2)
    skill = figure_of(planted.figures, "brier_skill")
    error = (skill.high - skill.low) / 3.92
    assert KEPT**2 * possible - 3.0 * error < skill.value < possible + 3.0 * error
    assert figure_of(planted.figures, "brier_skill", "against:logistic").value > -(1.0 - KEPT**2) * possible


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


def test_a_champion_without_forecasts_of_its_own_is_not_beaten_by_default(planted):
    """A version that would fill an empty place does not take that of a champion that it cannot be compared with yet."""
    nothing = planted.predictions.head(0)
    spec = planted.model.card.spec
    labels = planted.predictions.select("symbol", "date", "label", forward_return=pl.col("label") - 0.5)
    vacant, held = (stored_rows(planted.predictions, labels, 1, champion) for champion in (None, nothing))
    assert judge_version(vacant, spec).reason.endswith("it beats the base rate")
    assert judge_version(held, spec).reason.startswith("its forecasts differ from the champion's in 0 out-of-sample")
    closes = gaussian_closes(1, symbols=10, sessions=2000, autocorrelation=0.12)
    again = train_model(small_table(closes, spec), spec, NOW, champion=nothing)
    assert again.verdict.reason.startswith("its forecasts differ from the champion's in 0 out-of-sample sessions")
