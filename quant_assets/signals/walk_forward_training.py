"""The protocol: folds in the order of time, each predicted by what was known before it began.

For fold k

1. the booster is fitted on the training part (labels known before the border, less the embargo) with all its rounds;
2. the number of rounds that counts is the one with the least log loss on the tested rows of the folds before k, as far
   as their labels were known: early stopping without giving up any training row, and without a look at fold k;
3. the calibration is fitted on the raw predictions that the folds before k made out of sample, again as far known;
4. the tested rows get their probability, and those of the baselines by the same rules.

The first few folds only serve 2 and 3. The model that is registered is what the next fold would be: fitted on every
matured row, with rounds and calibration from all folds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from quant_assets.foundation.errors import DataError
from quant_assets.foundation.walk_forward import walk_forward_folds
from quant_assets.signals.calibration import Calibrator, fit_calibrator, sigmoid
from quant_assets.signals.fold_training import FoldScores, FoldTask, fit_fold, is_one_class, stage_count
from quant_assets.signals.model_spec import STAGE_ROUNDS, BoostingParameters, ModelSpec
from quant_assets.signals.parameter_search import binary_log_loss
from quant_assets.signals.training_table import TrainingTable

__all__ = ["FoldMap", "FoldSummary", "Predictions", "WalkForwardResult", "run_walk_forward"]

Floats = npt.NDArray[np.float64]
FoldMap = Callable[[Callable[[FoldTask], FoldScores], Iterable[FoldTask]], Iterable[FoldScores]]
"""How folds are run: ``map``, or an executor's; results in the order of the tasks."""

FIRST_ROUNDS = 50
"""Rounds of the very first fold, which no earlier fold can tell anything; its predictions only calibrate."""


@dataclass(frozen=True, slots=True)
class FoldSummary:
    """What a fold was fitted on and how; ``is_reported`` is false for the inner folds."""

    number: int
    test_from: dt.date
    test_until: dt.date
    train_rows: int
    test_rows: int
    rounds: int
    is_reported: bool


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Out-of-sample predictions of the reported folds.

    Parameters
    ----------
    rows : array of int, shape (m,)
        Positions in the training table.
    folds : array of int, shape (m,)
    probability, base_rate, linear, heuristic : array, shape (m,)
        The model's calibrated probability and the baselines'; ``heuristic`` is NaN where there is no score.
    """

    rows: npt.NDArray[np.int64] = field(repr=False)
    folds: npt.NDArray[np.int64] = field(repr=False)
    probability: Floats = field(repr=False)
    base_rate: Floats = field(repr=False)
    linear: Floats = field(repr=False)
    heuristic: Floats = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class WalkForwardResult:
    """Predictions, and what the final fit takes over: rounds, calibration, parameters."""

    predictions: Predictions
    folds: tuple[FoldSummary, ...]
    rounds: int
    calibrator: Calibrator
    parameters: BoostingParameters


def run_walk_forward(
    table: TrainingTable,
    spec: ModelSpec,
    *,
    fold_map: FoldMap = map,
    threads: int | None = None,
    report: Callable[[str], None] | None = None,
) -> WalkForwardResult:
    """Run the protocol over a training table.

    Parameters
    ----------
    table : TrainingTable
    spec : ModelSpec
    fold_map : callable
        Runs the folds; they do not depend on each other.
    threads : int, optional
        LightGBM's threads in each fold; by size by default.
    report : callable, optional
        Called with one line per fold.

    Raises
    ------
    DataError
        Where the history is too short or the event happened always or never: the sentence says what is needed.
    """
    if is_one_class(table.labels[table.matured]):
        happened = "always" if len(table.matured) and table.labels[table.matured][0] else "never"
        raise DataError(
            f"{spec.name} cannot be trained: {spec.label.words} {happened} happened in {len(table.matured)} matured "
            "rows; wait for more history or choose another threshold."
        )
    folds = walk_forward_folds(table.dates, table.matures_on, spec.split)
    if len(folds) <= spec.inner_folds:
        raise DataError(
            f"{spec.name} cannot be trained: {len(np.unique(table.dates))} sessions of history give {len(folds)} folds "
            f"and more than {spec.inner_folds} are needed; import a longer history or shorten the training part."
        )
    state = _Protocol(table, spec)
    tasks = [FoldTask(table, fold, spec, threads) for fold in folds]
    # Matrix products here are small; on busy cores a second BLAS thread multiplies their cost by twenty.
    with threadpool_limits(limits=1, user_api="blas"):
        for number, scores in enumerate(fold_map(fit_fold, tasks)):
            following = folds[number + 1].known_on if number + 1 < len(folds) else None
            summary = state.add(scores, following)
            if report is not None:
                report(
                    f"{spec.name}: fold {number + 1} of {len(folds)}, from {summary.test_from}, "
                    f"{summary.train_rows:,} rows, {summary.rounds} rounds"
                )
    return state.result()


class _Protocol:
    """Goes through the scored folds in order and keeps what later folds may know."""

    def __init__(self, table: TrainingTable, spec: ModelSpec) -> None:
        self._table, self._spec = table, spec
        self._losses = np.zeros(stage_count(spec))
        self._has_losses = False
        self._raw = np.full(len(table), np.nan)
        self._linear = np.full(len(table), np.nan)
        self._parts: list[tuple[npt.NDArray[np.int64], ...]] = []
        self._values: list[tuple[Floats, ...]] = []
        self._folds: list[FoldSummary] = []
        self._parameters = spec.boosting

    def add(self, scores: FoldScores, following: dt.date | None) -> FoldSummary:
        """Predict one fold; ``following`` is what the fold after it may know, None for the last one."""
        fold = scores.fold
        stage = self._best_stage()
        is_reported = fold.number >= self._spec.inner_folds
        raw = scores.stages[stage]
        if is_reported:
            known = np.datetime64(fold.known_on)
            probability = sigmoid(self._calibrator(self._raw, known).log_odds(raw))
            linear = sigmoid(self._calibrator(self._linear, known).log_odds(scores.linear))
            self._parts.append((fold.test, np.full(len(fold.test), fold.number)))
            self._values.append((probability, scores.base_rate, linear, scores.heuristic))
        self._raw[fold.test] = raw
        self._linear[fold.test] = scores.linear
        self._learn_rounds(scores, following)
        self._parameters = scores.parameters
        summary = FoldSummary(
            fold.number,
            fold.test_from,
            fold.test_until,
            len(fold.train),
            len(fold.test),
            (stage + 1) * STAGE_ROUNDS,
            is_reported,
        )
        self._folds.append(summary)
        return summary

    def result(self) -> WalkForwardResult:
        """Everything once the last fold is in."""
        rows, folds = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        probability, base_rate, linear, heuristic = (np.concatenate(v) for v in zip(*self._values, strict=True))
        return WalkForwardResult(
            predictions=Predictions(rows, folds, probability, base_rate, linear, heuristic),
            folds=tuple(self._folds),
            rounds=(self._best_stage() + 1) * STAGE_ROUNDS,
            calibrator=self._calibrator(self._raw, None),
            parameters=self._parameters,
        )

    def _best_stage(self) -> int:
        if not self._has_losses:
            return min(FIRST_ROUNDS // STAGE_ROUNDS, len(self._losses)) - 1
        return int(np.argmin(self._losses))

    def _calibrator(self, raw: Floats, known_on: np.datetime64 | None) -> Calibrator:
        """Fitted on earlier folds' predictions whose labels were known on a session, or are known now."""
        usable = ~np.isnan(raw) & ~np.isnan(self._table.labels)
        if known_on is not None:
            usable &= self._table.matures_on <= known_on
        table = self._table
        return fit_calibrator(
            self._spec.calibration,
            raw[usable],
            table.labels[usable],
            table.dates[usable],
            horizon_days=self._spec.label.horizon_days,
        )

    def _learn_rounds(self, scores: FoldScores, following: dt.date | None) -> None:
        """Add the fold's loss by stage, on the rows whose label the next fold may know."""
        test = scores.fold.test
        usable = ~np.isnan(self._table.labels[test])
        if following is not None:
            usable &= self._table.matures_on[test] <= np.datetime64(following)
        if usable.any():
            losses = binary_log_loss(scores.stages[:, usable], self._table.labels[test][usable])
            self._losses += losses.sum(axis=1)
            self._has_losses = True
