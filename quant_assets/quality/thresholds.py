"""From which score on a bar is LOW, MEDIUM or HIGH: calibrated on the bars before to a stated budget of false alarms.

Nearly all bars of a price vendor are right, so the largest scores of the past are what a false alarm looks like. For
each measure the threshold is the score that good bars exceed with a stated probability, the budget. Budgets are
smaller than one over the number of bars at hand, so the tail is extrapolated by the estimator of Weissman (1978) with
the tail index of Hill (1975):

    q(p) = x_(k) * (k / (n p)) ** gamma,    gamma = mean over the k largest of log(x_i / x_(k))

with n bars and x_(k) the k-th largest score. A floor keeps ordinary days out even in a calm window; a ceiling keeps a
window full of bad bars from blinding the sentinel.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.quality.findings import Severity
from quant_assets.quality.tables import THRESHOLDS

__all__ = [
    "CALIBRATION_SESSIONS",
    "EXCURSION",
    "ISOLATION",
    "PRICE_LOUD",
    "PRICE_QUIET",
    "VOLUME_DOWN",
    "VOLUME_UP",
    "Thresholds",
    "calibrated_thresholds",
    "is_loud",
    "thresholds_from",
    "unexplained_volume",
    "weissman_quantile",
]

PRICE_QUIET = "price_move_quiet"
"""Absolute Prophet score (residual z-score where there is none) of bars on ordinary volume."""
PRICE_LOUD = "price_move_loud"
"""The same of bars on heavy volume: usually news."""
EXCURSION = "excursion"
"""How far inside the session the bar left its closes."""
VOLUME_UP = "volume_up"
"""Volume z-score above what the price move explains."""
VOLUME_DOWN = "volume_down"
"""Volume z-score below zero, of bars without a notable price move."""
ISOLATION = "isolation"
"""Isolation Forest score."""

CALIBRATION_SESSIONS = 756
"""Sessions before a calibration that it uses: three years."""
_MINIMUM_ROWS = 1_000
"""Bars before a threshold is calibrated; until then the ceilings hold."""
_TAIL_SHARE = 0.01
"""Share of bars whose scores form the tail."""
_MINIMUM_TAIL = 20

LOUD_RATIO = 2.0
LOUD_ZSCORE = 2.0
"""Volume of twice its median, or two robust deviations above it, counts as heavy. On packaged history (19,131 bars) no
bar on ordinary volume moved by more than 4.2 after the market, while bars on heavy volume did up to 18."""


@dataclass(frozen=True, slots=True)
class _Limit:
    """Budget, floor and ceiling of one threshold."""

    budget: float
    floor: float
    ceiling: float


_LOW, _MEDIUM, _HIGH = Severity.LOW.value, Severity.MEDIUM.value, Severity.HIGH.value
_LIMITS: dict[tuple[str, str], _Limit] = {
    # Six measures share 0.6 % LOW and 0.24 % MEDIUM evenly; HIGH, which withholds a bar, gets one bar in 10,000.
    (PRICE_QUIET, _LOW): _Limit(1e-3, 3.0, 4.0),
    (PRICE_QUIET, _MEDIUM): _Limit(4e-4, 4.0, 5.0),
    (PRICE_QUIET, _HIGH): _Limit(1e-4, 6.0, 8.0),
    (PRICE_LOUD, _LOW): _Limit(1e-3, 4.0, 6.0),
    (PRICE_LOUD, _MEDIUM): _Limit(4e-4, 5.0, 7.0),
    (EXCURSION, _LOW): _Limit(1e-3, 3.0, 4.5),
    (EXCURSION, _MEDIUM): _Limit(4e-4, 4.0, 6.0),
    (VOLUME_UP, _LOW): _Limit(1e-3, 3.0, 4.0),
    # The ceiling keeps twentyfold volume in sight where a calm quarter is rare: it is 4.3 deviations at a scale of 0.7.
    (VOLUME_UP, _MEDIUM): _Limit(4e-4, 3.75, 4.25),
    (VOLUME_DOWN, _LOW): _Limit(1e-3, 3.0, 4.5),
    (VOLUME_DOWN, _MEDIUM): _Limit(4e-4, 4.0, 5.0),
    # A score of 1 cannot be reached: until calibrated, the forest raises nothing.
    (ISOLATION, _LOW): _Limit(1e-3, 0.6, 1.0),
    (ISOLATION, _MEDIUM): _Limit(4e-4, 0.65, 1.0),
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Thresholds in force from ``calibrated_on``: (measure, severity) -> score."""

    calibrated_on: dt.date
    values: dict[tuple[str, str], float] = field(repr=False)

    def at(self, measure: str, severity: Severity) -> float:
        """Score from which ``measure`` raises ``severity``; infinite where it never does."""
        return self.values.get((measure, severity.value), float("inf"))

    def severity(self, measure: str, score: float | None) -> Severity | None:
        """The highest severity that ``score`` reaches; None below all of them and for no score."""
        if score is None:
            return None
        reached = [
            level for level in (Severity.HIGH, Severity.MEDIUM, Severity.LOW) if score >= self.at(measure, level)
        ]
        return reached[0] if reached else None


def is_loud() -> pl.Expr:
    """Whether a bar's volume is heavy; False where the volume is unknown."""
    return (
        (pl.col("volume_log_ratio") >= float(np.log(LOUD_RATIO))) | (pl.col("volume_zscore") >= LOUD_ZSCORE)
    ).fill_null(value=False)


def unexplained_volume() -> pl.Expr:
    """Volume z-score less one deviation per volatility of price move beyond the first; needs ``price_score``."""
    explained = (pl.col("price_score").abs().fill_null(0.0) - 1.0).clip(lower_bound=0.0)
    return pl.col("volume_zscore") - explained


def weissman_quantile(scores: npt.NDArray[np.float64], share: float, rows: int) -> float:
    """Score that a share of ``rows`` bars exceeds.

    Parameters
    ----------
    scores : array of shape (n,)
        Positive scores of some of the bars; the others' count as smaller.
    share : float
        Probability to exceed, of all bars.
    rows : int
        All bars, at least n.
    """
    tail = min(max(_MINIMUM_TAIL, int(_TAIL_SHARE * rows)), len(scores))
    largest = np.sort(scores)[len(scores) - tail :]
    gamma = float(np.mean(np.log(largest / largest[0])))
    return float(largest[0] * (tail / (rows * share)) ** gamma)


def calibrated_thresholds(scores: pl.DataFrame, calibrated_on: dt.date) -> pl.DataFrame:
    """Thresholds from bars before ``calibrated_on``.

    Parameters
    ----------
    scores : pl.DataFrame
        One row per bar of the trailing window that is not known to be wrong: price_score, volume_zscore,
        volume_log_ratio, excursion_zscore, isolation_score; each may be null.
    calibrated_on : date
        First session that the thresholds judge.

    Returns
    -------
    pl.DataFrame
        Rows of ``quality.thresholds``. Below 1,000 bars, the ceilings with ``rows`` 0.
    """
    samples = _samples(scores)
    records = []
    for (measure, severity), limit in _LIMITS.items():
        values, rows = samples[measure]
        is_enough = rows >= _MINIMUM_ROWS and len(values) >= _MINIMUM_TAIL
        found = weissman_quantile(values, limit.budget, rows) if is_enough else limit.ceiling
        records.append(
            {
                "calibrated_on": calibrated_on,
                "measure": measure,
                "severity": severity,
                "threshold": min(max(found, limit.floor), limit.ceiling),
                "budget": limit.budget,
                "rows": rows if is_enough else 0,
            }
        )
    return pl.DataFrame(records, schema=THRESHOLDS.polars_schema)


def _samples(scores: pl.DataFrame) -> dict[str, tuple[npt.NDArray[np.float64], int]]:
    price = pl.col("price_score").abs()
    loud = is_loud()
    # On news days volume and price both move and neither is wrong.
    calm = (price < _LIMITS[PRICE_QUIET, _MEDIUM].floor).fill_null(value=True)
    chosen = {
        PRICE_QUIET: (pl.when(~loud).then(price), price),
        PRICE_LOUD: (pl.when(loud).then(price), price),
        EXCURSION: (pl.col("excursion_zscore"), pl.col("excursion_zscore")),
        VOLUME_UP: (unexplained_volume(), pl.col("volume_zscore")),
        VOLUME_DOWN: (pl.when(calm).then(-pl.col("volume_zscore")), pl.col("volume_zscore")),
        ISOLATION: (pl.col("isolation_score"), pl.col("isolation_score")),
    }
    found = {}
    for measure, (sample, all_bars) in chosen.items():
        values = scores.select(sample.alias("x")).filter(pl.col("x") > 0)["x"].to_numpy()
        found[measure] = (values, int(scores.select(all_bars.is_not_null().sum()).item()))
    return found


def thresholds_from(frame: pl.DataFrame) -> list[Thresholds]:
    """Thresholds of each calibration date in rows of ``quality.thresholds``, oldest first."""
    return [
        Thresholds(date, {(row["measure"], row["severity"]): row["threshold"] for row in group.iter_rows(named=True)})
        for (date,), group in frame.sort("calibrated_on").group_by("calibrated_on", maintain_order=True)
    ]
