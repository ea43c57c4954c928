"""False promotions: what judging a held challenger again every week adds to judging each version once.

Three measurements, all on truths under which no promotion is deserved:

- Noise: markets of independent Gaussian returns without a champion, trained and judged every week for two years.
- A known signal: returns with a constant autocorrelation and a champion that has found it. Every later version knows
  the same, but for a little more history.
- Pairs: forecasts that know the same share of the truth with errors of their own, which differ more than two versions
  of one recipe ever do; the challenger is judged when it is trained and in each of the 13 weeks after.

``once`` judges each version on the day it is trained and never again; ``again`` is what the jobs do.

Run: python -m benchmarks.signals_promotion [--markets 20] [--pairs 300]
"""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from quant_assets.foundation.walk_forward import WalkForward
from quant_assets.signals.calibration import sigmoid
from quant_assets.signals.challenger import LEAST_LIVE_SESSIONS, judge_held
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.model_spec import BoostingParameters, LabelRule, ModelSpec
from quant_assets.signals.promotion import judge_version
from quant_assets.signals.scored_rows import ScoredRows, prediction_rows, stored_rows
from quant_assets.signals.training import Circumstances, train_model
from quant_assets.signals.training_table import TrainingTable, training_table
from quant_assets.signals.walk_forward_training import run_walk_forward

SYMBOLS, HISTORY, WATCHED, WEEK = 10, 2000, 504, 5
SIGNAL = 0.1
NAMES = ("today", "yesterday", "spread_20", "noise")
NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
SPEC = ModelSpec(
    "direction",
    LabelRule(1, 0.0),
    split=WalkForward(test_months=12, min_train_sessions=200, embargo_sessions=2),
    boosting=BoostingParameters(rounds=40, learning_rate=0.1, feature_share=0.8, min_rows_in_leaf=100),
    inner_folds=1,
)


@dataclass(frozen=True)
class Version:
    """A trained version: the session that its training knew, and its out-of-sample forecasts from first to last."""

    known_on: dt.date
    predictions: pl.DataFrame = field(repr=False)


class Market:
    """Symbols with a known autocorrelation of their returns, trained as the protocol trains them."""

    def __init__(self, seed: int, autocorrelation: float) -> None:
        rng = np.random.default_rng(seed)
        sessions = HISTORY + WATCHED
        shocks = rng.standard_normal((sessions, SYMBOLS)) * 0.01
        returns = shocks.copy()
        for t in range(1, sessions):
            returns[t] = autocorrelation * returns[t - 1] + np.sqrt(1 - autocorrelation**2) * shocks[t]
        days = np.arange(np.datetime64("2003-01-01"), np.datetime64("2015-01-01"))
        self.sessions = days[np.is_busday(days)][:sessions]
        change, by = pl.col("today"), "symbol"
        self.frame = (
            pl.DataFrame(
                {
                    "symbol": np.repeat([f"S{number:02d}" for number in range(SYMBOLS)], sessions),
                    "date": pl.Series(np.tile(self.sessions, SYMBOLS)).cast(pl.Date),
                    "today": returns.T.reshape(-1),
                    "noise": rng.standard_normal(sessions * SYMBOLS),
                }
            )
            .sort("symbol", "date")
            .with_columns(
                yesterday=change.shift(1).over(by),
                spread_20=change.rolling_std(20).over(by),
                close=100 * change.cum_sum().over(by).exp(),
            )
        )
        table = self._table(None)
        self.walk_forward = prediction_rows(table, run_walk_forward(table, SPEC))

    def _table(self, until: dt.date | None) -> TrainingTable:
        frame = self.frame if until is None else self.frame.filter(pl.col("date") <= until)
        return training_table(frame, self.labels(until), NAMES)

    def labels(self, until: dt.date | None) -> pl.DataFrame:
        """Labels as known at a session's close."""
        closes = self.frame.select("symbol", "date", "close")
        return forward_labels(closes if until is None else closes.filter(pl.col("date") <= until), SPEC.label)

    def train(self, until: dt.date) -> Version:
        """The version that is trained at a session's close: its walk-forward, and its own forecasts from then on."""
        model = train_model(self._table(until), SPEC, Circumstances("direction-1", 2, NOW, "")).model
        later = self.frame.filter(pl.col("date") > until)
        live = later.select(
            "symbol",
            "date",
            probability=pl.Series(model.probabilities(later)),
            base_rate=pl.Series(model.rates.of(later["symbol"].to_numpy().astype(str))),
        )
        return Version(until, pl.concat([self.newborn(until), live]))

    @staticmethod
    def opponent(champion: Version | None) -> pl.DataFrame | None:
        """The champion's live forecasts: by these alone versions of one making are compared."""
        return None if champion is None else champion.predictions.filter(pl.col("date") > champion.known_on)

    def newborn(self, until: dt.date) -> pl.DataFrame:
        """Forecasts of a version trained at a session's close, as far as it is judged by them on that day."""
        seen = self.walk_forward.filter(pl.col("date") <= until)  # A longer history changes no earlier prediction.
        return seen.select("symbol", "date", "probability", "base_rate")


def count_promotions(market: Market, *, has_champion: bool, judges_again: bool) -> dict:
    """Promotions in two years of weekly trainings; ``vetoed`` are those that live sessions alone prevented."""
    weeks = range(HISTORY + WEEK, HISTORY + WATCHED, WEEK)
    champion = market.train(market.sessions[HISTORY - 1].item()) if has_champion else None
    held: Version | None = None
    found = {"promoted": 0, "vetoed": 0}
    for week in weeks:
        as_of = market.sessions[week - 1].item()
        labels, live_sessions = market.labels(as_of), LEAST_LIVE_SESSIONS
        if judges_again and held is not None:
            rows = stored_rows(held.predictions, labels, 1, market.opponent(champion))
            verdict, live = judge_held(rows, SPEC, held.known_on)
            live_sessions = live.sessions
            found["vetoed"] += judge_version(rows, SPEC).wins and not verdict.wins
            if verdict.wins:
                found["promoted"] += 1
                champion, held = held, None
        new = stored_rows(market.newborn(as_of), labels, 1, market.opponent(champion))
        if judge_version(new, SPEC).wins:
            found["promoted"] += 1
            champion = market.train(as_of)
        elif judges_again and (held is None or live_sessions >= LEAST_LIVE_SESSIONS):
            held = market.train(as_of)
    return found


def measure_markets(markets: int, autocorrelation: float, *, has_champion: bool) -> dict:
    """Promotions a year and the share of markets with any, by procedure."""
    years = markets * WATCHED / 252
    found: dict = {"markets": markets, "years": years}
    made = [Market(seed, autocorrelation) for seed in range(markets)]
    for name, judges_again in (("once", False), ("again", True)):
        counts = [count_promotions(one, has_champion=has_champion, judges_again=judges_again) for one in made]
        found[name] = {
            "per_year": sum(count["promoted"] for count in counts) / years,
            "markets_with_any": sum(count["promoted"] > 0 for count in counts),
            "vetoed": sum(count["vetoed"] for count in counts),
        }
    return found


def pair(seed: int, sessions: int, contested_from: int) -> ScoredRows:
    """Two forecasts that know half of the true log-odds, equal before a session and with errors of their own after."""
    rng = np.random.default_rng(seed)
    rows, spread = SYMBOLS * sessions, 0.25
    truth = rng.normal(0.0, spread, rows)
    labels = (rng.random(rows) < sigmoid(truth)).astype(float)
    ours, theirs = (sigmoid(0.5 * truth + 0.5 * rng.normal(0.0, spread, rows)) for _ in range(2))
    theirs[: contested_from * SYMBOLS] = ours[: contested_from * SYMBOLS]
    days = np.arange(np.datetime64("2003-01-01"), np.datetime64("2015-01-01"))
    return ScoredRows(
        1,
        np.tile([f"S{number:02d}" for number in range(SYMBOLS)], sessions),
        np.repeat(days[np.is_busday(days)][:sessions], SYMBOLS),
        np.full(rows, ""),
        ours,
        np.full(rows, 0.5),
        labels,
        np.where(labels > 0.5, 1.0, -1.0) * rng.exponential(0.01, rows),
        {"champion": theirs},
    )


def measure_pairs(pairs: int) -> dict:
    """Equally good challengers that are promoted on their day, in any week of their quarter, and without a veto."""
    before, at_birth = 600, 120
    looks = -(-LEAST_LIVE_SESSIONS // WEEK)
    found = {"pairs": pairs, "looks": looks, "at_once": 0, "again": 0, "without_veto": 0}
    for seed in range(pairs):
        scored = pair(seed, before + at_birth + looks * WEEK, before)
        dates = np.unique(scored.dates)
        birth = dates[before + at_birth - 1]
        if judge_version(scored.where(scored.dates <= birth), SPEC).wins:
            found["at_once"] += 1
            continue
        parts = [scored.where(scored.dates <= dates[before + at_birth + k * WEEK - 1]) for k in range(1, looks + 1)]
        found["without_veto"] += any(judge_version(part, SPEC).wins for part in parts)
        found["again"] += any(judge_held(part, SPEC, birth.item())[0].wins for part in parts)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=300)
    arguments = parser.parse_args()
    found = measure_pairs(arguments.pairs)
    print(f"{found['pairs']} pairs of equally good forecasts, {found['looks']} weekly looks after the day of training")
    print(f"promoted on that day            {found['at_once']:4d}")
    print(f"promoted in a later week        {found['again']:4d}   (without the live veto {found['without_veto']})\n")
    for name, signal, has_champion in (("noise, no champion", 0.0, False), ("known signal, a champion", SIGNAL, True)):
        one = measure_markets(arguments.markets, signal, has_champion=has_champion)
        print(f"{name}: {one['markets']} markets, {one['years']:.0f} years of weekly trainings")
        for procedure in ("once", "again"):
            counted = one[procedure]
            print(
                f"  judged {procedure:<6} {counted['per_year']:6.3f} promotions a year, "
                f"in {counted['markets_with_any']} markets; {counted['vetoed']} weeks vetoed",
                flush=True,
            )


if __name__ == "__main__":
    main()
