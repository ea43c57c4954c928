"""Principal components and k-means of the slow features (scikit-learn)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from quant_assets.regimes.baselines.protocol import Labeller, named_order, slow_features
from quant_assets.regimes.states import STATE_COUNT

__all__ = ["pca_kmeans"]

_VARIANCE = 0.9
"""Share of variance that the components keep."""


def pca_kmeans(past: pl.DataFrame, seed: int) -> Labeller:
    """Fit four clusters; a row belongs to the nearest one with certainty."""
    training = slow_features(past, past)
    components = PCA(_VARIANCE, random_state=seed).fit(training)
    clusters = KMeans(STATE_COUNT, n_init=4, random_state=seed).fit(components.transform(training))
    identity = np.eye(STATE_COUNT)
    order = named_order(past, identity[clusters.labels_])

    def label(rows: pl.DataFrame, start: int) -> npt.NDArray[np.float64]:
        nearest = clusters.predict(components.transform(slow_features(past, rows[start:])))
        return np.asarray(identity[nearest][:, order])

    return label
