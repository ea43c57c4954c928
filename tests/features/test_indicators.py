from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import talib

COLUMNS = [
    *("rsi_14", "macd", "macd_signal", "macd_hist", "bb_upper", "bb_middle", "bb_lower", "bb_width", "bb_position"),
    *("sma_5", "sma_10", "sma_20", "sma_50", "ema_12", "ema_26", "volume_sma_20", "volume_ratio", "obv"),
    *("price_change_1d", "price_change_5d", "price_change_20d", "high_low_range"),
]


def talib_indicators(bars):
    """The 22 indicators of one symbol by TA-Lib; ratios of them by hand."""
    high, low, close, volume = (bars[name].to_numpy() for name in ("high", "low", "close", "volume"))
    upper, middle, lower = talib.BBANDS(close, 20, 2, 2)
    macd, signal, hist = talib.MACD(close, 12, 26, 9)
    volume_mean = talib.SMA(volume, 20)
    return {
        "rsi_14": talib.RSI(close, 14),
        "macd": macd,
        "macd_signal": signal,
        "macd_hist": hist,
        "bb_upper": upper,
        "bb_middle": middle,
        "bb_lower": lower,
        "bb_width": (upper - lower) / middle,
        "bb_position": (close - lower) / (upper - lower),
        **{f"sma_{n}": talib.SMA(close, n) for n in (5, 10, 20, 50)},
        **{f"ema_{n}": talib.EMA(close, n) for n in (12, 26)},
        "volume_sma_20": volume_mean,
        "volume_ratio": volume / volume_mean,
        "obv": talib.OBV(close, volume),
        **{f"price_change_{n}d": talib.ROCP(close, n) for n in (1, 5, 20)},
        "high_low_range": (high - low) / close,
    }


def assert_equal_to(found, expected, close):
    """Same nulls; values to 1e-9 of themselves.

    Differences that may come near 0 are measured against a thousandth of what is subtracted (MACD, returns), the
    position between the bands against their width.
    """
    floors = dict.fromkeys(("macd", "macd_signal", "macd_hist"), 1e-3 * close)
    floors |= {f"price_change_{n}d": 1e-3 for n in (1, 5, 20)} | {"bb_position": 1.0}
    for name, values in expected.items():
        ours = found[name].to_numpy()
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(values), err_msg=name)
        floor = np.maximum(np.abs(values), floors.get(name, 0.0))
        worst = np.nanmax(np.abs(ours - values) / np.where(floor > 0, floor, 1.0))
        assert worst < 1e-9, f"{name} differs by {worst:.1e}"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("level", [1e-4, 50.0, 1e6])
def test_every_indicator_equals_talib(make_bars, features_of, version, level):
    """The 22 indicators of each symbol are TA-Lib's to 1e-9, nulls of the warm-up included, at any level of prices."""
    bars = make_bars(("A", "M"), count=300, level=level)
    found = features_of(bars, version)
    for symbol in ("A", "M"):
        one = bars.filter(pl.col("symbol") == symbol)
        assert_equal_to(found.filter(pl.col("symbol") == symbol), talib_indicators(one), one["close"].to_numpy())


def test_every_indicator_equals_talib_on_real_prices(real_bars, features_of):
    """The same holds on thirteen years of real prices."""
    found = features_of(real_bars, 1, market="IBM")
    for symbol in ("AAPL", "IBM", "MSFT"):
        one = real_bars.filter(pl.col("symbol") == symbol)
        assert_equal_to(found.filter(pl.col("symbol") == symbol), talib_indicators(one), one["close"].to_numpy())


def test_the_versions_agree_on_what_they_share(make_bars, features_of):
    """Version 2 carries every column of version 1 with the same values."""
    bars = make_bars(count=120)
    one = features_of(bars, 1)
    two = features_of(bars, 2)
    assert two.select(one.columns).equals(one)


def test_macd_begins_with_its_signal(make_bars, features_of):
    """MACD is null until its signal is known, at bar 34, although its two averages are known before."""
    found = features_of(make_bars(("M",), count=60), 1)
    first = {name: found[name].is_not_null().arg_true()[0] for name in ("macd", "macd_signal", "macd_hist", "ema_26")}
    assert first == {"macd": 33, "macd_signal": 33, "macd_hist": 33, "ema_26": 25}


def test_indicators_are_the_promised_ones(make_bars, features_of):
    """Version 1 has exactly the bars, the 22 indicators and the market's regime, in this order."""
    found = features_of(make_bars(("M",), count=30), 1)
    bars = ["symbol", "date", "open", "high", "low", "close", "volume"]
    assert found.columns == [*bars, *COLUMNS, "market_regime"]
    assert len(COLUMNS) == 22
