"""A Gaussian mixture of the slow features: states without memory (scikit-learn)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.mixture import GaussianMixture

from quant_assets.regimes.baselines.protocol import Labeller, named_order, slow_features
from quant_assets.regimes.states import STATE_COUNT

__all__ = ["gaussian_mixture"]


def gaussian_mixture(past: pl.DataFrame, seed: int) -> Labeller:
    """Fit a full-covariance mixture of four; a row's probabilities are its posterior."""
    training = slow_features(past, past)
    mixture = GaussianMixture(STATE_COUNT, n_init=2, reg_covar=1e-3, random_state=seed).fit(training)
    order = named_order(past, mixture.predict_proba(training))

    def label(rows: pl.DataFrame, start: int) -> npt.NDArray[np.float64]:
        return np.asarray(mixture.predict_proba(slow_features(past, rows[start:]))[:, order])

    return label
