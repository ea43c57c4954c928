from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.regimes.refits import RefitEvery, model_version_name, refit_blocks, refit_date


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (RefitEvery.MONTH, dt.date(2008, 9, 1)),
        (RefitEvery.QUARTER, dt.date(2008, 7, 1)),
        (RefitEvery.YEAR, dt.date(2008, 1, 1)),
    ],
)
def test_refits_lie_on_calendar_dates(every, expected):
    """The model of a session is the one of its month, quarter or year."""
    assert refit_date(dt.date(2008, 9, 15), every) == expected


@given(days=st.lists(st.integers(0, 3000), min_size=2, max_size=60, unique=True), extra=st.integers(1, 400))
def test_a_longer_history_moves_no_border(days, extra):
    """Blocks of a history are those of a longer one, cut where the shorter ends."""
    dates = [dt.date(2000, 1, 3) + dt.timedelta(days=day) for day in sorted(days)]
    longer = [*dates, dates[-1] + dt.timedelta(days=extra)]
    for every in RefitEvery:
        short, long = refit_blocks(dates, 0, every), refit_blocks(longer, 0, every)
        assert [block[:2] for block in short] == [block[:2] for block in long[: len(short)]]
        assert [row for _, start, stop in short for row in range(start, stop)] == list(range(len(dates)))


def test_versions_name_kind_and_date():
    """A model's version says what it labels and since when."""
    assert model_version_name("market", dt.date(2008, 9, 1), RefitEvery.MONTH) == "regime-market-2008-09"
    assert model_version_name("symbols", dt.date(2008, 1, 1), RefitEvery.YEAR) == "regime-symbols-2008"
