"""LightGBM, seeded and deterministic: fitting, scores after every few rounds, contributions.

The library is imported where it is used: it takes one and a half seconds, which loading the definitions should not pay.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from quant_assets.foundation.errors import StorageError
from quant_assets.signals.model_spec import STAGE_ROUNDS, BoostingParameters

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = [
    "booster_from_text",
    "contributions",
    "fit_booster",
    "gain_importance",
    "raw_scores",
    "staged_scores",
    "thread_count",
]

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]

CELLS_PER_THREAD = 10_000_000
"""Rows times features from which a second thread pays: below it threads wait for each other (on two busy cores a fit of
19,000 rows by 53 features takes 0.5 s of processor time with one thread and 4 to 11 s with two)."""


def thread_count(cells: int) -> int:
    """Threads for a matrix of so many cells; the result of a fit does not depend on it."""
    return max(1, min(os.cpu_count() or 1, cells // CELLS_PER_THREAD))


def fit_booster(
    matrix: Matrix,
    labels: Floats,
    weights: Floats,
    features: Sequence[str],
    *,
    parameters: BoostingParameters,
    rounds: int,
    seed: int,
    rising: Sequence[str] = (),
    threads: int | None = None,
) -> Booster:
    """Fit a classifier of binary labels by log loss.

    Classes are not weighted: that would spoil the probabilities, which are the product. (On the packaged history, a
    weight of 5 on the events of ``jump`` cuts its skill from 8.4 to 2.7 %, calibration afterwards included.)

    Parameters
    ----------
    matrix : array, shape (n, k)
        NaN where a feature is not known; an all-NaN feature is never used.
    labels, weights : array, shape (n,)
    features : sequence of str
        Names of the columns.
    parameters : BoostingParameters
    rounds : int
        Trees to grow.
    seed : int
    rising : sequence of str
        Features that may only raise the prediction.
    threads : int, optional
        Default by size.
    """
    import lightgbm  # noqa: PLC0415 - see the module's docstring

    count = thread_count(matrix.size) if threads is None else threads
    data = lightgbm.Dataset(
        matrix,
        label=labels,
        weight=weights,
        feature_name=list(features),
        params={"max_bin": parameters.bins, "verbose": -1, "num_threads": count, "data_random_seed": seed},
        free_raw_data=True,
    )
    return lightgbm.train(_options(parameters, features, rising, seed, count), data, num_boost_round=rounds)


def _options(
    parameters: BoostingParameters, features: Sequence[str], rising: Sequence[str], seed: int, threads: int
) -> dict[str, Any]:
    options: dict[str, Any] = {
        "objective": "binary",
        "learning_rate": parameters.learning_rate,
        "num_leaves": parameters.leaves,
        "min_data_in_leaf": parameters.min_rows_in_leaf,
        "feature_fraction": parameters.feature_share,
        "bagging_fraction": parameters.row_share,
        "bagging_freq": 1,
        "lambda_l2": parameters.l2,
        "max_bin": parameters.bins,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": threads,
        "verbose": -1,
    }
    directions = [1 if name in rising else 0 for name in features]
    return options | ({"monotone_constraints": directions} if any(directions) else {})


def staged_scores(booster: Booster, matrix: Matrix, stages: int, threads: int | None = None) -> Floats:
    """Log-odds after every ``STAGE_ROUNDS`` rounds, shape (stages, n).

    A booster that ran out of splits has fewer trees; its last scores stand for the stages that it never reached.
    """
    count = thread_count(matrix.size) if threads is None else threads
    scores = np.empty((stages, len(matrix)))
    for stage in range(stages):
        first = stage * STAGE_ROUNDS
        if stage and first >= booster.num_trees():
            scores[stage] = scores[stage - 1]
            continue
        added = booster.predict(
            matrix,
            raw_score=True,
            start_iteration=first,
            num_iteration=STAGE_ROUNDS,
            num_threads=count,
        )
        scores[stage] = added if stage == 0 else scores[stage - 1] + added
    return scores


def contributions(booster: Booster, matrix: Matrix) -> Floats:
    """Exact TreeSHAP values of each row in log-odds, shape (n, k + 1); the last column is the bias.

    A row adds up to the booster's log-odds. Source: Lundberg, S. et al. (2020), From local explanations to global
    understanding with explainable AI for trees, Nature Machine Intelligence 2.
    """
    parts = booster.predict(matrix, pred_contrib=True, num_threads=thread_count(matrix.size))
    return np.asarray(parts, dtype=np.float64)


def raw_scores(booster: Booster, matrix: Matrix) -> Floats:
    """Log-odds of each row, shape (n,)."""
    return np.asarray(booster.predict(matrix, raw_score=True, num_threads=thread_count(matrix.size)), dtype=np.float64)


def gain_importance(booster: Booster) -> Floats:
    """Share of each feature in the reduction of the loss, shape (k,); zeros where nothing was split."""
    gain = np.asarray(booster.feature_importance("gain"), dtype=np.float64)
    total = float(gain.sum())
    return gain / total if total > 0.0 else gain


def booster_from_text(text: str) -> Booster:
    """The booster that ``model_to_string`` wrote.

    Raises
    ------
    StorageError
        Where the text is damaged.
    """
    import lightgbm  # noqa: PLC0415 - see the module's docstring

    try:
        return lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise StorageError(f"the stored model cannot be read ({error}); roll back to another version.") from error
