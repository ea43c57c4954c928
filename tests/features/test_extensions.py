from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
import talib
from scipy.stats import skew

from quant_assets.features.panel import computed
from quant_assets.features.versions import version_2
from quant_assets.foundation.calendar import new_york_calendar

YEAR = math.sqrt(252.0)


@pytest.fixture(scope="module")
def bars(make_bars):
    return make_bars(("A", "M"), count=420)


@pytest.fixture
def found(bars, features_of):
    """Features of symbol A as pandas columns."""
    return features_of(bars, 2).filter(pl.col("symbol") == "A").to_pandas()


@pytest.fixture
def raw(bars):
    """Bars of symbol A, with returns, as pandas columns."""
    frame = bars.filter(pl.col("symbol") == "A").to_pandas()
    market = bars.filter(pl.col("symbol") == "M").to_pandas()
    frame["market_return"] = market["close"].pct_change()
    frame["simple_return"] = frame["close"].pct_change()
    frame["log_return"] = np.log(frame["close"]).diff()
    frame["night"] = np.log(frame["open"] / frame["close"].shift(1))
    frame["day"] = np.log(frame["close"] / frame["open"])
    frame["range"] = np.log(frame["high"] / frame["low"])
    return frame


def assert_same(found, expected, name, rtol=1e-9, atol=1e-12):
    np.testing.assert_allclose(
        found[name].to_numpy(float), np.asarray(expected, float), rtol=rtol, atol=atol, err_msg=name
    )


def test_directional_movement_equals_talib(found, raw):
    """ADX and both directional indicators are TA-Lib's, from the same bar on."""
    prices = [raw[name].to_numpy() for name in ("high", "low", "close")]
    assert_same(found, talib.PLUS_DI(*prices, 14), "plus_di_14")
    assert_same(found, talib.MINUS_DI(*prices, 14), "minus_di_14")
    assert_same(found, talib.ADX(*prices, 14), "adx_14")


def test_oscillators_equal_talib(found, raw):
    """Stochastic, Williams %R, CCI, money flow index and normalised ATR are TA-Lib's."""
    prices = [raw[name].to_numpy() for name in ("high", "low", "close")]
    slow_k, slow_d = talib.STOCHF(*prices, 14, 3)
    # TA-Lib gives %K only from the bar on which %D is known; ours begins two bars before.
    assert_same(found[15:], slow_k[15:], "stochastic_k_14")
    assert found["stochastic_k_14"].first_valid_index() == 13
    assert_same(found, slow_d, "stochastic_d_14")
    assert_same(found, talib.WILLR(*prices, 14), "williams_r_14")
    assert_same(found, talib.CCI(*prices, 20), "cci_20", atol=1e-9)
    assert_same(found, talib.MFI(*prices, raw["volume"].to_numpy(), 14), "mfi_14")
    assert_same(found, talib.NATR(*prices, 14), "natr_14")


def test_ties_of_ticks_are_ties_at_any_factor(features_of, sessions):
    """Directional movement, money flow and on-balance volume of adjusted ticks are those counted in whole ticks."""
    generator, count = np.random.default_rng(11), 600
    close = 500 + np.cumsum(generator.integers(-2, 3, count))
    high, low = close + generator.integers(0, 3, count), close - generator.integers(0, 3, count)
    volume = generator.integers(1_000, 9_000, count).astype(float)
    factor = 0.98765 * 0.0037
    frame = pl.DataFrame({"symbol": ["A"] * count, "date": sessions(count), "open": close * factor})
    frame = frame.with_columns(high=pl.Series(high * factor), low=pl.Series(low * factor), volume=pl.Series(volume))
    found = features_of(frame.with_columns(close=pl.Series(close * factor)), 2).to_pandas()
    rise, fall = np.diff(high, prepend=high[0]), -np.diff(low, prepend=low[0])
    assert np.count_nonzero((rise == fall) & (rise > 0)) > 10
    flow = np.sign(np.diff(high + low + close, prepend=0)) * (high + low + close) * volume
    sums = pd.DataFrame({"up": np.maximum(flow, 0), "down": np.maximum(-flow, 0)}).rolling(14).sum()
    expected = 100 * sums["up"] / (sums["up"] + sums["down"])
    assert_same(found[14:], expected[14:], "mfi_14", rtol=1e-11)
    signed = pd.Series(np.sign(np.diff(close, prepend=close[0])) * volume)
    expected = signed.rolling(20).sum() / pd.Series(volume).rolling(20).sum()
    assert_same(found[20:], expected[20:], "obv_change_20d", rtol=1e-11)
    columns = [np.ascontiguousarray(prices * factor) for prices in (high, low, close)]
    plus = np.where((rise > fall) & (rise > 0), rise * factor, 0.0)
    minus = np.where((fall > rise) & (fall > 0), fall * factor, 0.0)
    ranges = talib.TRANGE(*columns)
    assert_same(found, 100 * wilder_sums(plus) / wilder_sums(ranges), "plus_di_14", rtol=1e-11)
    assert_same(found, 100 * wilder_sums(minus) / wilder_sums(ranges), "minus_di_14", rtol=1e-11)


def wilder_sums(values):
    """Wilder's sum over 14 bars, the slow way: the first bar has no value, 13 seed it."""
    sums = np.full(len(values), np.nan)
    level = sum(values[1:14])
    for i in range(14, len(values)):
        level = level - level / 14 + values[i]
        sums[i] = level
    return sums


def test_returns_equal_pandas(found, raw):
    """Rates of change, momentum and the split of returns into night and day are pandas' percentage changes."""
    close = raw["close"]
    assert_same(found, close.pct_change(10), "rate_of_change_10d")
    assert_same(found, close.pct_change(60), "rate_of_change_60d")
    assert_same(found, close.shift(21) / close.shift(252) - 1, "momentum_12_1")
    assert_same(found, close / close.rolling(252).max() - 1, "drawdown_252d")
    assert_same(found, raw["open"] / close.shift(1) - 1, "overnight_return_1d")
    assert_same(found, close / raw["open"] - 1, "intraday_return_1d")
    nights = (raw["open"] / close.shift(1)).rolling(20).apply(np.prod) - 1
    days = (close / raw["open"]).rolling(20).apply(np.prod) - 1
    assert_same(found, nights, "overnight_return_20d")
    assert_same(found, days, "intraday_return_20d")


def test_night_and_day_compound_to_the_return(found):
    """The last 20 nights and days together are the return of 20 bars."""
    together = (1 + found["overnight_return_20d"]) * (1 + found["intraday_return_20d"]) - 1
    assert_same(found, together, "price_change_20d")


def test_shape_of_returns_equals_pandas_and_scipy(found, raw):
    """Skewness is SciPy's population skewness, autocorrelation is pandas' over 60 pairs."""
    assert_same(found, raw["log_return"].rolling(60).apply(skew, raw=True), "return_skewness_60")
    pairs = raw["log_return"].rolling(60).corr(raw["log_return"].shift(1))
    assert_same(found, pairs, "return_autocorrelation_60", rtol=1e-7, atol=1e-9)


def test_volatilities_equal_their_formulas(found, raw):
    """Each estimator is its published formula, written out over pandas windows."""
    log_return, night, day, span = raw["log_return"], raw["night"], raw["day"], raw["range"]
    assert_same(found, YEAR * log_return.rolling(20).std(), "realised_volatility_ann_20")
    assert_same(found, YEAR * log_return.rolling(60).std(), "realised_volatility_ann_60")
    assert_same(found, log_return.rolling(20).std() / log_return.rolling(60).std(), "volatility_term_ratio")
    downside = log_return.clip(upper=0) ** 2
    assert_same(found, YEAR * np.sqrt(downside.rolling(60).mean()), "downside_deviation_ann_60")
    parkinson = (span**2).rolling(20).sum() / (4 * 20 * math.log(2))
    assert_same(found, YEAR * np.sqrt(parkinson), "parkinson_volatility_ann_20")
    garman_klass = (0.5 * span**2 - (2 * math.log(2) - 1) * day**2).rolling(20).mean()
    assert_same(found, YEAR * np.sqrt(garman_klass), "garman_klass_volatility_ann_20")
    up, down = np.log(raw["high"] / raw["open"]), np.log(raw["low"] / raw["open"])
    rogers_satchell = (up * (up - day) + down * (down - day)).rolling(20).mean()
    k = 0.34 / (1.34 + 21 / 19)
    yang_zhang = night.rolling(20).var() + k * day.rolling(20).var() + (1 - k) * rogers_satchell
    assert_same(found, YEAR * np.sqrt(yang_zhang), "yang_zhang_volatility_ann_20")


def test_estimators_find_the_volatility_of_a_random_walk():
    """On a finely sampled random walk without nights every estimator comes near the true volatility."""
    generator, steps, count, true = np.random.default_rng(3), 400, 1500, 0.2
    moves = true / YEAR / math.sqrt(steps) * generator.standard_normal((count, steps))
    path = np.exp(np.cumsum(moves.ravel()).reshape(count, steps))
    open_ = np.concatenate([[1.0], path[:-1, -1]])
    whole = np.column_stack([open_, path])
    frame = pl.DataFrame(
        {
            "symbol": ["A"] * count,
            "date": pl.date_range(pl.date(2000, 1, 1), pl.date(2000, 1, 1) + pl.duration(days=count - 1), eager=True),
            "open": open_,
            "high": whole.max(axis=1),
            "low": whole.min(axis=1),
            "close": path[:, -1],
            "volume": np.ones(count),
            "market_close": path[:, -1],
            "dollar_volume": np.ones(count),
        }
    )
    found = computed(version_2(), frame)
    # Sampling 400 times a day hides a little of the range, which takes up to 4 % off the range estimators.
    for name in ("realised_volatility_ann_20", "parkinson_volatility_ann_20", "garman_klass_volatility_ann_20"):
        assert math.sqrt(float((found[name] ** 2).mean())) == pytest.approx(true, rel=0.06), name
    assert math.sqrt(float((found["yang_zhang_volatility_ann_20"] ** 2).mean())) == pytest.approx(true, rel=0.06)


def test_trading_measures_equal_their_formulas(found, raw):
    """Amihud's ratio, the z-score of the value traded and the change of on-balance volume are their formulas."""
    traded = raw["close"] * raw["volume"]
    assert_same(found, (raw["simple_return"].abs() / (traded / 1e6)).rolling(20).mean(), "amihud_illiquidity_20")
    logarithm = np.log(traded)
    score = (logarithm - logarithm.rolling(60).mean()) / logarithm.rolling(60).std()
    assert_same(found, score, "dollar_volume_zscore_60", atol=1e-9)
    obv = pd.Series(talib.OBV(raw["close"].to_numpy(), raw["volume"].to_numpy()))
    assert_same(found, obv.diff(20) / raw["volume"].rolling(20).sum(), "obv_change_20d", atol=1e-9)


def test_market_relation_equals_pandas(found, raw):
    """Beta, correlation and unexplained volatility are pandas' covariances and the residuals of least squares."""
    own, market = raw["simple_return"], raw["market_return"]
    beta = own.rolling(252).cov(market) / market.rolling(252).var()
    assert_same(found, beta, "market_beta_252", rtol=1e-8)
    assert_same(found, own.rolling(252).corr(market), "market_correlation_252", rtol=1e-8)
    explained = own.rolling(252).corr(market) ** 2
    residual = np.sqrt(own.rolling(252).var() * (1 - explained) * 251 / 250)
    assert_same(found, YEAR * residual, "idiosyncratic_volatility_ann_252", rtol=1e-7)


def test_market_relation_over_missing_bars_equals_least_squares(bars, raw, features_of):
    """Where the market or the symbol lacks bars, it is NumPy's least squares of the returns between common bars."""
    generator = np.random.default_rng(12)
    is_dropped = pl.Series(generator.random(bars.height) < 0.08)
    known = bars.filter(~is_dropped)
    found = features_of(known, 2).filter(pl.col("symbol") == "A").to_pandas()
    market = known.filter(pl.col("symbol") == "M").to_pandas().set_index("date")["close"]
    own = known.filter(pl.col("symbol") == "A").to_pandas().set_index("date")["close"]
    expected = np.full((3, len(own)), np.nan)
    for i in range(252, len(own)):
        window = own.index[i - 252 : i + 1]
        common = window[window.isin(market.index)]
        y, x = own[common].pct_change().to_numpy()[1:], market[common].pct_change().to_numpy()[1:]
        if len(y) >= 200:
            slope, level = np.polyfit(x, y, 1)
            residual = np.sqrt(np.sum((y - level - slope * x) ** 2) / (len(y) - 2))
            expected[:, i] = slope, np.corrcoef(x, y)[0, 1], YEAR * residual
    assert np.isfinite(expected[0]).sum() > 100
    names = ("market_beta_252", "market_correlation_252", "idiosyncratic_volatility_ann_252")
    for name, values in zip(names, expected, strict=True):
        assert_same(found, values, name, rtol=1e-8)


def test_the_market_explains_itself(bars, features_of):
    """The market symbol has beta and correlation 1 and no unexplained volatility."""
    market = features_of(bars, 2).filter(pl.col("symbol") == "M").drop_nulls("market_beta_252")
    assert market["market_beta_252"].unique().to_list() == [1.0]
    assert market["market_correlation_252"].to_numpy() == pytest.approx(1.0)
    assert market["idiosyncratic_volatility_ann_252"].unique().to_list() == [0.0]


def test_distances_are_ratios_to_the_averages(found, raw):
    """Each distance is the close over its average less 1, and MACD over the close."""
    close = raw["close"]
    for n in (5, 10, 20, 50, 200):
        assert_same(found, close / close.rolling(n).mean() - 1, f"sma_{n}_distance")
    for n in (12, 26):
        assert_same(found, close / found[f"ema_{n}"] - 1, f"ema_{n}_distance")
    assert_same(found, found["macd_signal"] / close, "macd_signal_ratio")
    assert_same(found, found["macd_hist"] / close, "macd_hist_ratio")


def test_the_calendar_knows_month_ends_in_advance(found, raw):
    """The month's last session is told by the exchange's calendar, also on the newest row."""
    sessions = new_york_calendar().sessions.astype("datetime64[D]")
    dates = raw["date"].to_numpy().astype("datetime64[D]")
    after = sessions[np.searchsorted(sessions, dates, side="right")]
    is_session = np.isin(dates, sessions)
    expected = is_session & (after.astype("datetime64[M]") != dates.astype("datetime64[M]"))
    np.testing.assert_array_equal(found["is_month_end"].to_numpy(bool), expected)
    np.testing.assert_array_equal(found["day_of_week"].to_numpy(int), pd.DatetimeIndex(dates).day_of_week + 1)


def test_no_extension_depends_on_the_price_level(make_bars, features_of):
    """Everything that version 2 adds is free of scale: at prices 2^20 times as high not a bit changes."""
    low, high = make_bars(count=320), make_bars(count=320)
    scaled = high.with_columns(pl.col("open", "high", "low", "close") * 2.0**20, volume=pl.col("volume") / 2.0**20)
    first = features_of(low, 1).columns
    added = [name for name in features_of(low, 2).columns if name not in first]
    assert features_of(scaled, 2).select(added).equals(features_of(low, 2).select(added))
