r"""How far a sample lies from a reference: two measures of size, not of surprise.

A p-value calls any difference drift once the sample is large enough; these say how large the difference is.

- Population stability index over the reference's deciles and one bin for missing values:
  :math:`\sum_i (c_i - r_i) \ln(c_i / r_i)`, shares kept above 1e-4. Symmetric Kullback-Leibler divergence (Jeffreys).
- Wasserstein distance of order 1, in standard deviations of the reference: :math:`\int_0^1 |Q_c(u) - Q_r(u)| du / s`,
  on a grid of 200 quantiles; the distance by which the mass has to be moved.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["GRID_POINTS", "bin_numbers", "decile_edges", "quantile_grid", "stability_index", "wasserstein"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

GRID_POINTS = 200
_LEAST_SHARE = 1e-4
_LEVELS = (np.arange(GRID_POINTS) + 0.5) / GRID_POINTS


def decile_edges(values: Floats) -> Floats:
    """Inner borders of the deciles of the known values, without repetitions; empty without any."""
    known = values[~np.isnan(values)]
    return np.unique(np.quantile(known, np.linspace(0.1, 0.9, 9))) if len(known) else np.zeros(0)


def bin_numbers(values: Floats, edges: Floats) -> Integers:
    """Bin of each value, 0 to ``len(edges)``, and ``len(edges) + 1`` for a missing one."""
    numbers = np.searchsorted(edges, values, side="left").astype(np.int64)
    numbers[np.isnan(values)] = len(edges) + 1
    return numbers


def stability_index(reference: Floats, current: Floats) -> Floats:
    """Population stability index of shares along the last axis; either may be broadcast."""
    kept = np.maximum(reference, _LEAST_SHARE)
    now = np.maximum(current, _LEAST_SHARE)
    index: Floats = ((now - kept) * np.log(now / kept)).sum(axis=-1)
    return index


def quantile_grid(values: Floats) -> Floats:
    """The known values' quantiles at the middles of 200 equal steps; NaN without any."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.full(GRID_POINTS, np.nan)
    found: Floats = np.quantile(known, _LEVELS, method="inverted_cdf")
    return found


def wasserstein(reference: Floats, current: Floats, deviation: float) -> float:
    """Distance of two quantile grids in standard deviations; NaN where either is empty or the deviation is 0."""
    if not deviation > 0.0:
        return float("nan")
    return float(np.mean(np.abs(current - reference)) / deviation)
