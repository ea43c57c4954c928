import datetime as dt

import numpy as np
import polars as pl
import pytest

from quant_assets.forecasts.history import price_history
from quant_assets.forecasts.parameters import ForecastSettings
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import DataError, UsageError
from tests.support.forecast_market import closes, history_of, sessions

EVERY = np.array([True, True])


def test_closes_lie_on_their_session_and_symbol():
    """Each close is found at its row and column, whatever the order of the frame."""
    frame = closes(["AA", "BB"], 40).sample(fraction=1.0, shuffle=True, seed=3)
    history = history_of(frame, ["BB", "AA"])
    assert history.sessions.tolist() == sessions(40)
    for row in (0, 17, 39):
        date = history.date(row)
        for column, symbol in enumerate(history.symbols):
            expected = frame.filter(pl.col("symbol") == symbol, pl.col("date") == date)["close"][0]
            assert history.prices[row, column] == expected


def test_a_missing_bar_keeps_the_last_price():
    """A gap, and a bar withheld on the last session, are bridged by the close before; the move comes with the next."""
    frame = closes(["AA", "BB"], 30)
    dates = sessions(30)
    gaps = (pl.col("symbol") == "AA") & pl.col("date").is_in([dates[10], dates[29]])
    history = history_of(frame.filter(~gaps), ["AA", "BB"])
    assert history.prices[10, 0] == history.prices[9, 0]
    assert history.prices[29, 0] == history.prices[28, 0]
    assert history.last_bar.tolist() == [28, 29]
    returns = history.known_returns(29, window=100, included=EVERY, seed=1)
    assert returns[9, 0] == 0
    both = frame.filter(pl.col("symbol") == "AA", pl.col("date").is_in([dates[9], dates[11]]))["close"].to_list()
    assert returns[10, 0] == pytest.approx(np.log(both[1] / both[0]))


def test_nothing_after_the_session_is_read():
    """Rows after the as-of date do not exist."""
    frame, end = closes(["AA"], 60), sessions(60)[39]
    early = price_history(frame, ["AA"], new_york_calendar(), end)
    assert len(early) == 40
    assert early.date(39) == end
    np.testing.assert_array_equal(early.prices, history_of(frame, ["AA"]).prices[:40])


def test_returns_start_with_the_oldest_holding_and_are_complete():
    """The window ends at the row; before a young symbol's first bar returns are filled, its own stay as they are."""
    frame = closes(["AA", "BB"], 100).filter((pl.col("symbol") == "AA") | (pl.col("date") >= sessions(100)[70]))
    history = history_of(frame, ["AA", "BB"])
    returns = history.known_returns(99, window=1_000, included=EVERY, seed=1)
    assert returns.shape == (99, 2)
    assert np.isfinite(returns).all()
    np.testing.assert_array_equal(returns[70:, 1], np.diff(np.log(history.prices[70:, 1])))
    assert history.known_returns(99, window=20, included=EVERY, seed=1).shape == (20, 2)


def test_bars_off_the_calendar_are_left_out():
    """A bar dated on a Sunday does not shift the others."""
    frame = closes(["AA"], 20)
    sunday = pl.DataFrame({"symbol": ["AA"], "date": [dt.date(2006, 1, 8)], "close": [1.0]})
    np.testing.assert_array_equal(
        history_of(pl.concat([frame, sunday]), ["AA"]).prices, history_of(frame, ["AA"]).prices
    )


def test_an_unknown_symbol_is_named():
    """A holding without a price by the session stops the forecast with the fix."""
    frame = closes(["AA", "BB"], 20)
    with pytest.raises(DataError, match="holds ZZ, which has no price"):
        history_of(frame, ["AA", "ZZ"])
    late = frame.filter((pl.col("symbol") == "AA") | (pl.col("date") > sessions(20)[15]))
    with pytest.raises(DataError, match="holds BB"):
        price_history(late, ["AA", "BB"], new_york_calendar(), sessions(20)[15])


@pytest.mark.parametrize("close", [0.0, -3.0, float("nan"), None])
def test_an_impossible_close_is_named(close):
    """A close that is no positive number is an error with symbol and date, never a silent zero."""
    date = sessions(20)[12]
    frame = closes(["AA"], 20).with_columns(
        pl.when(pl.col("date") == date).then(pl.lit(close, pl.Float64)).otherwise("close").alias("close")
    )
    with pytest.raises(DataError, match=f"AA on {date}"):
        history_of(frame, ["AA"])


@pytest.mark.parametrize("horizon", [0, -1, 10_000])
def test_an_impossible_horizon_is_refused(horizon):
    """Horizons run from 1 to 250 sessions."""
    with pytest.raises(UsageError, match="choose 1 to 250"):
        ForecastSettings(horizon_days=horizon)


def test_paths_shrink_with_the_number_of_holdings():
    """More holdings get fewer paths, never fewer than a usable tail needs."""
    settings = ForecastSettings()
    assert settings.paths_of_origin(3) == settings.paths_of_origin(20) == 2_000
    assert settings.paths_of_origin(40) == 1_000
    assert settings.paths_of_origin(500) == 250
    assert settings.paths_tonight(3) == 10_000
    assert settings.paths_tonight(500) == 2_000
