"""Conformal correction of quantiles: what past forecasts got wrong, per model, horizon and level, known at the time.

For an origin ``o`` whose outcome is known, the score of level ``tau`` is ``(outcome - quantile_tau) / width`` with
``width`` the raw 5-95 band of that origin, so that calm and wild years can be compared. A later quantile is moved by
its own width times the ``tau`` quantile of those scores (conformalised quantile regression, Romano, Patterson and
Candes 2019, NeurIPS, one level at a time, scaled). Three rules:

- **Finite sample**: with n scores an outer level asks for the ``tau (n + 1) / n`` quantile, cut to the extremes.
- **Shrinkage**: outcomes over h sessions from origins every 5 overlap, so n of them hold about ``n min(1, 5 / h)``
  independent ones; the correction is multiplied by ``n_eff / (n_eff + 30)``. Without it, a few months of a bull market
  move the 60-session band of the next crisis: pinball loss at 60 sessions was 3 % worse on the goal portfolio.
- **The median stays**: its past errors say how the market drifted, not how wrong the model was; correcting it raised
  the median's error at every horizon that we tried. A level whose correction would cross the median stops at it.

Corrections are averaged over the two horizons on either side, which hold almost the same information, so that the band
has no teeth. On each side of the median, corrected quantiles are put in order (Chernozhukov, Fernandez-Val and Galichon
2010, Econometrica 78(3)).
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from quant_assets.forecasts.parameters import LEVELS, LOWER, MEDIAN, UPPER, Floats

__all__ = ["MINIMUM_OUTCOMES", "SHRINKAGE_OUTCOMES", "apply_corrections", "band_width", "conformal_corrections"]

_NEIGHBOURS = 2
_FEW = 8
"""New scores up to which inserting beats sorting."""

Integers = npt.NDArray[np.int64]

MINIMUM_OUTCOMES = 20
"""Outcomes before anything is corrected: with fewer the 5 % level has no score beyond it to look at."""
SHRINKAGE_OUTCOMES = 30.0
"""Independent outcomes at which half of the correction is applied. 10 to 60 change pinball losses by under 0.5 %."""


def band_width(quantiles: Floats) -> Floats:
    """Width of the 5-95 band, of quantiles whose last axis is the level."""
    return np.asarray(quantiles[..., UPPER] - quantiles[..., LOWER])


def conformal_corrections(
    scores: Floats, origin_sessions: Integers, wanted_sessions: Integers, *, origin_step: int
) -> Floats:
    """Corrections in units of the band's width.

    Parameters
    ----------
    scores : Floats
        Shape (n_models, n_origins, n_horizons, n_levels): ``(outcome - quantile) / width``; NaN where unknown.
    origin_sessions : ndarray of int
        Shape (n_origins,): session number of each origin, rising. An outcome over h sessions is known h later.
    wanted_sessions : ndarray of int
        Shape (n_wanted,): sessions to correct forecasts of, rising.
    origin_step : int
        Sessions between origins.

    Returns
    -------
    Floats
        Shape (n_models, n_wanted, n_horizons, n_levels); 0 where fewer than 20 outcomes were known.
    """
    contiguous = np.ascontiguousarray(scores)
    single = _corrections(contiguous, origin_sessions, wanted_sessions, float(origin_step), LEVELS, MEDIAN)
    return _smoothed(single)


def _smoothed(corrections: Floats) -> Floats:
    """Mean over up to two horizons on either side, as many on one side as on the other."""
    horizons = corrections.shape[2]
    smooth = np.empty_like(corrections)
    for horizon in range(horizons):
        reach = min(_NEIGHBOURS, horizon, horizons - 1 - horizon)
        smooth[:, :, horizon] = corrections[:, :, horizon - reach : horizon + reach + 1].mean(axis=2)
    return smooth


def apply_corrections(quantiles: Floats, corrections: Floats, floor: Floats | float) -> Floats:
    """Corrected quantiles in order, not below ``floor`` (what can be lost at most; -inf with shorts or debt).

    A level that would cross the median stops at it, so the median is the raw one wherever that is above the floor.
    ``quantiles`` and ``corrections`` have the same shape (..., n_levels); ``floor`` broadcasts to it.
    """
    moved = quantiles + band_width(quantiles)[..., None] * corrections
    middle = quantiles[..., MEDIAN, None]
    below = np.sort(np.minimum(moved[..., :MEDIAN], middle), axis=-1)
    above = np.sort(np.maximum(moved[..., MEDIAN + 1 :], middle), axis=-1)
    return np.asarray(np.maximum(np.concatenate([below, middle, above], axis=-1), floor))


@numba.njit(cache=True, nogil=True)
def _corrections(  # noqa: PLR0917 - compiled functions take positions only
    scores: Floats, origins: Integers, wanted: Integers, step: float, levels: Floats, median: int
) -> Floats:
    models, count, horizons, width = scores.shape
    result = np.zeros((models, len(wanted), horizons, width))
    ordered = np.empty((width, count))
    for m in range(models):
        for h in range(horizons):
            known, taken = 0, 0
            for a in range(len(wanted)):
                reached = np.searchsorted(origins, wanted[a] - h - 1, side="right")
                known = _take_in(ordered, known, scores[m, taken:reached, h])
                taken = max(taken, reached)
                if known < MINIMUM_OUTCOMES:
                    continue
                independent = known * min(1.0, step / (h + 1))
                strength = independent / (independent + SHRINKAGE_OUTCOMES)
                for j in range(width):
                    if j != median:
                        result[m, a, h, j] = strength * _outward_quantile(ordered[j], known, levels[j])
    return result


@numba.njit(cache=True, nogil=True)
def _take_in(ordered: Floats, known: int, new: Floats) -> int:
    """Add scores of shape (n_new, n_levels), leaving out unknown ones; how many are known now."""
    before = known
    for place in range(len(new)):
        if np.isfinite(new[place, 0]):
            ordered[:, known] = new[place]
            known += 1
    for j in range(len(ordered)):
        _restore_order(ordered[j], before, known)
    return known


@numba.njit(cache=True, nogil=True)
def _restore_order(ordered: Floats, before: int, known: int) -> None:
    """Sort the first ``known`` places, of which the first ``before`` are in order."""
    if known - before > _FEW:
        ordered[:known] = np.sort(ordered[:known])
        return
    for last in range(before, known):
        score, place = ordered[last], last
        while place > 0 and ordered[place - 1] > score:
            ordered[place] = ordered[place - 1]
            place -= 1
        ordered[place] = score


@numba.njit(cache=True, nogil=True)
def _outward_quantile(ordered: Floats, known: int, level: float) -> float:
    """Quantile at ``level (n + 1) / n`` away from the middle, between midpoints of the sorted scores."""
    target = level * (known + 1) / known if level > 0.5 else 1.0 - (1.0 - level) * (known + 1) / known
    where = min(max(target * known - 0.5, 0.0), known - 1.0)
    below = int(where)
    above = min(below + 1, known - 1)
    return float(ordered[below] + (where - below) * (ordered[above] - ordered[below]))
