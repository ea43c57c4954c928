r"""Ridge logistic regression on standardised features: the linear baseline, trained in the same protocol.

Minimises :math:`\sum w (\log(1 + e^s) - y s) + \tfrac{\lambda}{2} |\beta|^2` with
:math:`s = \alpha + z^\top \beta`, the intercept unpenalised, by Newton's method. z are the features less their training
mean over their training deviation, within five deviations, 0 where unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quant_assets.signals.calibration import minimise_logistic

__all__ = ["LinearModel", "fit_logistic"]

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]

_CLIP = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """Coefficients and the scaling they belong to."""

    mean: Floats = field(repr=False)
    deviation: Floats = field(repr=False)
    coefficients: Floats = field(repr=False)
    intercept: float

    def log_odds(self, matrix: Matrix) -> Floats:
        """Raw log-odds, shape (n,)."""
        scores: Floats = _standardised(matrix, self.mean, self.deviation) @ self.coefficients + self.intercept
        return scores


def fit_logistic(matrix: Matrix, labels: Floats, weights: Floats, penalty: float = 1.0) -> LinearModel:
    """Fit; features that never vary get the coefficient 0.

    Parameters
    ----------
    matrix : array, shape (n, k)
    labels, weights : array, shape (n,)
    penalty : float
        The lambda above.
    """
    known = ~np.isnan(matrix)
    rows = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, matrix, 0.0).sum(axis=0, dtype=np.float64) / rows
    spread = np.where(known, matrix - mean, 0.0)
    deviation = np.sqrt((spread**2).sum(axis=0, dtype=np.float64) / rows)
    deviation[deviation < 1e-12] = np.inf
    design = np.column_stack([_standardised(matrix, mean, deviation), np.ones(len(matrix))])
    ridge = np.full(design.shape[1], penalty)
    ridge[-1] = 0.0
    events = float((weights * labels).sum())
    start = np.zeros(design.shape[1])
    start[-1] = np.log((events + 1.0) / (float(weights.sum()) - events + 1.0))
    beta = minimise_logistic(design, labels, start=start, penalty=ridge, weights=weights)
    return LinearModel(mean, deviation, beta[:-1], float(beta[-1]))


def _standardised(matrix: Matrix, mean: Floats, deviation: Floats) -> Floats:
    scaled = np.clip((matrix - mean) / deviation, -_CLIP, _CLIP)
    filled: Floats = np.where(np.isnan(scaled), 0.0, scaled)
    return filled
