"""Fitting: hmmlearn's Gaussian HMM with weighted densities, prior means and floored covariances, from several starts.

The priors make it a maximum a posteriori fit: states start at what their names mean (``anchors.py``) and move as the
data say. A start that fails is noted; where all fail, or the best is degenerate, there is no model and the report says
why, and the caller keeps the model before.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hmmlearn.hmm import GaussianHMM
from threadpoolctl import threadpool_limits

from quant_assets.regimes.anchors import Anchors, feature_priors, ladder
from quant_assets.regimes.features import Feature
from quant_assets.regimes.model import FitReport, RegimeModel, StateSummary
from quant_assets.regimes.naming import density_distances, name_states, rule_costs
from quant_assets.regimes.states import STATE_COUNT

__all__ = ["TrainingWindow", "WeightedGaussianHMM", "fit_model"]

Floats = npt.NDArray[np.float64]

STAY = 0.99
"""Prior probability to stay: a hundred sessions in a state."""
STAY_SESSIONS = 500.0
"""Sessions of evidence that the prior of each transition row counts for; 100 costs a point of accuracy, 1,000 none."""
ANCHOR_SESSIONS = 200.0
"""Sessions of evidence that prior means and variances count for; 100 and 800 each cost a point of accuracy or more."""
VARIANCE_FLOOR = 0.02
"""Smallest variance of a feature in a state, as a share of its variance over the window."""
_ITERATIONS, _TOLERANCE = 40, 0.1
_RANDOM_STARTS, _START_SPREAD = 2, 0.3
_SMALLEST_DISTANCE = 1e-3


@dataclass(frozen=True, slots=True)
class TrainingWindow:
    """What one fit sees.

    Parameters
    ----------
    dates : tuple of date
        First and last session of the window.
    matrix : array, shape (n, k)
        Modelled features, sequences one after another; NaN where missing.
    lengths : array of int
        Rows of each sequence.
    moves, trend : array, shape (n,)
        Return in units of the scale, and the 60-session trend, to describe states with.
    features : tuple of Feature
        Columns of ``matrix``.
    """

    dates: tuple[dt.date, dt.date]
    matrix: Floats
    lengths: npt.NDArray[np.int64]
    moves: Floats
    trend: Floats
    features: tuple[Feature, ...]


class WeightedGaussianHMM(GaussianHMM):  # type: ignore[misc] # hmmlearn ships no types
    """hmmlearn's diagonal Gaussian HMM with a weight for each feature's log density and a floor under variances.

    With constant weights the M step of a diagonal Gaussian is unchanged, so this is still an exact EM, of the composite
    likelihood.
    """

    feature_weights: Floats
    variance_floor: float
    _covars_: Floats
    means_: Floats
    transmat_: Floats

    def _compute_log_likelihood(self, X: Floats) -> Floats:  # noqa: N803 - hmmlearn's signature
        precision = self.feature_weights / self._covars_
        constant = (self.feature_weights * np.log(2 * np.pi * self._covars_)).sum(axis=1)
        quadratic = X**2 @ precision.T - 2 * X @ (precision * self.means_).T + (precision * self.means_**2).sum(axis=1)
        return np.asarray(-0.5 * (quadratic + constant))

    def _do_mstep(self, stats: dict[str, Any]) -> None:
        super()._do_mstep(stats)
        self._covars_ = np.maximum(self._covars_, self.variance_floor)

    def _compute_lower_bound(self, curr_logprob: float) -> float:
        """Log likelihood plus log prior: what this EM raises in every step."""
        gap = self.means_weight * (self.means_ - self.means_prior) ** 2 + self.covars_prior
        emission = (self.covars_weight - 1) * np.log(self._covars_) + gap / self._covars_
        transition = ((self.transmat_prior - 1) * np.log(self.transmat_)).sum()
        return float(curr_logprob + transition - 0.5 * (emission @ self.feature_weights).sum())


def fit_model(
    window: TrainingWindow,
    anchors: Anchors,
    *,
    model_version: str,
    effective_from: dt.date,
    seed: int,
    before: RegimeModel | None = None,
) -> FitReport:
    """Fit from several starts and keep the best.

    Starts: the anchors; the model before, where it has the same features; and seeded random shifts of the anchors. Best
    is the highest penalised log likelihood.

    Parameters
    ----------
    window : TrainingWindow
        Sessions before ``effective_from`` only.
    anchors : Anchors
    model_version : str
    effective_from : date
        First date the model may label.
    seed : int
    before : RegimeModel, optional
        The model in force.

    Returns
    -------
    FitReport
        With a model, or with the reason why there is none.
    """
    attempt = _Attempt(window, anchors, before)
    reason = attempt.reason_against()
    notes: list[str] = []
    model = None
    if not reason:
        best, notes = attempt.best_of(attempt.starts(np.random.default_rng(seed)))
        reason = "no start converged to a finite likelihood" if best is None else _degenerate(best)
        if best is not None and not reason:
            model = attempt.named(best, model_version, effective_from, seed, len(notes))
    return FitReport(model_version, effective_from, *window.dates, model, reason, tuple(notes))


class _Attempt:
    """One window, standardised, with its priors; what a fit needs from its parts."""

    def __init__(self, window: TrainingWindow, anchors: Anchors, before: RegimeModel | None) -> None:
        self.window = window
        with np.errstate(invalid="ignore", over="ignore"):
            self.centre = np.nanmean(window.matrix, axis=0)
            self.spread = np.nanstd(window.matrix, axis=0)
        self.volatilities = ladder(window.moves, anchors)
        # A missing reading (few symbols, a short history) counts as the window's average one.
        self.filled = np.where(np.isfinite(window.matrix), window.matrix, self.centre)
        self.weights = np.array([feature.weight for feature in window.features])
        same = before is not None and before.features == tuple(feature.name for feature in window.features)
        self.before = before if same else None

    def reason_against(self) -> str:
        """Why these rows cannot be fitted; empty where they can."""
        named = list(zip((feature.name for feature in self.window.features), self.spread, strict=True))
        if flat := [name for name, spread in named if not spread > 1e-9]:
            return f"{', '.join(flat)} did not move in the training window"
        wild = [name for name, spread in named if not np.isfinite(spread)]
        return f"{', '.join(wild)} has values too large to compute with" if wild else ""

    def starts(self, rng: np.random.Generator) -> list[tuple[str, Floats, Floats, Floats]]:
        """Name, means, variances (standardised) and transition matrix of each start; the anchors come first."""
        means, variances = self._priors()
        transition = np.full((STATE_COUNT, STATE_COUNT), (1 - STAY) / (STATE_COUNT - 1))
        np.fill_diagonal(transition, STAY)
        found = [("anchors", means, variances, transition)]
        if self.before is not None:
            old_means = (np.asarray(self.before.means) - self.centre) / self.spread
            old_variances = np.asarray(self.before.variances) / self.spread**2
            found.append(("model before", old_means, old_variances, np.asarray(self.before.transition)))
        for number in range(_RANDOM_STARTS):
            shift = rng.normal(0.0, _START_SPREAD, means.shape)
            found.append((f"random {number + 1}", means + shift, variances, transition))
        return found

    def _priors(self) -> tuple[Floats, Floats]:
        means, variances = feature_priors(self.window.features, self.volatilities, self.filled)
        return (means - self.centre) / self.spread, np.maximum(variances / self.spread**2, VARIANCE_FLOOR)

    def best_of(self, starts: list[tuple[str, Floats, Floats, Floats]]) -> tuple[WeightedGaussianHMM | None, list[str]]:
        """The fit with the highest penalised log likelihood, and a line for each start."""
        best, highest, notes = None, -np.inf, []
        standard = (self.filled - self.centre) / self.spread
        for name, means, variances, transition in starts:
            hmm = self._prepared(means, np.maximum(variances, VARIANCE_FLOOR), transition)
            try:
                # One thread: small matrices, and the same bits whatever the machine's number of cores.
                with threadpool_limits(1):
                    hmm.fit(standard, self.window.lengths)
            except (ValueError, FloatingPointError) as error:
                notes.append(f"{name}: {error}")
                continue
            value = hmm.monitor_.history[-1]
            notes.append(f"{name}: {value:.2f} after {hmm.monitor_.iter} iterations")
            if np.isfinite(value) and value > highest:
                best, highest = hmm, value
        return best, notes

    def _prepared(self, means: Floats, variances: Floats, transition: Floats) -> WeightedGaussianHMM:
        prior_means, prior_variances = self._priors()
        stays = np.full((STATE_COUNT, STATE_COUNT), 1 + (1 - STAY) * STAY_SESSIONS / (STATE_COUNT - 1))
        np.fill_diagonal(stays, 1 + STAY * STAY_SESSIONS)
        hmm = WeightedGaussianHMM(
            STATE_COUNT,
            covariance_type="diag",
            transmat_prior=stays,
            means_prior=prior_means,
            means_weight=ANCHOR_SESSIONS,
            covars_prior=prior_variances * ANCHOR_SESSIONS,
            covars_weight=1 + ANCHOR_SESSIONS,
            n_iter=_ITERATIONS,
            tol=_TOLERANCE,
            params="tmc",
            init_params="",
            implementation="scaling",
        )
        hmm.feature_weights, hmm.variance_floor = self.weights, VARIANCE_FLOOR
        hmm.startprob_ = np.full(STATE_COUNT, 1 / STATE_COUNT)
        hmm.transmat_, hmm.means_ = transition, means
        hmm.n_features = means.shape[1]
        hmm.covars_ = variances
        return hmm

    def named(
        self, hmm: WeightedGaussianHMM, model_version: str, effective_from: dt.date, seed: int, starts: int
    ) -> RegimeModel:
        """The fit in the features' own units, its states in the order of the names."""
        standard = (self.filled - self.centre) / self.spread
        likelihood, smoothed = hmm.score_samples(standard, self.window.lengths)
        means = hmm.means_ * self.spread + self.centre
        variances = hmm._covars_ * self.spread**2
        summaries = self._summaries(smoothed)
        costs = rule_costs(summaries, self.volatilities, len(standard))
        distances = None if self.before is None else density_distances(means, variances, self.before)
        order = name_states(costs, distances)
        transition = hmm.transmat_[np.ix_(order, order)]
        return RegimeModel(
            model_version=model_version,
            fitted_from=self.window.dates[0],
            fitted_to=self.window.dates[1],
            effective_from=effective_from,
            features=tuple(feature.name for feature in self.window.features),
            weights=tuple(self.weights.tolist()),
            means=_rows(means[order]),
            variances=_rows(variances[order]),
            transition=_rows(transition / transition.sum(axis=1, keepdims=True)),
            # From standardised back to own units: each row's density shrinks by the spread.
            log_likelihood=float(likelihood - len(standard) * (self.weights * np.log(self.spread)).sum()),
            sessions=len(standard),
            seed=seed,
            starts=starts,
            summaries=tuple(summaries[state] for state in order),
        )

    def _summaries(self, smoothed: Floats) -> tuple[StateSummary, ...]:
        mass = np.maximum(smoothed.sum(axis=0), 1e-9)
        share = smoothed / mass
        # A state that the window never visited is described by its prior.
        unseen = mass < 1.0
        volatility = np.where(unseen, self.volatilities, np.sqrt(self.window.moves**2 @ share))
        values = np.column_stack(
            [
                np.where(unseen, 0.0, self.window.moves @ share),
                np.maximum(volatility, 1e-12),
                np.where(unseen, 0.0, self.window.trend @ share),
                mass / len(smoothed),
            ]
        )
        return tuple(StateSummary(*row) for row in values.tolist())


def _degenerate(hmm: WeightedGaussianHMM) -> str:
    """Why a fit that converged is no regime model; empty where it is one."""
    variances = hmm._covars_
    if not (np.isfinite(hmm.means_).all() and np.isfinite(variances).all() and np.isfinite(hmm.transmat_).all()):
        return "the best fit has parameters that are not finite"
    if hmm.transmat_.diagonal().min() < 0.5:
        return "a state of the best fit lasts less than two sessions"
    total = variances[:, None] + variances
    gap = (hmm.means_[:, None] - hmm.means_) ** 2 / total / 4
    apart = (gap + np.log(total / 2 / np.sqrt(variances[:, None] * variances)) / 2) @ hmm.feature_weights
    np.fill_diagonal(apart, np.inf)
    return "two states of the best fit cannot be told apart" if apart.min() < _SMALLEST_DISTANCE else ""


def _rows(matrix: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
