from __future__ import annotations

import pytest

from quant_assets.foundation.errors import UsageError
from quant_assets.signals.assets import TrainingConfig


@pytest.fixture(scope="module")
def registry(first_night):
    return first_night[0].registry()


def test_the_form_changes_what_it_names_and_nothing_else(registry):
    """Symbols, lookback, test length, rounds, calibration and trials of a known model are taken over."""
    (spec,) = TrainingConfig(
        model="jump", symbols=["S1"], lookback_sessions=1000, test_months=3, rounds=50, calibration="isotonic",
        tuning_trials=4,
    ).specs(registry)  # fmt: skip
    (usual,) = TrainingConfig(model="jump").specs(registry)
    assert (spec.symbols, spec.lookback_sessions, spec.split.test_months) == (("S1",), 1000, 3)
    assert (spec.boosting.rounds, spec.calibration, spec.tuning_trials) == (50, "isotonic", 4)
    assert (spec.label, spec.seed, spec.boosting.leaves) == (usual.label, usual.seed, usual.boosting.leaves)


def test_left_alone_only_what_was_never_trained_is(registry):
    """After the first night nothing is trained; a retraining trains every known model."""
    assert TrainingConfig().specs(registry) == ()
    assert {spec.name for spec in TrainingConfig(retrain=True).specs(registry)} == {"direction", "jump"}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"model": "mine"}, "there is no model mine yet; give horizon_days and threshold"),
        ({"model": "jump", "horizon_days": 5, "threshold": 0.02}, "give a model of another event its own name"),
        ({"model": "jump", "threshold": 0.02}, "threshold is given without horizon_days; give both"),
        ({"retrain": True, "rounds": 50, "symbols": ["S1"]}, "rounds, symbols would be ignored; name the one model"),
        ({"horizon_days": 5}, "horizon_days would be ignored; name the one model"),
        ({"model": "No Name", "horizon_days": 1}, "is not usable; use lower-case letters"),
        ({"model": "jump", "rounds": 1}, "choose 5 to 5000"),
        ({"model": "jump", "lookback_sessions": 60}, "the first training part alone needs 504"),
        ({"model": "jump", "test_months": 5}, "choose one of"),
        ({"model": "jump", "calibration": "magic"}, "choose one of"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(registry, values, sentence):
    """A wrong form is refused before anything is read, with what to write instead."""
    with pytest.raises(UsageError, match=sentence):
        TrainingConfig(**values).specs(registry)
