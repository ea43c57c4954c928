"""Training one version of a model from a training table: walk-forward, final fit, evaluation, drift reference."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.signals.base_rates import base_rates
from quant_assets.signals.calibration import sigmoid
from quant_assets.signals.drift_reference import drift_reference
from quant_assets.signals.evaluation import Figure, evaluate
from quant_assets.signals.feature_list import rising_features
from quant_assets.signals.gradient_boosting import contributions, fit_booster, gain_importance, raw_scores
from quant_assets.signals.labels import uniqueness_weights
from quant_assets.signals.model_spec import ModelSpec
from quant_assets.signals.parameter_search import search_parameters
from quant_assets.signals.promotion import Verdict, judge_version
from quant_assets.signals.scored_rows import ScoredRows, prediction_rows, scored_rows
from quant_assets.signals.signal_model import ModelCard, SignalModel
from quant_assets.signals.training_table import TrainingTable
from quant_assets.signals.walk_forward_training import FoldMap, WalkForwardResult, run_walk_forward

__all__ = ["Circumstances", "TrainedModel", "train_model"]

Floats = npt.NDArray[np.float64]

_IMPORTANCE_ROWS = 20_000
"""Newest training rows over which contributions are averaged."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where and when a model is trained: what has no influence on it but is kept with it."""

    model_version: str
    feature_version: int
    created_at: dt.datetime
    git_revision: str


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A version that is ready to be registered.

    Parameters
    ----------
    model : SignalModel
    result : WalkForwardResult
    predictions : DataFrame
        symbol, date, fold, probability, base_rate, label of the walk-forward.
    scored : ScoredRows
    figures : tuple of Figure
    verdict : Verdict
        Whether it may take the champion's place.
    """

    model: SignalModel
    result: WalkForwardResult = field(repr=False)
    predictions: pl.DataFrame = field(repr=False)
    scored: ScoredRows = field(repr=False)
    figures: tuple[Figure, ...] = field(repr=False)
    verdict: Verdict


def train_model(
    table: TrainingTable,
    spec: ModelSpec,
    circumstances: Circumstances,
    *,
    champion: pl.DataFrame | None = None,
    fold_map: FoldMap = map,
    threads: int | None = None,
    report: Callable[[str], None] | None = None,
) -> TrainedModel:
    """Train, evaluate and judge one version.

    Parameters
    ----------
    table : TrainingTable
    spec : ModelSpec
    circumstances : Circumstances
    champion : DataFrame, optional
        symbol, date, probability: the present champion's out-of-sample predictions of the same event.
    fold_map, threads, report
        As in :func:`run_walk_forward`.

    Raises
    ------
    DataError
        Where the history does not allow training; the sentence says why.
    """
    result = run_walk_forward(table, spec, fold_map=fold_map, threads=threads, report=report)
    scored = scored_rows(table, result, spec.label.horizon_days, champion)
    model = _final_fit(table.where(table.matured), spec, circumstances, result, scored)
    # Two generators, so that adding a figure does not change a verdict.
    figures = evaluate(scored, np.random.default_rng([spec.seed, 1]))
    verdict = judge_version(scored, spec)
    return TrainedModel(model, result, prediction_rows(table, result), scored, figures, verdict)


def _final_fit(
    rows: TrainingTable,
    spec: ModelSpec,
    circumstances: Circumstances,
    result: WalkForwardResult,
    scored: ScoredRows,
) -> SignalModel:
    """Fit on every matured row, with the rounds and the calibration that the walk-forward settled on."""
    weights = uniqueness_weights(rows.symbol_codes, rows.bar_numbers, spec.label.horizon_days)
    parameters = search_parameters(rows, weights, spec) if spec.tuning_trials else spec.boosting
    booster = fit_booster(
        rows.matrix,
        rows.labels,
        weights,
        rows.features,
        parameters=parameters,
        rounds=result.rounds,
        seed=spec.seed,
        rising=rising_features(spec.label.threshold),
    )
    mean_contribution = np.abs(contributions(booster, rows.matrix[-_IMPORTANCE_ROWS:])[:, :-1]).mean(axis=0)
    pairs = zip(gain_importance(booster).tolist(), mean_contribution.tolist(), strict=True)
    card = ModelCard(
        model_version=circumstances.model_version,
        spec=spec.with_changes(boosting=parameters),
        feature_version=circumstances.feature_version,
        features=rows.features,
        trained_from=rows.dates[0].item(),
        trained_to=rows.dates[-1].item(),
        known_on=rows.matures_on.max().item(),
        rows=len(rows),
        rounds=result.rounds,
        created_at=circumstances.created_at,
        git_revision=circumstances.git_revision,
        importance=dict(zip(rows.features, pairs, strict=True)),
    )
    said = sigmoid(result.calibrator.log_odds(raw_scores(booster, rows.matrix)))
    reference = drift_reference(rows, mean_contribution, said, scored)
    return SignalModel(
        card, booster, result.calibrator, base_rates(rows.symbols, rows.labels, spec.label.horizon_days), reference
    )
