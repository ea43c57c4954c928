"""The fitted model as one frozen value: what a night needs to filter on, and what ``regimes.models`` remembers."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from quant_assets.regimes.states import STATES

__all__ = ["FitReport", "RegimeModel", "StateSummary", "model_for"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StateSummary:
    """What a state looked like in the training window, from smoothed weights.

    Parameters
    ----------
    mean_return : float
        Mean log return a session, in units of the scale.
    volatility : float
        Root mean square return a session, in units of the scale.
    trend : float
        Mean t-statistic of the last 60 sessions.
    share : float
        Share of the window's sessions.
    """

    mean_return: float
    volatility: float
    trend: float
    share: float


@dataclass(frozen=True, slots=True)
class RegimeModel:
    """A Gaussian hidden Markov model whose states carry the four names, in the order of ``STATES``.

    Parameters
    ----------
    model_version : str
    fitted_from, fitted_to : date
        First and last session of the training window.
    effective_from : date
        First date it may label; later than ``fitted_to``.
    features : tuple of str
        Columns the densities are of.
    weights : tuple of float
        Weight of each feature's log density.
    means, variances : tuple of tuple of float
        Of each state and feature, in the features' own units.
    transition : tuple of tuple of float
        Row: state of the session before; column: state of the session.
    log_likelihood : float
        Of the training window, weighted (see ``quant_assets/regimes/features.py``).
    sessions, seed, starts : int
        Rows fitted on, seed of the random starts, and how many starts were tried.
    summaries : tuple of StateSummary
    """

    model_version: str
    fitted_from: dt.date
    fitted_to: dt.date
    effective_from: dt.date
    features: tuple[str, ...]
    weights: tuple[float, ...]
    means: tuple[tuple[float, ...], ...]
    variances: tuple[tuple[float, ...], ...]
    transition: tuple[tuple[float, ...], ...]
    log_likelihood: float
    sessions: int
    seed: int
    starts: int
    summaries: tuple[StateSummary, ...]

    @property
    def stationary(self) -> Floats:
        """Long-run share of each state, the left eigenvector of the transition matrix."""
        size = len(self.transition)
        system = np.vstack([np.asarray(self.transition).T - np.eye(size), np.ones(size)])
        solution: Floats = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0]
        share = np.clip(solution, 0.0, None)
        return np.asarray(share / share.sum())

    @property
    def expected_durations(self) -> dict[str, float]:
        """Expected stay in sessions of each state, 1 / (1 - probability to stay)."""
        return {state: 1.0 / max(1.0 - self.transition[i][i], 1e-9) for i, state in enumerate(STATES)}

    def to_json(self) -> str:
        """Everything needed to filter again, exact to the last bit, with the named extras that people read."""
        content = asdict(self)
        for name in ("fitted_from", "fitted_to", "effective_from"):
            content[name] = content[name].isoformat()
        content["states"] = list(STATES)
        content["expected_durations"] = self.expected_durations
        return json.dumps(content)

    @classmethod
    def from_json(cls, text: str) -> RegimeModel:
        """The model that :meth:`to_json` wrote."""
        content: dict[str, Any] = json.loads(text)
        for derived in ("states", "expected_durations"):
            del content[derived]
        for name in ("fitted_from", "fitted_to", "effective_from"):
            content[name] = dt.date.fromisoformat(content[name])
        for name in ("features", "weights"):
            content[name] = tuple(content[name])
        for name in ("means", "variances", "transition"):
            content[name] = tuple(tuple(row) for row in content[name])
        content["summaries"] = tuple(StateSummary(**summary) for summary in content["summaries"])
        return cls(**content)


@dataclass(frozen=True, slots=True)
class FitReport:
    """What came of one refit date: a model, or the reason why the model before stays in force.

    Parameters
    ----------
    model_version : str
        Of the model that was wanted.
    effective_from : date
    fitted_from, fitted_to : date
        Window of the attempt.
    model : RegimeModel, optional
        None where every start failed or the best fit was degenerate.
    reason : str
        Why there is no model; empty where there is one.
    attempts : tuple of str
        One line for each start: where it began and what came of it.
    """

    model_version: str
    effective_from: dt.date
    fitted_from: dt.date
    fitted_to: dt.date
    model: RegimeModel | None
    reason: str
    attempts: tuple[str, ...]


def model_for(reports: Iterable[FitReport], date: dt.date) -> RegimeModel | None:
    """The newest model that may label ``date``."""
    usable = [report.model for report in reports if report.model is not None and report.effective_from <= date]
    return max(usable, key=lambda model: model.effective_from, default=None)
