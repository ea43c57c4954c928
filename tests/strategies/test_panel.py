"""A panel lines bars and actions up, and its derived series use the past only."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from quant_assets.foundation.errors import UsageError
from quant_assets.strategies import Indicators, PricePanel
from tests.support.price_panels import make_panel

DAYS = [dt.date(2024, 3, day) for day in (4, 5, 6, 7)]


@pytest.fixture
def bars():
    """Two symbols; B lists a day later and has a hole."""
    rows = [("A", day, 10.0 + i) for i, day in enumerate(DAYS)] + [("B", DAYS[1], 5.0), ("B", DAYS[3], 6.0)]
    return pl.DataFrame(
        [{"symbol": s, "date": d, "open": c, "high": c, "low": c, "close": c, "volume": 100} for s, d, c in rows]
    )


@pytest.fixture
def actions():
    """A split and two payments of A on one day, a dividend of B on a day without its bar, one long before."""
    return pl.DataFrame(
        {
            "symbol": ["A", "A", "A", "B", "A"],
            "effective_date": [DAYS[2], DAYS[2], DAYS[2], DAYS[2], dt.date(1999, 1, 4)],
            "kind": ["split", "dividend", "special_dividend", "dividend", "split"],
            "value": [2.0, 0.5, 0.25, 0.1, 3.0],
        }
    )


def test_long_tables_become_a_panel(bars, actions):
    """Each value stands at its session and symbol, holes are NaN, events of one day add up."""
    panel = PricePanel.from_frames(bars, actions)
    assert panel.symbols == ("A", "B")
    assert [day.item() for day in panel.dates] == DAYS
    np.testing.assert_array_equal(panel.close[:, 1], [np.nan, 5.0, np.nan, 6.0])
    assert (panel.split[2, 0], panel.dividend[2, 0], panel.dividend[2, 1]) == (2.0, 0.75, 0.1)
    assert panel.split.prod() == 2.0


def test_actions_make_no_sessions(bars):
    """An action on a day without any bar takes effect in the next session, in the shares of that session."""
    saturday, sunday = dt.date(2024, 3, 9), dt.date(2024, 3, 10)
    monday = pl.DataFrame(
        [{"symbol": "A", "date": dt.date(2024, 3, 11), **dict.fromkeys(("open", "high", "low", "close"), 7.0)}]
    ).with_columns(volume=pl.lit(100))
    weekend = pl.DataFrame(
        {
            "symbol": ["A", "A", "A"],
            "effective_date": [sunday, saturday, sunday],
            "kind": ["dividend", "dividend", "split"],
            "value": [0.25, 1.0, 2.0],
        }
    )
    panel = PricePanel.from_frames(pl.concat([bars, monday.select(bars.columns).cast(dict(bars.schema))]), weekend)
    assert [day.item() for day in panel.dates] == [*DAYS, dt.date(2024, 3, 11)]
    assert (panel.split[4, 0], panel.dividend[4, 0]) == (2.0, 1.0 / 2 + 0.25)
    assert panel.split[:4].prod() == 1.0
    assert not panel.dividend[:4].any()


def test_symbols_come_in_the_order_asked_for(bars):
    """The order of the request is the order of the columns; unknown symbols are named."""
    assert PricePanel.from_frames(bars, symbols=["B", "A"]).symbols == ("B", "A")
    with pytest.raises(UsageError, match="no price history for C; choose from A, B"):
        PricePanel.from_frames(bars, symbols=["A", "C"])


def test_marks_carry_the_last_price_through_holes_and_splits(bars, actions):
    """A missing bar is marked at the last close in today's shares, and nothing is known before the first."""
    panel = PricePanel.from_frames(bars, actions)
    np.testing.assert_array_equal(panel.mark[:, 1], [0.0, 5.0, 5.0, 6.0])
    panel.split[2, 1] = 2.0
    fresh = PricePanel(**{name: getattr(panel, name) for name in panel.__dataclass_fields__})
    np.testing.assert_array_equal(fresh.mark[:, 1], [0.0, 5.0, 2.5, 6.0])


def test_growth_reinvests_at_the_close_of_the_ex_date(bars, actions):
    """Two-for-one and 0.75 in cash at a close of 12 make 2 * (1 + 0.75 / 12) shares."""
    growth = PricePanel.from_frames(bars, actions).growth
    np.testing.assert_allclose(growth[:, 0], [1, 1, 2 * (1 + 0.75 / 12), 2 * (1 + 0.75 / 12)])


def test_later_events_change_no_earlier_value():
    """Total-return prices of a panel that ends earlier are the same bits."""
    panel = make_panel(200, 2, seed=1, gaps=0.1)
    cut = panel.until(panel.dates[120].item())
    assert np.array_equal(panel.total_return_close[:121], cut.total_return_close, equal_nan=True)
    assert np.array_equal(panel.mark[:121], cut.mark)
    assert np.array_equal(panel.total_return_open[:121], cut.total_return_open, equal_nan=True)


def test_dates_outside_the_history_are_refused(bars):
    """A start after the last session or an end before the first names what the history covers."""
    panel = PricePanel.from_frames(bars)
    assert panel.position(dt.date(2024, 3, 2), side="start") == 0
    assert panel.position(dt.date(2024, 3, 9), side="end") == 3
    for date, side in ((dt.date(2025, 1, 1), "start"), (dt.date(2020, 1, 1), "end")):
        with pytest.raises(UsageError, match="2024-03-04 to 2024-03-07"):
            panel.position(date, side=side)


def test_an_action_of_unknown_kind_is_refused(bars, actions):
    """A kind nobody has told the simulator how to book is an error, not ignored."""
    with pytest.raises(UsageError, match="unknown kind 'merger'"):
        PricePanel.from_frames(bars, actions.with_columns(kind=pl.lit("merger")))


def test_a_selection_keeps_the_sessions(bars):
    """Choosing symbols keeps the axis of sessions."""
    panel = PricePanel.from_frames(bars)
    assert panel.only(["B"]).close.shape == (4, 1)
    with pytest.raises(UsageError, match="choose from A, B"):
        panel.only(["Z"])


def test_indicators_are_computed_once_and_cannot_be_changed():
    """The same window is the same read-only array; volatility is that of a plain loop."""
    panel = make_panel(80, 1, seed=3, gaps=0.1)
    indicators = Indicators(panel)
    assert indicators.sma(5) is indicators.sma(5)
    with pytest.raises(ValueError, match="read-only"):
        indicators.sma(5)[0] = 1.0
    rows = np.flatnonzero(panel.has_bar[:, 0])
    steps = np.diff(np.log(panel.total_return_close[rows, 0]))
    found = indicators.volatility(20)[rows, 0]
    np.testing.assert_allclose(found[30], np.std(steps[10:30], ddof=1))
    assert np.isnan(found[19])
