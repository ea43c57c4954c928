from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
import talib

from quant_assets.features.panel import computed
from quant_assets.features.versions import version_1, version_2
from quant_assets.foundation.errors import DataError

NOT_WINDOWED = {"day_of_week", "is_month_end", "high_low_range", "intraday_return_1d", "obv"}
BARS = ("symbol", "date", "open", "high", "low", "close", "volume")


def constant_bars(make_bars, count=300, price=12.3):
    """Symbol C at one price throughout, beside a market that moves."""
    moving = make_bars(("M",), count=count)
    flat = moving.with_columns(symbol=pl.lit("C"), **dict.fromkeys(("open", "high", "low", "close"), pl.lit(price)))
    return pl.concat([flat, moving])


def test_a_symbol_with_one_bar_has_only_what_one_bar_tells(make_bars, features_of):
    """One bar gives its own ratios and the start of on-balance volume; everything else is null."""
    bars = pl.concat([make_bars(("A",), count=300).tail(1), make_bars(("M",), count=300)])
    one = features_of(bars, 2).filter(pl.col("symbol") == "A")
    known = {name for name in one.columns if one[name][0] is not None} - set(BARS)
    assert known == NOT_WINDOWED
    assert one["obv"][0] == one["volume"][0]


def test_a_symbol_that_starts_late_warms_up_on_its_own(make_bars, features_of):
    """A symbol that joins an old universe is null until its own windows are full; nothing comes from another symbol."""
    late = make_bars(("A", "M"), count=300).filter((pl.col("symbol") == "M") | (pl.col("date") > dt.date(2010, 6, 1)))
    found = features_of(late, 2).filter(pl.col("symbol") == "A")
    first = {name: found[name].is_not_null().arg_max() for name in ("sma_50", "rsi_14", "adx_14", "price_change_1d")}
    assert first == {"sma_50": 49, "rsi_14": 14, "adx_14": 27, "price_change_1d": 1}
    assert found["momentum_12_1"].null_count() == found.height


def test_constant_prices_leave_undefined_values_null(make_bars, features_of):
    """Where nothing moves, RSI, band position, oscillators and correlations are null, and means are the price."""
    found = features_of(constant_bars(make_bars), 2).filter(pl.col("symbol") == "C")
    undefined = [
        *("rsi_14", "bb_position", "stochastic_k_14", "williams_r_14", "cci_20", "mfi_14", "adx_14", "plus_di_14"),
        *("return_skewness_60", "return_autocorrelation_60", "market_correlation_252", "volatility_term_ratio"),
    ]
    for name in undefined:
        assert found[name].null_count() == found.height, name
    last = found.row(-1, named=True)
    assert last["sma_20"] == last["bb_upper"] == last["bb_lower"] == 12.3
    zeros = ["bb_width", "price_change_5d", "macd", "realised_volatility_ann_60", "natr_14", "market_beta_252"]
    zeros += ["high_low_range", "drawdown_252d", "yang_zhang_volatility_ann_20", "idiosyncratic_volatility_ann_252"]
    assert {name: last[name] for name in zeros} == pytest.approx(dict.fromkeys(zeros, 0.0), abs=1e-13)


def test_steady_growth_has_no_shape(make_bars, features_of):
    """Prices that grow by the same rate on every bar have no skewness, autocorrelation or correlation, only a trend."""
    market = make_bars(("M",), count=320)
    price = 10.0 * 1.001 ** pl.int_range(pl.len())
    growing = market.with_columns(price.alias(name) for name in ("open", "high", "low", "close"))
    found = features_of(pl.concat([growing.with_columns(symbol=pl.lit("G")), market]), 2).filter(symbol="G")
    names = ("return_skewness_60", "return_autocorrelation_60", "market_correlation_252", "volatility_term_ratio")
    assert {name: found[name].null_count() for name in names} == dict.fromkeys(names, 320)
    assert found["price_change_20d"][-1] == pytest.approx(1.001**20 - 1)


def test_a_pinned_close_loses_its_rsi(make_bars, features_of):
    """RSI keeps its ratio while its averages mean something, is null from 1e-12 of the close on, and comes back."""
    bars = make_bars(("A", "M"), count=900)
    dates = bars["date"].unique().sort()
    pinned = (pl.col("symbol") == "A") & pl.col("date").is_between(dates[200], dates[799])
    price = bars.filter(symbol="A")["close"][199]
    bars = bars.with_columns(
        close=pl.when(pinned).then(price).otherwise("close"),
        high=pl.when(pinned).then(pl.max_horizontal("high", pl.lit(price))).otherwise("high"),
        low=pl.when(pinned).then(pl.min_horizontal("low", pl.lit(price))).otherwise("low"),
    )
    one = bars.filter(symbol="A")
    expected = talib.RSI(one["close"].to_numpy(), 14)
    moves = np.diff(one["close"].to_numpy())
    level = np.abs(moves[:14]).mean()
    for i in range(15, 900):
        level = (level * 13 + abs(moves[i - 1])) / 14
        if level < 1e-12 * one["close"][i]:
            expected[i] = np.nan
    assert 200 < np.isnan(expected).sum() < 400
    for version in (1, 2):
        found = features_of(bars, version).filter(pl.col("symbol") == "A")["rsi_14"].to_numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_bars_without_movement_count_as_no_direction(make_bars, features_of):
    """A symbol that begins with 90 bars at one price has TA-Lib's directional index once its prices have a range."""
    bars = make_bars(("A", "M"), count=300)
    still = (pl.col("symbol") == "A") & (pl.col("date") < bars["date"].unique().sort()[90])
    prices = ("open", "high", "low", "close")
    bars = bars.with_columns(pl.when(still).then(50.0).otherwise(name).alias(name) for name in prices)
    one = bars.filter(symbol="A")
    found = features_of(bars, 2).filter(pl.col("symbol") == "A")
    columns = [one[name].to_numpy() for name in ("high", "low", "close")]
    for name, function in (("plus_di_14", talib.PLUS_DI), ("minus_di_14", talib.MINUS_DI), ("adx_14", talib.ADX)):
        assert found[name][:90].null_count() == 90, name
        np.testing.assert_allclose(found[name].to_numpy()[90:], function(*columns, 14)[90:], rtol=1e-9, err_msg=name)


def test_weeks_without_volume_leave_ratios_of_volume_null(make_bars, features_of):
    """Zero volume for six weeks: means are 0, ratios to them null, Amihud null once no bar of its window traded."""
    bars = make_bars(("A", "M"), count=300)
    dates = bars["date"].unique().sort()
    halt = pl.col("date").is_between(dates[200], dates[230])
    quiet = bars.with_columns(volume=pl.when(halt & (pl.col("symbol") == "A")).then(0.0).otherwise(pl.col("volume")))
    found = features_of(quiet, 2).filter(pl.col("symbol") == "A")
    inside = found.filter(pl.col("date") == dates[225]).row(0, named=True)
    assert inside["volume_sma_20"] == 0.0
    for name in ("volume_ratio", "obv_change_20d", "mfi_14", "amihud_illiquidity_20", "dollar_volume_zscore_60"):
        assert inside[name] is None, name
    assert found.filter(pl.col("date") == dates[210])["amihud_illiquidity_20"][0] is not None
    assert found["obv"].null_count() == 0
    assert found.filter(pl.col("date") == dates[299])["dollar_volume_zscore_60"][0] is not None


def test_unknown_volume_leaves_what_needs_it_null(make_bars, features_of):
    """An index without volumes has every price indicator and no volume indicator."""
    bars = make_bars(("A", "M"), count=120).with_columns(
        volume=pl.when(pl.col("symbol") == "A").then(None).otherwise(pl.col("volume"))
    )
    found = features_of(bars, 2).filter(pl.col("symbol") == "A")
    for name in ("volume_sma_20", "volume_ratio", "obv", "mfi_14", "obv_change_20d", "amihud_illiquidity_20"):
        assert found[name].null_count() == found.height, name
    assert found["rsi_14"].null_count() == 14


@pytest.mark.parametrize("version", [1, 2])
def test_one_unknown_volume_leaves_that_bars_balance_null(make_bars, features_of, version):
    """On-balance volume is null on the bar without a volume and goes on after it as if it had traded nothing."""
    bars = make_bars(("A", "M"), count=120)
    hit = (pl.col("symbol") == "A") & (pl.col("date") == bars["date"].unique().sort()[60])
    unknown, none = (
        features_of(bars.with_columns(volume=pl.when(hit).then(volume).otherwise("volume")), version)
        .filter(symbol="A")["obv"]
        .to_list()
        for volume in (None, 0.0)
    )
    assert unknown == [*none[:60], None, *none[61:]]


def test_windows_count_bars_over_gaps(make_bars, features_of):
    """A symbol that was halted is computed over its own bars: gaps neither count nor become null."""
    bars = make_bars(("A", "M"), count=300)
    dates = bars["date"].unique().sort()
    halted = bars.filter((pl.col("symbol") == "M") | ~pl.col("date").is_between(dates[150], dates[199]))
    found = features_of(halted, 2).filter(pl.col("symbol") == "A")
    close = found["close"].to_numpy()
    assert found.height == 250
    np.testing.assert_allclose(found["sma_50"].to_numpy()[160], close[111:161].mean(), rtol=1e-12)
    assert found["price_change_1d"][150] == close[150] / close[149] - 1


def test_beta_over_a_halt_compares_the_same_days(make_bars, features_of):
    """After a halt the market's return covers the halt as well, so a symbol that is the market keeps beta 1."""
    market = make_bars(("M",), count=320)
    dates = market["date"].sort()
    twin = market.with_columns(symbol=pl.lit("T")).filter(~pl.col("date").is_between(dates[280], dates[290]))
    found = features_of(pl.concat([market, twin]), 2).filter(pl.col("symbol") == "T")
    assert found["market_beta_252"].drop_nulls().to_numpy() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("days_missing", [[280], [300, 301, 302], [60, 290, 310]])
def test_a_missing_bar_of_the_market_is_not_guessed(make_bars, features_of, days_missing):
    """A twin of the market keeps beta 1, correlation 1 and no residual over a market bar withheld on a day of +8 %."""
    market = make_bars(("M",), count=330)
    dates = market["date"].sort()
    for day in days_missing:
        jumped = pl.col("date") >= dates[day]
        market = market.with_columns(
            pl.when(jumped).then(pl.col(name) * 1.08).otherwise(name).alias(name)
            for name in ("open", "high", "low", "close")
        )
    twin = market.with_columns(symbol=pl.lit("T"))
    known = market.filter(~pl.col("date").is_in([dates[day] for day in days_missing]))
    found = features_of(pl.concat([known, twin]), 2).filter(pl.col("symbol") == "T")[252:]
    assert found.height == 78
    np.testing.assert_allclose(found["market_beta_252"].to_numpy(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(found["market_correlation_252"].to_numpy(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(found["idiosyncratic_volatility_ann_252"].to_numpy(), 0.0, atol=1e-12)


def test_a_market_symbol_that_ended_is_forgotten(make_bars, features_of):
    """After the market's last bar its relations last as long as 200 pairs of the window are known, 52 sessions."""
    bars = make_bars(("A", "M"), count=360)
    dates = bars["date"].unique().sort()
    ended = bars.filter((pl.col("symbol") == "A") | (pl.col("date") <= dates[270]))
    found = features_of(ended, 2).filter(pl.col("symbol") == "A")
    for name in ("market_beta_252", "market_correlation_252", "idiosyncratic_volatility_ann_252"):
        assert found["date"].filter(found[name].is_not_null()).to_list() == dates[252:323].to_list(), name


def test_without_a_market_symbol_its_features_are_null(make_bars, features_of):
    """A universe without a market has null betas and is otherwise complete."""
    found = features_of(make_bars(("A",), count=300), 2, market="")
    assert found["market_beta_252"].null_count() == found.height
    assert found["momentum_12_1"].null_count() == 252


def test_a_delisted_symbol_keeps_its_history(make_bars, features_of):
    """Rows of a symbol that ended stay and do not depend on those that go on."""
    bars = make_bars(("A", "M"), count=300)
    ended = bars.filter((pl.col("symbol") == "M") | (pl.col("date") < dt.date(2010, 9, 1)))
    before = features_of(bars, 2).filter(pl.col("symbol") == "A", pl.col("date") < dt.date(2010, 9, 1))
    assert features_of(ended, 2).filter(pl.col("symbol") == "A").equals(before)


def test_zero_prices_never_become_infinite(make_bars, features_of):
    """A close of 0, which no filter should let through, gives nulls instead of infinities."""
    bars = make_bars(("A", "M"), count=300)
    broken = bars.with_columns(
        pl.when((pl.col("symbol") == "A") & (pl.col("date") == dt.date(2010, 12, 1)))
        .then(0.0)
        .otherwise(pl.col(name))
        .alias(name)
        for name in ("open", "low", "close")
    )
    found = features_of(broken, 2).select(pl.col(pl.Float64))
    assert found.select(pl.all().is_infinite().any()).row(0) == (False,) * found.width
    assert found.select(pl.all().is_nan().any()).row(0) == (False,) * found.width


def test_no_bars_give_no_rows(make_bars, aligned):
    """An empty price table gives an empty store with all its columns."""
    for version in (version_1(), version_2()):
        found = computed(version, aligned(make_bars()).clear())
        assert found.height == 0
        assert tuple(found.columns) == version.column_names


def test_rows_in_any_order_give_the_same_store(make_bars, aligned):
    """The order in which bars come does not matter."""
    bars = aligned(make_bars(count=100))
    assert computed(version_2(), bars.sample(fraction=1.0, shuffle=True, seed=1)).equals(computed(version_2(), bars))


def test_two_bars_for_one_session_are_refused(make_bars):
    """A repeated bar stops the build with the symbol and the session."""
    bars = make_bars(("A",), count=10)
    with pytest.raises(DataError, match="A has two bars for 2010-01-08; remove one of them"):
        computed(version_1(), pl.concat([bars, bars.filter(pl.col("date") == dt.date(2010, 1, 8))]))
