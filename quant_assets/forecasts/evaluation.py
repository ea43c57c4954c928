"""The table of how good past forecasts were: per model and horizon, each figure beside the random walk's.

``selected`` is what would have been served: at each origin the model that the record known then chose. Figures are of
the corrected forecasts; those of the raw ones stand beside. VaR tests use origins at least a horizon apart, so that
their periods do not overlap.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.forecasts.coverage_tests import christoffersen_p_value, kupiec_p_value
from quant_assets.forecasts.models import MODEL_NAMES
from quant_assets.forecasts.parameters import LOWER, RANDOM_WALK, SELECTED, Bools, Floats
from quant_assets.forecasts.record import Record
from quant_assets.forecasts.scores import absolute_error, band_pinball, crps, is_inside, pit_shares

__all__ = ["CRISIS", "difference_t_value", "evaluate", "pit_histograms"]

CRISIS = (dt.date(2008, 9, 1), dt.date(2009, 3, 31))
"""The window inside which the goals ask for coverage of its own."""
_PER_CENT = 100.0


@dataclass(frozen=True, slots=True)
class _Scores:
    """Scores of one model, each of shape (n_origins, n_horizons), NaN where there is no outcome or no forecast."""

    error: Floats
    loss: Floats
    crps: Floats
    inside: Floats
    raw_loss: Floats
    raw_inside: Floats


def evaluate(
    record: Record,
    served: npt.NDArray[np.int64],
    exchange_sessions: npt.NDArray[np.datetime64],
    *,
    origin_step: int,
) -> pl.DataFrame:
    """Rows of ``forecasts.forecast_evaluations``.

    Parameters
    ----------
    record : Record
    served : ndarray of int
        Shape (n_origins,): place of the model served at each origin.
    exchange_sessions : ndarray of datetime64[D]
    origin_step : int

    Returns
    -------
    polars.DataFrame
        One row per model (``selected`` included) and horizon with at least one outcome; errors and losses in per cent
        of the base. Ratios compare with the random walk on the same origins.
    """
    names, corrected, raw = _with_selected(record, served)
    dates = exchange_sessions[record.sessions]
    in_crisis = (dates >= np.datetime64(CRISIS[0], "D")) & (dates <= np.datetime64(CRISIS[1], "D"))
    scores = [_score(record.realised, *pair) for pair in zip(corrected, raw, strict=True)]
    baseline = scores[MODEL_NAMES.index(RANDOM_WALK)]
    rows: list[dict[str, object]] = []
    for place, name in enumerate(names):
        for column in np.flatnonzero(np.isfinite(scores[place].loss).any(axis=0)).tolist():
            known = np.isfinite(scores[place].loss[:, column])
            key = {
                "model": name,
                "horizon_days": column + 1,
                "origins": int(known.sum()),
                "first_origin": dates[known][0].item(),
                "last_origin": dates[known][-1].item(),
                "mae_pct_no_change": _PER_CENT * float(np.abs(record.realised[known, column]).mean()),
            }
            own = _means(scores[place], column, known, in_crisis)
            lags = -(-(column + 1) // origin_step)
            beside = _comparison(scores[place], baseline, column, known, lags=lags)
            tests = _breaches(record.realised[:, column], corrected[place, :, column], record.sessions, column + 1)
            rows.append(key | own | beside | tests)
    return pl.DataFrame(rows, infer_schema_length=None)


def _with_selected(record: Record, served: npt.NDArray[np.int64]) -> tuple[tuple[str, ...], Floats, Floats]:
    """Names, corrected and raw quantiles with the served forecasts appended as a model of their own."""
    every = np.arange(len(record.sessions))
    corrected = np.concatenate([record.corrected, record.corrected[served, every][None]])
    raw = np.concatenate([record.raw, record.raw[served, every][None]])
    return (*MODEL_NAMES, SELECTED), corrected, raw


def _score(outcome: Floats, corrected: Floats, raw: Floats) -> _Scores:
    return _Scores(
        absolute_error(outcome, corrected),
        band_pinball(outcome, corrected),
        crps(outcome, corrected),
        is_inside(outcome, corrected),
        band_pinball(outcome, raw),
        is_inside(outcome, raw),
    )


def _means(scores: _Scores, column: int, known: Bools, in_crisis: Bools) -> dict[str, object]:
    crisis = known & in_crisis
    return {
        "mae_pct": _PER_CENT * float(scores.error[known, column].mean()),
        "pinball_loss": _PER_CENT * float(scores.loss[known, column].mean()),
        "crps": _PER_CENT * float(scores.crps[known, column].mean()),
        "coverage_90": float(scores.inside[known, column].mean()),
        "coverage_90_crisis": float(scores.inside[crisis, column].mean()) if crisis.any() else None,
        "origins_crisis": int(crisis.sum()),
        "raw_pinball_loss": _PER_CENT * float(scores.raw_loss[known, column].mean()),
        "raw_coverage_90": float(scores.raw_inside[known, column].mean()),
    }


def _comparison(scores: _Scores, baseline: _Scores, column: int, known: Bools, *, lags: int) -> dict[str, object]:
    both = known & np.isfinite(baseline.loss[:, column])
    error, base_error = scores.error[both, column], baseline.error[both, column]
    loss, base_loss = scores.loss[both, column], baseline.loss[both, column]
    return {
        "mae_to_random_walk": _ratio(error, base_error),
        "pinball_to_random_walk": _ratio(loss, base_loss),
        "pinball_t_value": difference_t_value(loss - base_loss, lags),
    }


def pit_histograms(record: Record, served: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Rows of ``forecasts.pit_histograms``: share of outcomes in each tenth of the forecast distribution."""
    names, corrected, _ = _with_selected(record, served)
    rows = [
        {"model": name, "horizon_days": column + 1, "tenth": tenth + 1, "share": float(share)}
        for place, name in enumerate(names)
        for column in range(record.horizons)
        for tenth, share in enumerate(pit_shares(record.realised[:, column], corrected[place, :, column]))
        if np.isfinite(share)
    ]
    schema = {"model": pl.String, "horizon_days": pl.Int64, "tenth": pl.Int64, "share": pl.Float64}
    return pl.DataFrame(rows, schema=schema)


def difference_t_value(difference: Floats, lags: int) -> float | None:
    """The t value of a mean difference of losses, with Newey and West's (1987, Econometrica 55(3)) Bartlett weights.

    The Diebold and Mariano (1995) statistic; below -2 the model is better than the random walk by more than chance.
    None where the difference never varies, as for the random walk itself.
    """
    count = len(difference)
    if count < 2:
        return None
    centred = difference - difference.mean()
    variance = float(centred @ centred) / count
    for lag in range(1, min(lags, count - 1) + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(centred[lag:] @ centred[:-lag]) / count
    if variance <= 0:
        return None
    return float(difference.mean() / np.sqrt(variance / count))


def _breaches(outcome: Floats, quantiles: Floats, sessions: npt.NDArray[np.int64], horizon: int) -> dict[str, object]:
    """VaR tests on origins at least ``horizon`` sessions apart, from the first known one on."""
    known = np.flatnonzero(np.isfinite(outcome) & np.isfinite(quantiles[:, 0]))
    apart = known[_apart(sessions[known], horizon)]
    below_95 = outcome[apart] < quantiles[apart, LOWER]
    below_99 = outcome[apart] < quantiles[apart, 0]
    return {
        "independent_origins": len(apart),
        "breaches_95": int(below_95.sum()),
        "breaches_99": int(below_99.sum()),
        "kupiec_p_value": kupiec_p_value(int(below_95.sum()), len(apart), 0.05),
        "kupiec_99_p_value": kupiec_p_value(int(below_99.sum()), len(apart), 0.01),
        "christoffersen_p_value": christoffersen_p_value(below_95, 0.05) if len(apart) > 1 else None,
    }


def _apart(sessions: npt.NDArray[np.int64], horizon: int) -> npt.NDArray[np.int64]:
    """Places of sessions at least ``horizon`` apart, the first one included, each as early as possible."""
    steps = np.diff(sessions)
    if len(steps) and (steps == steps[0]).all():
        return np.arange(0, len(sessions), -(-horizon // int(steps[0])))
    chosen: list[int] = []
    for place in range(len(sessions)):
        if not chosen or sessions[place] - sessions[chosen[-1]] >= horizon:
            chosen.append(place)
    return np.array(chosen, dtype=np.int64)


def _ratio(ours: Floats, theirs: Floats) -> float | None:
    """Mean of ours over mean of theirs; None where theirs is zero or missing."""
    denominator = float(theirs.sum())
    return float(ours.sum()) / denominator if denominator > 0 else None
