"""How good labels are where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LabelScores", "score_labels"]

States = npt.NDArray[np.int64]

SESSIONS_PER_YEAR = 252


@dataclass(frozen=True, slots=True)
class LabelScores:
    """Scores of one labelled history.

    Parameters
    ----------
    accuracy : float
        Share of sessions with the true label.
    macro_f1 : float
        Mean F1 score over the states that occur in the truth.
    median_delay : float
        Median over true switches of the sessions until the new state is the label; 0 on the day itself, infinite for a
        switch that was over before it was labelled.
    missed_share : float
        Share of true switches that were never labelled.
    false_switches_per_year : float
        Label changes that are not the first sight of a true switch.
    flips_per_year, true_switches_per_year : float
    """

    accuracy: float
    macro_f1: float
    median_delay: float
    missed_share: float
    false_switches_per_year: float
    flips_per_year: float
    true_switches_per_year: float


def score_labels(truth: States, labels: States) -> LabelScores:
    """Compare labels with the truth, session by session and switch by switch.

    Parameters
    ----------
    truth, labels : array of int, shape (n,)
        States of the same sessions, at least one.
    """
    years = len(truth) / SESSIONS_PER_YEAR
    starts = np.flatnonzero(np.diff(truth)) + 1
    ends = np.append(starts[1:], len(truth))
    delays = np.full(len(starts), np.inf)
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        seen = np.flatnonzero(labels[start:end] == truth[start])
        if len(seen):
            delays[i] = seen[0]
    detections = (starts + delays)[np.isfinite(delays)]
    flips = np.flatnonzero(np.diff(labels)) + 1
    return LabelScores(
        accuracy=float((truth == labels).mean()),
        macro_f1=_macro_f1(truth, labels),
        median_delay=float(np.median(delays)) if len(delays) else float("nan"),
        missed_share=float(np.isinf(delays).mean()) if len(delays) else float("nan"),
        false_switches_per_year=float((~np.isin(flips, detections)).sum() / years),
        flips_per_year=len(flips) / years,
        true_switches_per_year=len(starts) / years,
    )


def _macro_f1(truth: States, labels: States) -> float:
    scores = []
    for state in np.unique(truth):
        hits = ((truth == state) & (labels == state)).sum()
        scores.append(2 * hits / ((truth == state).sum() + (labels == state).sum()))
    return float(np.mean(scores))
