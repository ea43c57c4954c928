from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.foundation.errors import UsageError
from quant_assets.regimes.parameter_sets import RegimeParameters, regimes_known_at
from quant_assets.regimes.states import STATES, Regime

DAYS = [dt.date(2020, 1, day) for day in (2, 3, 6, 7)]


@pytest.fixture
def rows():
    return pl.DataFrame({"date": DAYS[1:], "regime": ["bullish", "bearish", "bearish"]})


def test_parameters_are_those_of_the_newest_label(rows):
    """A session gets the set of the newest label dated that session or before, and the default before the first."""
    sets = RegimeParameters({state: f"for {state}" for state in STATES}, "default")
    asked = [DAYS[0], DAYS[1], dt.date(2020, 1, 4), DAYS[2], dt.date(2020, 2, 1)]
    assert sets.known_at(rows, asked) == ["default", "for bullish", "for bullish", "for bearish", "for bearish"]


def test_later_labels_change_nothing(rows):
    """What was known on a session does not depend on labels after it."""
    known = regimes_known_at(rows, DAYS[:3])
    assert known == regimes_known_at(rows.filter(pl.col("date") <= DAYS[2]), DAYS[:3])
    assert known == [None, Regime.BULLISH, Regime.BEARISH]


def test_a_set_for_each_regime_is_required():
    """A strategy that forgets a regime is told which one."""
    with pytest.raises(UsageError, match="high_volatility"):
        RegimeParameters(dict.fromkeys(STATES[:3], 1), 0)
