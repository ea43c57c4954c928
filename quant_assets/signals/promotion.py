"""When a new model may replace the one in use: a rule on paired out-of-sample forecasts, stated before it is applied.

A candidate always has to beat the base rate: the lower end of the 99 % interval of its Brier skill lies above zero
(99 and not 95, because a vacant place is tried for every week; of 60 markets of pure noise none gets through).
Against a champion it has to win on both measures besides, on the rows that both forecast without having seen them, in
the sessions where their forecasts differ at all (of a champion of its own making only live forecasts are given here:
``challenger_review.champion_predictions`` says why):

- Brier skill over the champion at least ``SKILL_MARGIN``, and better in at least 95 % of the resampled blocks;
- mean rank IC at least ``IC_MARGIN`` higher, and higher in at least 80 % of the resampled blocks. (With few symbols a
  daily rank IC is an order noisier than a Brier score; 95 % on both could not be met within years.)

Both need a least number of sessions. Blocks and that number grow with the horizon, as labels overlap for longer.
Equal forecasts win nothing, so a retraining that changes nothing keeps the champion. A rank IC above ``ABSURD_IC`` is
never promoted: on daily bars it has always been a leak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from quant_assets.signals.metrics import brier, brier_skill
from quant_assets.signals.model_spec import ModelSpec
from quant_assets.signals.rank_ic import daily_rank_ic
from quant_assets.signals.scored_rows import ScoredRows
from quant_assets.signals.session_bootstrap import BLOCK_SESSIONS, SessionBootstrap, block_length, interval

__all__ = ["ABSURD_IC", "IC_MARGIN", "SKILL_MARGIN", "Verdict", "judge", "judge_version"]

Floats = npt.NDArray[np.float64]

SKILL_MARGIN = 0.001
IC_MARGIN = 0.001
SKILL_SHARE, IC_SHARE = 0.95, 0.80
ABSURD_IC = 0.15
_LEAST_SESSIONS, _LEAST_DIFFERING = 504, 120
"""Two years of forecasts to fill a vacant place, half a year of differing ones to take a champion's. Intervals from few
blocks are too narrow: from one year's twelve, a 95 % interval covers 89 %. So both are 24 and about 6 blocks, and grow
with the block where the horizon is longer than five sessions."""
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the candidate may take the place, and why in one sentence with its figures.

    ``sessions`` are those that the figures rest on; 0 where there were too few.
    """

    wins: bool
    reason: str
    sessions: int = 0


def judge_version(scored: ScoredRows, spec: ModelSpec) -> Verdict:
    """Judge a version by its specification's own seed, so that the same rows always get the same verdict.

    A default model that was trained on chosen symbols or sessions is not promoted, whatever its figures: they are not
    those of the universe, and a person who chooses can try until one wins.

    Parameters
    ----------
    scored : ScoredRows
        The version's out-of-sample rows with known labels.
    spec : ModelSpec
        Its own.
    """
    verdict = judge(scored, np.random.default_rng([spec.seed, 2]))
    if not spec.is_narrowed_default:
        return verdict
    chosen = "chosen symbols" if spec.symbols else "a shortened history"
    reason = f"kept, not promoted: trained on {chosen}; promote it by hand ({verdict.reason})"
    return replace(verdict, wins=False, reason=reason)


def judge(scored: ScoredRows, rng: np.random.Generator) -> Verdict:
    """Judge a candidate against the champion among its opponents, or against the base rate where there is none.

    Parameters
    ----------
    scored : ScoredRows
        The candidate's out-of-sample rows with known labels.
    rng : Generator
        Draws the blocks.
    """
    sessions, least = len(np.unique(scored.dates)), _scaled(_LEAST_SESSIONS, scored.horizon_days)
    if sessions < least:
        return Verdict(
            wins=False, reason=f"{sessions} out-of-sample sessions are too few to judge by; {least} are needed"
        )
    daily = daily_rank_ic(scored.dates, scored.probability, scored.forward_returns)[1]
    if len(daily) and daily.mean() > ABSURD_IC:
        return Verdict(
            wins=False,
            reason=f"its rank IC of {daily.mean():.3f} is above {ABSURD_IC}, which daily bars do not give honestly; "
            "look for a feature that sees the future",
        )
    against_base_rate = _against_base_rate(scored, rng)
    champion = scored.opponents.get("champion")
    if champion is None or not against_base_rate.wins:
        return against_base_rate
    differ = np.abs(champion - scored.probability) > _EQUAL  # NaN compares false
    contested = np.isin(scored.dates, scored.dates[differ]) & ~np.isnan(champion)
    sessions, least = len(np.unique(scored.dates[contested])), _scaled(_LEAST_DIFFERING, scored.horizon_days)
    if sessions < least:
        return Verdict(
            wins=False,
            reason=f"its forecasts differ from the champion's in {sessions} out-of-sample sessions and "
            f"{least} are needed to compare them",
        )
    return _against_champion(scored.where(contested), champion[contested], rng)


def _scaled(sessions: int, horizon_days: int) -> int:
    """As many blocks as so many sessions hold, for the horizon's own blocks."""
    return math.ceil(sessions * block_length(horizon_days) / BLOCK_SESSIONS)


def _against_base_rate(scored: ScoredRows, rng: np.random.Generator) -> Verdict:
    bootstrap = SessionBootstrap.draw(scored.dates, rng, block_sessions=block_length(scored.horizon_days))
    errors = bootstrap.sums((scored.probability - scored.labels) ** 2)
    naive = bootstrap.sums((scored.base_rate - scored.labels) ** 2)
    low, high = interval(1.0 - errors / naive, level=0.99)
    skill = brier_skill(scored.probability, scored.base_rate, scored.labels)
    wins = low > 0.0
    return Verdict(
        wins,
        f"Brier skill over the base rate {skill:.2%}, 99 % interval {low:.2%} to {high:.2%}: "
        f"{'it beats' if wins else 'it does not surely beat'} the base rate",
        bootstrap.sessions,
    )


def _against_champion(scored: ScoredRows, champion: Floats, rng: np.random.Generator) -> Verdict:
    skill = brier_skill(scored.probability, champion, scored.labels)
    bootstrap = SessionBootstrap.draw(scored.dates, rng, block_sessions=block_length(scored.horizon_days))
    gains = bootstrap.sums((champion - scored.labels) ** 2 - (scored.probability - scored.labels) ** 2)
    skill_share = float((gains > 0.0).mean())
    ic_gain, ic_share = _ic_gain(scored, champion, rng)
    wins = skill >= SKILL_MARGIN and skill_share >= SKILL_SHARE and ic_gain >= IC_MARGIN and ic_share >= IC_SHARE
    return Verdict(
        wins,
        f"Brier {brier(scored.probability, scored.labels):.5f} against {brier(champion, scored.labels):.5f} of the "
        f"champion (better in {skill_share:.0%} of resamples), rank IC {ic_gain:+.4f} (better in {ic_share:.0%}): "
        f"{'it wins' if wins else 'the champion stays'}",
        bootstrap.sessions,
    )


def _ic_gain(scored: ScoredRows, champion: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """Gain in mean rank IC over the sessions where both have one, and the share of resamples with a gain."""
    ours = daily_rank_ic(scored.dates, scored.probability, scored.forward_returns)
    theirs = daily_rank_ic(scored.dates, champion, scored.forward_returns)
    _, here, there = np.intersect1d(ours[0], theirs[0], return_indices=True)
    if not len(here):
        return 0.0, 0.0
    gain = ours[1][here] - theirs[1][there]
    bootstrap = SessionBootstrap.draw(ours[0][here], rng, block_sessions=block_length(scored.horizon_days))
    drawn = bootstrap.sums(gain)
    return float(gain.mean()), float((drawn > 0.0).mean())
