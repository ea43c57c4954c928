"""One fold: fit on its training part, score its tested part. Knows no other fold, so that folds can run anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quant_assets.foundation.walk_forward import Fold
from quant_assets.signals.base_rates import base_rates
from quant_assets.signals.calibration import log_odds, sigmoid
from quant_assets.signals.feature_list import rising_features
from quant_assets.signals.gradient_boosting import fit_booster, staged_scores
from quant_assets.signals.heuristic import HEURISTIC_SESSIONS, fit_heuristic_line, heuristic_parts, heuristic_score
from quant_assets.signals.labels import uniqueness_weights
from quant_assets.signals.logistic import fit_logistic
from quant_assets.signals.model_spec import STAGE_ROUNDS, BoostingParameters, ModelSpec
from quant_assets.signals.parameter_search import search_parameters
from quant_assets.signals.training_table import TrainingTable

__all__ = ["FoldScores", "FoldTask", "fit_fold", "folds_at_once", "is_one_class", "stage_count"]

Floats = npt.NDArray[np.float64]

BASELINE_ROWS = 200_000
"""Rows beyond which the linear baseline takes every second, third and so on: it has 60 coefficients to fit."""


_MEMORY_BYTES = 4_000_000_000
"""What copies of training rows may take: 500 symbols over 20 years are 0.65 GB, one for each fold at work."""


@dataclass(frozen=True, slots=True, eq=False)
class FoldTask:
    """What a fold needs; can be sent to another process. Threads are LightGBM's; None is by size."""

    table: TrainingTable
    fold: Fold
    spec: ModelSpec
    threads: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FoldScores:
    """What came of a fold, for its tested rows in order.

    Parameters
    ----------
    stages : array, shape (stages, n)
        Raw log-odds of the booster after every few rounds.
    linear : array, shape (n,)
        Raw log-odds of the logistic baseline.
    heuristic : array, shape (n,)
        Probability by the heuristic score, calibrated on the newest five years of the training part; NaN without a
        score.
    base_rate : array, shape (n,)
    parameters : BoostingParameters
        As searched for, where a search was asked for.
    """

    fold: Fold
    parameters: BoostingParameters
    stages: Floats = field(repr=False)
    linear: Floats = field(repr=False)
    heuristic: Floats = field(repr=False)
    base_rate: Floats = field(repr=False)


def folds_at_once(table: TrainingTable, cores: int) -> int:
    """Folds to run side by side: as many as there are cores, as far as memory goes.

    LightGBM's threads wait for each other after every split. On two cores that had other work to do, the walk-forward
    of 18,000 rows took 13 s with one thread for each fold and 255 s with two.
    """
    return max(1, min(cores, int(_MEMORY_BYTES // max(table.matrix.nbytes, 1))))


def stage_count(spec: ModelSpec) -> int:
    """Stages that every fold reports."""
    return spec.boosting.rounds // STAGE_ROUNDS


def is_one_class(labels: Floats) -> bool:
    """Whether the event happened always or never."""
    return not len(labels) or bool((labels == labels[0]).all())


def fit_fold(task: FoldTask) -> FoldScores:
    """Fit the booster and the baselines on the training part and score the tested part."""
    table, fold, spec = task.table, task.fold, task.spec
    train, test = table.where(fold.train), table.where(fold.test)
    rates = base_rates(train.symbols, train.labels, spec.label.horizon_days)
    parameters = spec.boosting
    if is_one_class(train.labels):
        level = float(np.log(rates.pooled) - np.log1p(-rates.pooled))
        stages, linear = np.full((stage_count(spec), len(test)), level), np.full(len(test), level)
    else:
        weights = uniqueness_weights(train.symbol_codes, train.bar_numbers, spec.label.horizon_days)
        if spec.tuning_trials:
            parameters = search_parameters(train, weights, spec, threads=task.threads)
        stages = _boosted(train, test, weights, spec, parameters, task.threads)
        step = -(-len(train) // BASELINE_ROWS)
        linear_model = fit_logistic(train.matrix[::step], train.labels[::step], weights[::step])
        linear = linear_model.log_odds(test.matrix)
    return FoldScores(
        fold,
        parameters,
        stages,
        linear,
        _heuristic(train, test, spec.label.horizon_days),
        rates.of(test.symbols),
    )


def _boosted(  # noqa: PLR0917 - called once
    train: TrainingTable,
    test: TrainingTable,
    weights: Floats,
    spec: ModelSpec,
    parameters: BoostingParameters,
    threads: int | None,
) -> Floats:
    booster = fit_booster(
        train.matrix,
        train.labels,
        weights,
        train.features,
        parameters=parameters,
        rounds=parameters.rounds,
        seed=spec.seed,
        rising=rising_features(spec.label.threshold),
        threads=threads,
    )
    return staged_scores(booster, test.matrix, stage_count(spec), threads)


def _heuristic(train: TrainingTable, test: TrainingTable, horizon_days: int) -> Floats:
    """Probabilities of the heuristic, calibrated as a night does: on the newest five years of the training part."""
    train = train.where(train.dates >= np.unique(train.dates)[-HEURISTIC_SESSIONS:][0])
    rates = base_rates(train.symbols, train.labels, horizon_days)
    known = heuristic_score(heuristic_parts(train.matrix, train.features))
    line = fit_heuristic_line(known, train.labels, rates.of(train.symbols), train.dates, horizon_days=horizon_days)
    score = heuristic_score(heuristic_parts(test.matrix, test.features))
    return sigmoid(line.log_odds(score) + log_odds(rates.of(test.symbols)))
