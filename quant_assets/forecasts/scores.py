"""How good distributions were: absolute error, pinball loss, CRPS, coverage, PIT. Arrays in, arrays out.

``quantiles`` has shape (..., n_levels) along ``LEVELS``; ``outcome`` has the shape without the last axis. Everything
is a fraction of the base; a NaN in either gives NaN.
"""

from __future__ import annotations

import numpy as np

from quant_assets.forecasts.parameters import LEVELS, LOWER, MEDIAN, UPPER, Floats

__all__ = ["PIT_EDGES", "absolute_error", "band_pinball", "crps", "is_inside", "pinball", "pit_shares"]

PIT_EDGES = tuple(range(2, 11))
"""Positions in ``LEVELS`` of 10, 20, ... 90 %: the borders of the ten PIT bins."""


def pinball(outcome: Floats, quantile: Floats, level: float) -> Floats:
    """Pinball loss of one level: ``level e`` above the quantile, ``(level - 1) e`` below, ``e = outcome - quantile``.

    Source: Koenker and Bassett (1978), Econometrica 46(1).
    """
    error = outcome - quantile
    return np.asarray(np.maximum(level * error, (level - 1.0) * error))


def band_pinball(outcome: Floats, quantiles: Floats) -> Floats:
    """Mean pinball loss of the 5, 50 and 95 % levels: what the published band is judged by."""
    losses = [pinball(outcome, quantiles[..., place], float(LEVELS[place])) for place in (LOWER, MEDIAN, UPPER)]
    return np.asarray((losses[0] + losses[1] + losses[2]) / 3.0)


def crps(outcome: Floats, quantiles: Floats) -> Floats:
    """Continuous ranked probability score, twice the integral of the pinball loss over the level.

    By the trapezium rule between the levels kept, constant beyond the outermost ones. Source: Gneiting and Raftery
    (2007), JASA 102(477), section 4.2.
    """
    inner = np.diff(LEVELS)
    weights = np.zeros_like(LEVELS)
    weights[:-1] += inner / 2
    weights[1:] += inner / 2
    weights[0] += LEVELS[0]
    weights[-1] += 1.0 - LEVELS[-1]
    total = np.zeros(np.broadcast_shapes(outcome.shape, quantiles.shape[:-1]))
    for place, level in enumerate(LEVELS.tolist()):  # level by level, so that no array is larger than the result
        total += 2.0 * weights[place] * pinball(outcome, quantiles[..., place], level)
    return total


def absolute_error(outcome: Floats, quantiles: Floats) -> Floats:
    """Distance from the median."""
    return np.asarray(np.abs(outcome - quantiles[..., MEDIAN]))


def is_inside(outcome: Floats, quantiles: Floats) -> Floats:
    """1 where the outcome lies in the closed 5-95 band, 0 outside, NaN where unknown."""
    inside = (outcome >= quantiles[..., LOWER]) & (outcome <= quantiles[..., UPPER])
    return np.where(np.isnan(outcome) | np.isnan(quantiles[..., LOWER]), np.nan, inside.astype(np.float64))


def pit_shares(outcome: Floats, quantiles: Floats) -> Floats:
    """Share of outcomes between neighbouring deciles, shape (10,): 0.1 each where the distribution is right.

    ``outcome`` has shape (n,), ``quantiles`` (n, n_levels); rows with NaN are left out. NaN without any row.
    """
    known = np.isfinite(outcome) & np.isfinite(quantiles[:, LOWER])
    if not known.any():
        return np.full(10, np.nan)
    bins = (outcome[known, None] > quantiles[known][:, list(PIT_EDGES)]).sum(axis=1)
    return np.asarray(np.bincount(bins, minlength=10) / known.sum())
