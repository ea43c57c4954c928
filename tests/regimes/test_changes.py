from __future__ import annotations

import datetime as dt

import numpy as np

from quant_assets.regimes.changes import change_positions, features_moved
from quant_assets.regimes.path import LabelledSeries, Standing
from quant_assets.regimes.threshold import THRESHOLD_VERSION, certain

NAMES = ("calm", "up", "still", "late")


def test_changes_are_counted_from_the_label_before():
    """The first row is a change only where the session before had another label."""
    states = np.array([1, 1, 2, 2, 1])
    assert change_positions(states, None).tolist() == [2, 4]
    assert change_positions(states, 0).tolist() == [0, 2, 4]


def test_features_that_moved_most_come_first():
    """A move is measured against the feature's sixty sessions before; missing and constant features are left out."""
    rng = np.random.default_rng(0)
    matrix = np.column_stack([rng.normal(0, 1, 65), rng.normal(0, 1, 65), np.ones(65), np.full(65, np.nan)])
    matrix[-5:, 1] += 4
    early, late = matrix[:60], matrix[60:]
    moves = (late.mean(axis=0) - early.mean(axis=0))[:2] / early.std(axis=0)[:2]
    assert features_moved(NAMES, matrix) == f"up {moves[1]:+.1f}, calm {moves[0]:+.1f}"


def test_short_history_has_no_features_to_compare():
    """With fewer than twenty sessions before, nothing is claimed."""
    assert not features_moved(NAMES, np.random.default_rng(0).normal(size=(20, 4)))


def test_change_rows_tell_before_after_and_cause():
    """A row names both labels, the new one's probability, and whether evidence or a new model caused it."""
    dates = [dt.date(2000, 1, 3) + dt.timedelta(days=i) for i in range(5)]
    versions = (THRESHOLD_VERSION, "m", "m")
    series = LabelledSeries(2, certain(np.array([0, 1, 2])), np.array([0, 1, 2]), versions, Standing(dates[1], 3, None))
    rows = series.changes("market", dates, NAMES, np.zeros((5, 4)))
    assert [(row["date"], row["before"], row["after"], row["cause"]) for row in rows] == [
        (dates[2], "high_volatility", "bullish", "evidence"),
        (dates[3], "bullish", "bearish", "first_model"),
        (dates[4], "bearish", "sideways", "evidence"),
    ]
    assert {row["probability"] for row in rows} == {1.0}
