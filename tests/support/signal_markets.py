"""Small markets whose truth is known, as features and closes, and specifications that train on them in a second."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from quant_assets.foundation.walk_forward import WalkForward
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.model_spec import BoostingParameters, LabelRule, ModelSpec
from quant_assets.signals.training_table import TrainingTable, training_table

FIRST = dt.date(2003, 1, 1)
NAMES = ("today", "yesterday", "spread_20", "noise_a", "noise_b")


def weekdays(count: int) -> np.ndarray:
    """Monday to Friday dates from 2003 on."""
    days = np.arange(np.datetime64(FIRST), np.datetime64(FIRST) + np.timedelta64(2 * count, "D"))
    return days[np.is_busday(days)][:count]


def gaussian_closes(
    seed: int, *, symbols: int = 10, sessions: int = 1500, autocorrelation: float = 0.0, volatility: float = 0.01
) -> pl.DataFrame:
    """symbol, date, close of independent symbols whose log returns are Gaussian with a known autocorrelation."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal((sessions, symbols)) * volatility
    returns = np.empty_like(shocks)
    returns[0] = shocks[0]
    for t in range(1, sessions):
        returns[t] = autocorrelation * returns[t - 1] + np.sqrt(1 - autocorrelation**2) * shocks[t]
    dates = weekdays(sessions)
    frames = [
        pl.DataFrame(
            {
                "symbol": [f"S{number:02d}"] * sessions,
                "date": pl.Series(dates).cast(pl.Date),
                "close": 100 * np.exp(np.cumsum(returns[:, number])),
            }
        )
        for number in range(symbols)
    ]
    return pl.concat(frames).sort("symbol", "date")


def small_features(bars: pl.DataFrame) -> pl.DataFrame:
    """symbol, date and NAMES: two returns, a spread, and noise that depends on the row alone."""
    change = pl.col("close").log().diff().over("symbol")
    shade = pl.struct("symbol", "date")
    return bars.sort("symbol", "date").select(
        "symbol",
        "date",
        change.alias("today"),
        change.shift(1).over("symbol").alias("yesterday"),
        change.rolling_std(20).over("symbol").alias("spread_20"),
        (shade.hash(1) % 1000).cast(pl.Float64).alias("noise_a"),
        (shade.hash(2) % 1000).cast(pl.Float64).alias("noise_b"),
    )


def small_spec(name: str = "direction", *, horizon_days: int = 1, threshold: float = 0.0, **changes) -> ModelSpec:
    """A specification with yearly folds and few rounds."""
    spec = ModelSpec(
        name,
        LabelRule(horizon_days, threshold),
        split=WalkForward(test_months=12, min_train_sessions=200, embargo_sessions=2),
        boosting=BoostingParameters(rounds=40, learning_rate=0.1, feature_share=0.8, min_rows_in_leaf=100),
        inner_folds=1,
    )
    return spec.with_changes(**changes)


def small_table(closes: pl.DataFrame, spec: ModelSpec) -> TrainingTable:
    """Features and labels of a market."""
    return training_table(small_features(closes), forward_labels(closes, spec.label), NAMES)
