"""Measures of probabilities against what happened; ``labels`` are 0 or 1, arrays have shape (n,).

Classes are predicted by a probability over one half. Weighted precision, recall and F1 average the two classes by how
often each happened, as scikit-learn's ``average="weighted"`` does; a class that is never predicted has precision 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "ClassMeasures",
    "auc",
    "brier",
    "brier_skill",
    "class_measures",
    "decile_numbers",
    "log_loss",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassMeasures:
    """Measures of predicted classes, as fractions."""

    accuracy: float
    balanced_accuracy: float
    precision_weighted: float
    recall_weighted: float
    f1_weighted: float


def class_measures(probability: Floats, labels: Floats) -> ClassMeasures:
    """Measures of the classes that the probabilities predict; balanced accuracy is NaN where one class never came."""
    predicted = probability > 0.5
    happened = labels > 0.5
    precisions, recalls, scores, shares = [], [], [], []
    for predicts, happens in ((predicted, happened), (~predicted, ~happened)):
        hits = float((predicts & happens).sum())
        precision = hits / predicts.sum() if predicts.any() else 0.0
        recall = hits / happens.sum() if happens.any() else float("nan")
        both = precision + recall
        precisions.append(precision)
        recalls.append(recall)
        scores.append(2.0 * precision * recall / both if both > 0.0 else 0.0)
        shares.append(float(happens.mean()))
    weights = np.array(shares)
    return ClassMeasures(
        accuracy=float((predicted == happened).mean()),
        balanced_accuracy=float(np.mean(recalls)),
        precision_weighted=float(weights @ np.array(precisions)),
        recall_weighted=float(weights @ np.nan_to_num(recalls)),
        f1_weighted=float(weights @ np.array(scores)),
    )


def brier(probability: Floats, labels: Floats) -> float:
    """Mean squared difference of probability and label. Source: Brier, G. (1950), Monthly Weather Review 78."""
    return float(np.mean((probability - labels) ** 2))


def brier_skill(probability: Floats, reference: Floats, labels: Floats) -> float:
    """One less the Brier score over that of a reference forecast; NaN where the reference is perfect."""
    worst = brier(reference, labels)
    return 1.0 - brier(probability, labels) / worst if worst > 0.0 else float("nan")


def log_loss(probability: Floats, labels: Floats) -> float:
    """Mean negative log likelihood; probabilities are kept off 0 and 1 by 1e-15."""
    kept = np.clip(probability, 1e-15, 1.0 - 1e-15)
    return float(-np.mean(labels * np.log(kept) + (1.0 - labels) * np.log1p(-kept)))


def auc(scores: Floats, labels: Floats) -> float:
    """Probability that a random event scores higher than a random non-event, ties counting half; NaN for one class.

    The Mann-Whitney statistic over its maximum, from average ranks.
    """
    events = float(labels.sum())
    others = len(labels) - events
    if not events or not others:
        return float("nan")
    _, codes, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2.0
    return float((ranks[codes] @ labels - events * (events + 1.0) / 2.0) / (events * others))


def decile_numbers(probability: Floats) -> Integers:
    """Decile of each row by its probability, 0 to 9, as equal in size as can be; equal values by position."""
    order = np.argsort(probability, kind="stable")
    numbers = np.empty(len(probability), dtype=np.int64)
    numbers[order] = np.arange(len(probability)) * 10 // max(len(probability), 1)
    return numbers
