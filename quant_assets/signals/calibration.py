r"""From a booster's log-odds to probabilities that come true as often as they say.

Fitted on predictions for rows that the booster had not seen. Platt's map is :math:`p = \sigma(a s + b)`; isotonic
regression is any map that never falls. Platt's is the default: contributions to the log-odds stay additive under it,
and it needs two numbers where isotonic regression needs one per step.

Sources: Platt, J. (1999), Probabilistic Outputs for Support Vector Machines; Zadrozny, B. and Elkan, C. (2002),
Transforming Classifier Scores into Accurate Multiclass Probability Estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Calibrator",
    "IsotonicMap",
    "PlattMap",
    "calibrator_from_json",
    "fit_calibrator",
    "fit_isotonic",
    "fit_platt",
    "log_odds",
    "sigmoid",
]

Floats = npt.NDArray[np.float64]

SLOPE_DEVIATION = 0.5
"""Prior standard deviation of the slope around 1. A booster stopped after a few rounds gives scores so alike that their
slope is noise (0.9 either way for ``direction``); where there is a signal the data overrule it (0.03 for ``jump``)."""
_STEPS, _TOLERANCE = 50, 1e-12


def sigmoid(scores: Floats) -> Floats:
    """Probability of log-odds."""
    return 0.5 * (1.0 + np.tanh(0.5 * scores))


def log_odds(probabilities: Floats) -> Floats:
    """Log-odds of probabilities; infinite at 0 and 1."""
    return np.log(probabilities) - np.log1p(-probabilities)


@dataclass(frozen=True, slots=True)
class PlattMap:
    """The straight line in log-odds; ``slope`` is never negative."""

    slope: float
    intercept: float

    def log_odds(self, scores: Floats) -> Floats:
        """Calibrated log-odds of raw ones."""
        return self.slope * scores + self.intercept

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "platt", "slope": self.slope, "intercept": self.intercept}


@dataclass(frozen=True, slots=True)
class IsotonicMap:
    """A rising broken line through (``scores``, ``probabilities``), level outside."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def log_odds(self, scores: Floats) -> Floats:
        """Calibrated log-odds of raw ones."""
        return log_odds(np.interp(scores, self.scores, self.probabilities))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "isotonic", "scores": list(self.scores), "probabilities": list(self.probabilities)}


Calibrator = PlattMap | IsotonicMap


def calibrator_from_json(values: Mapping[str, Any]) -> Calibrator:
    """The map that ``to_json`` wrote."""
    if values["kind"] == "platt":
        return PlattMap(float(values["slope"]), float(values["intercept"]))
    return IsotonicMap(tuple(values["scores"]), tuple(values["probabilities"]))


def fit_calibrator(kind: str, scores: Floats, labels: Floats) -> Calibrator:
    """Fit the map named ``platt`` or ``isotonic``."""
    return fit_isotonic(scores, labels) if kind == "isotonic" else fit_platt(scores, labels)


def fit_platt(
    scores: Floats,
    labels: Floats,
    *,
    offsets: Floats | None = None,
    prior_slope: float = 1.0,
    slope_deviation: float = SLOPE_DEVIATION,
) -> PlattMap:
    """Fit slope and intercept by Newton's method.

    Labels are drawn towards the middle as Platt does, (N+ + 1)/(N+ + 2) and 1/(N- + 2), so that one class alone gives
    a finite line. A slope below zero would mean that the scores are wrong way round, which out-of-fold scores without
    any skill often are by chance; they then say nothing, and every row gets the base rate.

    Parameters
    ----------
    scores, labels : array, shape (n,)
        Raw log-odds of rows not trained on, and what happened (0 or 1).
    offsets : array, shape (n,), optional
        Log-odds that are known before the score, such as each symbol's base rate; the line says what the score adds.
    prior_slope, slope_deviation : float
        Mean and standard deviation of the normal prior of the slope; an infinite deviation for none.
    """
    positives = float(labels.sum())
    negatives = len(labels) - positives
    targets = np.where(labels > 0.5, (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0))
    level = float(np.log((positives + 1.0) / (negatives + 1.0))) if offsets is None else 0.0
    known = np.zeros(len(scores)) if offsets is None else offsets
    precision = 1.0 / slope_deviation**2
    # The line is fitted through the scores' mean, where slope and intercept hardly depend on each other.
    centre = float(scores.mean()) if len(scores) else 0.0
    design = np.column_stack([scores - centre, np.ones(len(scores))])
    line = np.array([prior_slope, level])
    for _ in range(_STEPS):
        predicted = sigmoid(design @ line + known)
        gradient = design.T @ (targets - predicted)
        gradient[0] -= precision * (line[0] - prior_slope)
        curvature = design.T @ (design * (predicted * (1.0 - predicted))[:, None])
        curvature[0, 0] += precision
        step = np.linalg.solve(curvature + 1e-12 * np.eye(2), gradient)
        # Far from the optimum a full step overshoots where the curve is flat.
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        line += step
        if float(np.abs(step).max()) < _TOLERANCE:
            break
    if line[0] <= 0.0:
        return PlattMap(0.0, level)
    return PlattMap(float(line[0]), float(line[1] - line[0] * centre))


def fit_isotonic(scores: Floats, labels: Floats) -> IsotonicMap:
    """Fit the best rising map by squared error; probabilities are kept off 0 and 1 by one row's worth."""
    # scikit-learn takes a second to import; only a model that asks for this map pays it.
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415

    fitted = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    margin = 1.0 / (len(labels) + 2.0)
    heights = np.clip(fitted.y_thresholds_, margin, 1.0 - margin)
    return IsotonicMap(tuple(fitted.X_thresholds_.tolist()), tuple(heights.tolist()))
