"""Optional search for LightGBM's parameters with Optuna, inside one training part.

The training part is split once more, by date: the last quarter of its sessions judges what the rest was trained on,
purged and with the embargo of the walk-forward. Nothing outside the training part is looked at, so a search in every
fold leaves the folds' predictions out of sample. Rounds and learning rate are not searched: rounds are chosen by early
stopping on earlier folds.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from quant_assets.foundation.walk_forward import known_before
from quant_assets.signals.feature_list import rising_features
from quant_assets.signals.gradient_boosting import fit_booster, staged_scores
from quant_assets.signals.model_spec import STAGE_ROUNDS, BoostingParameters, ModelSpec
from quant_assets.signals.training_table import TrainingTable

if TYPE_CHECKING:
    import optuna

__all__ = ["binary_log_loss", "search_parameters"]

Floats = npt.NDArray[np.float64]
_JUDGING_SHARE = 0.25


def binary_log_loss(scores: Floats, labels: Floats) -> Floats:
    """Log loss of log-odds, elementwise; ``labels`` broadcast against ``scores``."""
    loss: Floats = np.maximum(scores, 0.0) - scores * labels + np.log1p(np.exp(-np.abs(scores)))
    return loss


def search_parameters(
    train: TrainingTable, weights: Floats, spec: ModelSpec, *, threads: int | None = None
) -> BoostingParameters:
    """The parameters with the least log loss on the last quarter of the training part, at their best round.

    Parameters
    ----------
    train : TrainingTable
        Rows of one training part, all with labels.
    weights : array, shape (n,)
    spec : ModelSpec
        ``tuning_trials`` trials, seeded; the parameters of the specification are the first trial.
    threads : int, optional
        LightGBM's; by size by default.
    """
    # Optuna takes most of a second to import; only a search pays it.
    import optuna  # noqa: PLC0415

    sessions = np.unique(train.dates)
    border = sessions[int(len(sessions) * (1.0 - _JUDGING_SHARE))].item()
    fitted = np.flatnonzero(known_before(train.matures_on, sessions, border, spec.split.embargo_sessions))
    judged = np.flatnonzero(train.dates >= np.datetime64(border))
    if not len(fitted) or len(np.unique(train.labels[fitted])) < 2:
        return spec.boosting

    def loss(trial: optuna.Trial) -> float:
        parameters = _suggested(trial, spec.boosting)
        booster = fit_booster(
            train.matrix[fitted],
            train.labels[fitted],
            weights[fitted],
            train.features,
            parameters=parameters,
            rounds=parameters.rounds,
            seed=spec.seed,
            rising=rising_features(spec.label.threshold),
            threads=threads,
        )
        scores = staged_scores(booster, train.matrix[judged], parameters.rounds // STAGE_ROUNDS, threads)
        return float(binary_log_loss(scores, train.labels[judged]).mean(axis=1).min())

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=spec.seed))
    study.enqueue_trial(_as_trial(spec.boosting))
    study.optimize(loss, n_trials=spec.tuning_trials)
    return replace(spec.boosting, **study.best_params)


def _suggested(trial: optuna.Trial, given: BoostingParameters) -> BoostingParameters:
    return replace(
        given,
        leaves=trial.suggest_int("leaves", 3, 32, log=True),
        min_rows_in_leaf=trial.suggest_int("min_rows_in_leaf", 50, 2000, log=True),
        feature_share=trial.suggest_float("feature_share", 0.1, 1.0),
        l2=trial.suggest_float("l2", 0.1, 100.0, log=True),
    )


def _as_trial(given: BoostingParameters) -> dict[str, float]:
    return {name: getattr(given, name) for name in ("leaves", "min_rows_in_leaf", "feature_share", "l2")}
