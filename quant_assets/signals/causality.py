"""Two proofs that predictions know nothing of the future: cut it off, or corrupt it, and look what moves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.foundation.point_in_time import corrupted_after
from quant_assets.signals.feature_list import REGIME_COLUMN
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.model_spec import ModelSpec
from quant_assets.signals.scored_rows import prediction_rows
from quant_assets.signals.training_table import newest_sessions, training_table
from quant_assets.signals.walk_forward_training import run_walk_forward

__all__ = ["compare_without_future", "leaking_columns", "predictions_without_future"]


def compare_without_future(
    features: pl.DataFrame,
    closes: pl.DataFrame,
    names: tuple[str, ...],
    spec: ModelSpec,
    *,
    stored: pl.DataFrame,
    sessions: npt.NDArray[np.datetime64] | None = None,
) -> float:
    """Largest difference between stored predictions and those of a history that ends with their first fold.

    Parameters
    ----------
    features, closes, names, spec, sessions
        As in :func:`predictions_without_future`.
    stored : DataFrame
        symbol, date, fold, probability of a version trained on the whole history.

    Returns
    -------
    float
        Infinity where the two do not cover the same rows; 0 where nothing is stored.
    """
    if stored.is_empty():
        return 0.0
    first = stored.filter(pl.col("fold") == stored["fold"].min())
    last: dt.date = max(first["date"].to_list())
    again = predictions_without_future(
        features, closes, names, spec, before=last + dt.timedelta(days=1), sessions=sessions
    )
    joined = first.join(again, on=["symbol", "date"], how="full", suffix="_again")
    if joined["probability"].null_count() or joined["probability_again"].null_count():
        return float("inf")
    gap = (joined["probability"] - joined["probability_again"]).abs().max()
    return float(gap)  # type: ignore[arg-type]  # the maximum of floats


def predictions_without_future(
    features: pl.DataFrame,
    closes: pl.DataFrame,
    names: tuple[str, ...],
    spec: ModelSpec,
    *,
    before: dt.date,
    sessions: npt.NDArray[np.datetime64] | None = None,
) -> pl.DataFrame:
    """Predictions of the folds up to a date, computed as if history ended there.

    Parameters
    ----------
    features : DataFrame
        symbol, date, the named columns and the market's regime.
    closes : DataFrame
        symbol, date, close.
    names : tuple of str
    spec : ModelSpec
    before : date
        Rows from here on are not looked at, labels included.
    sessions : array, optional
        The exchange's.

    Returns
    -------
    DataFrame
        symbol, date, fold, probability, base_rate, label; must equal what the whole history gave.
    """
    labels = forward_labels(closes.filter(pl.col("date") < before), spec.label, sessions)
    known = newest_sessions(features, spec.lookback_sessions).filter(pl.col("date") < before)
    table = training_table(known, labels, names, regime_column=REGIME_COLUMN, symbols=spec.symbols)
    return prediction_rows(table, run_walk_forward(table, spec))


def leaking_columns(
    build: Callable[[pl.DataFrame], pl.DataFrame], bars: pl.DataFrame, session: dt.date, rng: np.random.Generator
) -> tuple[str, ...]:
    """Columns that know what comes after a session: they change on or before it when later bars are corrupted.

    Parameters
    ----------
    build : callable
        From bars to symbol, date and features.
    bars : DataFrame
        symbol, date and prices.
    session : date
        The last session that is left as it is.
    rng : Generator
        Draws the corruption.
    """
    keys = ["symbol", "date"]
    seen = pl.col("date") <= session
    before = build(bars).filter(seen).sort(keys)
    after = build(corrupted_after(bars, session, rng=rng)).filter(seen).sort(keys)
    if not before.select(keys).equals(after.select(keys)):
        return tuple(keys)
    return tuple(name for name in before.columns if not before[name].equals(after[name], null_equal=True))
