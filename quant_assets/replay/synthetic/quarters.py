"""When things happen to a symbol: a plan of 63-session quarters, each with fixed places for each kind of event.

The places keep events apart by construction (an anomaly never touches a split or a halt), and each quarter has draws
of its own, so that a longer plan starts with the shorter one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quant_assets.replay.synthetic.anomalies import AnomalyKind, Distortion, draw_distortion
from quant_assets.replay.synthetic.parameters import EventRates
from quant_assets.replay.synthetic.streams import Purpose, stream

__all__ = ["QUARTER", "Plan", "plan_events", "unlisted_splits"]

QUARTER = 63
"""Sessions of a quarter."""
_ANOMALY_FROM, _ANOMALY_PLACES = 4, 35
_RESTATEMENT_AT = 50
_SPLIT_AT = 52
_HALT_FROM = 55
_SPLIT_WITH_DIVIDEND = 0.1
"""Share of splits that take effect on the ex-date of a dividend."""
_SESSIONS_A_YEAR = 252
_FIRST_LISTING, _LAST_LISTING = 60, 1250


@dataclass(frozen=True, slots=True)
class Plan:
    """Positions (sessions from the start, which may lie beyond the end) of everything that happens to a symbol.

    ``reviews`` are the sessions at which a split is considered, with a draw that decides its ratio; ``halts`` have a
    first session and a length; ``restatements`` have two draws each. The symbol trades from ``listed`` up to, not
    including, ``delisted``.
    """

    dividends: npt.NDArray[np.int64]
    reviews: list[tuple[int, float]]
    anomalies: list[tuple[int, Distortion]]
    halts: list[tuple[int, int]]
    restatements: list[tuple[int, float, float]]
    listed: int
    delisted: int


def plan_events(rates: EventRates, seed: int, number: int, sessions: int) -> Plan:
    """Draw the plan of one symbol over at least ``sessions`` sessions."""
    pays, phase, is_late, delay, life = stream(seed, Purpose.LISTING, number).random(5).tolist()
    listed = 0
    if is_late < rates.late_listings:
        listed = _FIRST_LISTING + int(delay * (_LAST_LISTING - _FIRST_LISTING))
    delisted = listed + _SESSIONS_A_YEAR + _lifetime(life, rates.delistings_ann)
    draws = stream(seed, Purpose.QUARTERS, number).random((sessions // QUARTER + 1, 12))
    starts = int(phase * QUARTER) + QUARTER * np.arange(len(draws))
    anomalies = [
        (start + _ANOMALY_FROM + int(row[1] * _ANOMALY_PLACES), draw_distortion(row[2:5]))
        for start, row in _happening(starts, draws[:, 3:8], rates.anomalies)
    ]
    return Plan(
        dividends=starts if pays < rates.dividend_payers else starts[:0],
        reviews=[
            (start + (0 if row[1] < _SPLIT_WITH_DIVIDEND else _SPLIT_AT), float(row[2]))
            for start, row in _happening(starts, draws[:, 0:3], rates.split_reviews)
        ],
        # The bar before an anomaly must have traded, and the symbol must outlive it.
        anomalies=[
            (start, distortion)
            for start, distortion in anomalies
            if listed < start and start + distortion.sessions < delisted
        ],
        halts=[
            (start + _HALT_FROM, 2 + int(row[1] * 5)) for start, row in _happening(starts, draws[:, 8:10], rates.halts)
        ],
        restatements=[
            (start + _RESTATEMENT_AT, float(row[0] / rates.restatements), float(row[1]))
            for start, row in _happening(starts, draws[:, 10:12], rates.restatements)
        ],
        listed=listed,
        delisted=delisted,
    )


def _happening(
    starts: npt.NDArray[np.int64], draws: npt.NDArray[np.float64], probability: float
) -> list[tuple[int, npt.NDArray[np.float64]]]:
    """Quarters whose first draw lets something happen, each with its draws."""
    return [(int(starts[quarter]), draws[quarter]) for quarter in np.flatnonzero(draws[:, 0] < probability)]


def _lifetime(draw: float, delistings_ann: float) -> int:
    if delistings_ann <= 0:
        return 10**9
    hazard = 1 - (1 - delistings_ann) ** (1 / _SESSIONS_A_YEAR)
    return int(np.log1p(-draw) / np.log1p(-hazard))


def unlisted_splits(plan: Plan) -> list[tuple[int, float]]:
    """Splits that happen without being listed: the anomalies of that kind, with their factors."""
    return [
        (start, distortion.magnitude)
        for start, distortion in plan.anomalies
        if distortion.kind is AnomalyKind.MISSED_SPLIT
    ]
