"""The held challenger: judged again on what it and the champion have forecast since, and how long it keeps its place.

A version is trained every week and judged on the day it is trained. One that does not win may be held as challenger: it
is scored every night beside the champion, and each training judges it again first, by the same rule on its rows as
stored, the live ones among them. Two things keep that from being a lottery with a draw every week:

- A challenger that would win has to be ahead on its live sessions too, by Brier score. What it won in the past alone it
  has not won.
- Whom the calendar trains does not push the held one out before it has ``LEAST_LIVE_SESSIONS`` live sessions: a few
  hypotheses a year get evidence of their own, instead of 52 that get a week's each.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace

import numpy as np

from quant_assets.signals.evaluation import Figure
from quant_assets.signals.metrics import brier, brier_skill
from quant_assets.signals.model_spec import BoostingParameters, ModelSpec
from quant_assets.signals.promotion import Verdict, judge_version
from quant_assets.signals.rank_ic import daily_rank_ic
from quant_assets.signals.scored_rows import ScoredRows
from quant_assets.signals.signal_model import ModelCard

__all__ = [
    "LEAST_LIVE_SESSIONS",
    "LIVE",
    "LiveComparison",
    "Making",
    "compare_live",
    "judge_held",
    "keeps_place",
    "making_of",
]

LEAST_LIVE_SESSIONS = 63
"""A quarter: three blocks of the bootstrap. With a month's the live rows never outweigh the walk-forward's in the 120
sessions that a verdict needs; with a year's a recipe that has been left behind would hold the place for a year."""

LIVE = "live"
"""Slice of ``signals.model_metrics``."""

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Making:
    """What decides a version's predictions of given rows: two of one making differ by what they were trained on alone.

    Parameters
    ----------
    spec : ModelSpec
        As asked for: what a search found is left out.
    features : tuple of str
    feature_version : int
    """

    spec: ModelSpec
    features: tuple[str, ...]
    feature_version: int

    @classmethod
    def asked_for(cls, spec: ModelSpec, features: tuple[str, ...], feature_version: int) -> Making:
        """The making of a specification, or of a version that a search in it led to."""
        if spec.tuning_trials:
            plain = BoostingParameters(rounds=spec.boosting.rounds, learning_rate=spec.boosting.learning_rate)
            spec = replace(spec, boosting=plain)
        return cls(spec, features, feature_version)


def making_of(card: ModelCard) -> Making:
    """How a version was made."""
    return Making.asked_for(card.spec, card.features, card.feature_version)


@dataclass(frozen=True, slots=True)
class LiveComparison:
    """A challenger beside its opponent on the sessions after its training, as far as their labels are known.

    Parameters
    ----------
    opponent : str
        ``champion``, or ``base rate`` where there is none.
    sessions, rows : int
        On which both have a forecast.
    brier, opponent_brier, skill : float
        NaN without rows.
    rank_ic, opponent_rank_ic : float
        Means over the sessions that have one; NaN without any.
    """

    opponent: str
    sessions: int
    rows: int
    brier: float = _NAN
    opponent_brier: float = _NAN
    skill: float = _NAN
    rank_ic: float = _NAN
    opponent_rank_ic: float = _NAN

    @property
    def is_behind(self) -> bool:
        """Whether the live sessions that there are speak against it."""
        return self.brier >= self.opponent_brier  # NaN compares false

    @property
    def words(self) -> str:
        """Both scores in one clause."""
        if not self.rows:
            return "no live session has a known outcome yet"
        return (
            f"live sessions: {self.sessions}, Brier {self.brier:.5f} against {self.opponent_brier:.5f} of the "
            f"{self.opponent}, rank IC {_number(self.rank_ic)} against {_number(self.opponent_rank_ic)}"
        )

    def figures(self) -> tuple[Figure, ...]:
        """Rows of ``signals.model_metrics``."""
        least = float(LEAST_LIVE_SESSIONS)
        found = [Figure("live_sessions", LIVE, float(self.sessions), least, "sessions that keep its place", self.rows)]
        if self.rows:
            found += [
                Figure("brier", LIVE, self.brier, self.opponent_brier, self.opponent, self.rows),
                Figure("brier_skill", LIVE, self.skill, 0.0, self.opponent, self.rows),
                Figure("rank_ic", LIVE, self.rank_ic, self.opponent_rank_ic, self.opponent, self.sessions),
            ]
        return tuple(found)


def compare_live(scored: ScoredRows, known_on: dt.date) -> LiveComparison:
    """Compare a version with the champion among its opponents, or the base rate, on the sessions after its training.

    Parameters
    ----------
    scored : ScoredRows
        The version's out-of-sample rows with known labels.
    known_on : date
        Session whose close its last training label was known at; sessions after it are live.
    """
    champion = scored.opponents.get("champion")
    opponent, theirs = ("base rate", scored.base_rate) if champion is None else ("champion", champion)
    live = (scored.dates > np.datetime64(known_on)) & ~np.isnan(theirs)
    part, theirs = scored.where(live), theirs[live]
    if not len(part):
        return LiveComparison(opponent, 0, 0)
    ours_ic, their_ic = (
        daily_rank_ic(part.dates, forecast, part.forward_returns)[1] for forecast in (part.probability, theirs)
    )
    return LiveComparison(
        opponent,
        sessions=len(np.unique(part.dates)),
        rows=len(part),
        brier=brier(part.probability, part.labels),
        opponent_brier=brier(theirs, part.labels),
        skill=brier_skill(part.probability, theirs, part.labels),
        rank_ic=float(ours_ic.mean()) if len(ours_ic) else _NAN,
        opponent_rank_ic=float(their_ic.mean()) if len(their_ic) else _NAN,
    )


def judge_held(scored: ScoredRows, spec: ModelSpec, known_on: dt.date) -> tuple[Verdict, LiveComparison]:
    """Judge a held challenger again, by the rule for every version, and never against what its live sessions say.

    Parameters
    ----------
    scored : ScoredRows
        Its out-of-sample rows with known labels: walk-forward and live.
    spec : ModelSpec
        Its own.
    known_on : date
        As in :func:`compare_live`.
    """
    verdict, live = judge_version(scored, spec), compare_live(scored, known_on)
    if verdict.wins and live.is_behind:
        verdict = replace(verdict, wins=False, reason=f"{verdict.reason}, but not on its live sessions")
    sessions = f" in {verdict.sessions} sessions" if verdict.sessions else ""
    return replace(verdict, reason=f"judged again{sessions}: {verdict.reason}; {live.words}"), live


def keeps_place(card: ModelCard, live_sessions: int, making: Making) -> bool:
    """Whether a held challenger stays when the calendar trains a version that does not win.

    It does while its live sessions are fewer than ``LEAST_LIVE_SESSIONS`` and it is of the same making as the new one:
    one of another making would tell nothing about what is trained now.
    """
    return making_of(card) == making and live_sessions < LEAST_LIVE_SESSIONS


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "not defined"
