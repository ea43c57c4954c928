"""Which model serves: the one with the best record known at the time, decided on the first session of each quarter.

A model's score is its mean CRPS over that of the random walk on the same origins, averaged over the horizons; 0.97
means 3 per cent better than the baseline over horizons 1 to 60. Only outcomes known before the decision count. The
random walk serves until a model has 50 known one-week outcomes and a score below 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quant_assets.forecasts.calibration import MINIMUM_OUTCOMES
from quant_assets.forecasts.models import MODEL_NAMES
from quant_assets.forecasts.parameters import RANDOM_WALK, Floats
from quant_assets.forecasts.record import Record
from quant_assets.forecasts.scores import crps

__all__ = ["MINIMUM_RECORD", "Choice", "choose_model", "record_losses", "served_models"]

MINIMUM_RECORD = 50
"""Origins with an outcome before a model may replace the baseline: a year of weeks."""
_BASELINE = MODEL_NAMES.index(RANDOM_WALK)


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision and what it rests on.

    Parameters
    ----------
    order : tuple of int
        Places in ``MODEL_NAMES``: the model that serves first, then those that stand in where it cannot.
    scores : Floats
        Shape (n_models,): mean CRPS ratio to the random walk; NaN without a record.
    outcomes : ndarray of int
        Shape (n_models,): origins with at least one known outcome.
    """

    order: tuple[int, ...]
    scores: Floats
    outcomes: npt.NDArray[np.int64]


def record_losses(record: Record) -> Floats:
    """CRPS of the corrected forecasts, shape (n_models, n_origins, n_horizons)."""
    return crps(record.realised, record.corrected)


def choose_model(record: Record, losses: Floats, before_session: int) -> Choice:
    """Choose with the outcomes that were known before an exchange session; ``losses`` are :func:`record_losses`."""
    targets = record.sessions[:, None] + np.arange(1, record.horizons + 1)
    known = np.where(targets < before_session, losses, np.nan)
    both = np.isfinite(known) & np.isfinite(known[_BASELINE])
    counts = both.sum(axis=1)
    ours = np.where(both, known, 0.0).sum(axis=1)
    theirs = np.where(both, known[_BASELINE], 0.0).sum(axis=1)
    usable = (counts >= MINIMUM_OUTCOMES) & (theirs > 0)
    ratios = np.divide(ours, theirs, out=np.zeros_like(ours), where=usable)
    horizons = usable.sum(axis=1)
    scores = np.divide(ratios.sum(axis=1), horizons, out=np.full(len(MODEL_NAMES), np.nan), where=horizons > 0)
    outcomes = both.any(axis=2).sum(axis=1)
    allowed = np.isfinite(scores) & (outcomes >= MINIMUM_RECORD) & (scores < 1.0)
    better = sorted(np.flatnonzero(allowed).tolist(), key=lambda place: (float(scores[place]), place))
    rest = [_BASELINE, *(place for place in range(len(MODEL_NAMES)) if place != _BASELINE and place not in better)]
    return Choice((*better, *rest), scores, outcomes)


def served_models(record: Record, losses: Floats, quarter_starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Place of the model that would have served at each origin, shape (n_origins,), given what was known then.

    Parameters
    ----------
    record : Record
    losses : Floats
        :func:`record_losses` of it.
    quarter_starts : ndarray of int
        Shape (n_origins,): session number of the first session of each origin's quarter.
    """
    served = np.full(len(record.sessions), _BASELINE, dtype=np.int64)
    for start in np.unique(quarter_starts).tolist():
        order = choose_model(record, losses, start).order
        for origin in np.flatnonzero(quarter_starts == start).tolist():
            available = np.isfinite(record.raw[:, origin, 0, 0])
            served[origin] = next((place for place in order if available[place]), _BASELINE)
    return served
