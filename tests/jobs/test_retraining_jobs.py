from __future__ import annotations

import pytest

from jobs import retrain_on_drift, train_model, weekly_retraining
from quant_assets.signals.assets import TrainingConfig


def form(job) -> TrainingConfig:
    """The training form as a job fills it in."""
    filled = job.config or {"ops": {"train_models": {"config": {}}}}
    return TrainingConfig(**filled["ops"]["train_models"]["config"])


@pytest.mark.parametrize(
    ("job", "retrains", "keeps"),
    [(weekly_retraining, True, True), (retrain_on_drift, True, False), (train_model, False, False)],
)
def test_only_the_calendar_leaves_challengers_in_their_place(job, retrains, keeps):
    """What drift or a person asks for takes the challenger's place; what the calendar trains waits its turn."""
    assert (form(job).retrain, form(job).keep_challenger) == (retrains, keeps)
