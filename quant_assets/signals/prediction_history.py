"""Out-of-sample predictions beyond the walk-forward: each night adds its sessions and the labels that have matured."""

from __future__ import annotations

import datetime as dt

import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.table_store import TableStore
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.model_features import model_features
from quant_assets.signals.signal_model import SignalModel
from quant_assets.signals.tables import WALK_FORWARD_PREDICTIONS

__all__ = ["extend_predictions"]

_LAST_FOLD = """
SELECT max(fold) AS fold FROM signals.walk_forward_predictions WHERE model_version = ? AND date <= ?
"""
_NOT_PREDICTED = """
date > ? AND (symbol, date) NOT IN (
    SELECT (symbol, date) FROM signals.walk_forward_predictions WHERE model_version = ? AND date > ?
)
"""


def extend_predictions(store: TableStore, model: SignalModel) -> None:
    """Carry a version's predictions on to the newest session, and fill in labels that have matured.

    Every row that is missing after the last session that the version's training knew is added, also that of a symbol
    that arrived when its session had been extended already; the fold's number is one more than the walk-forward's last.
    Rows of which too little is known are left out, as in the walk-forward.
    """
    version, known_on = model.card.model_version, model.card.known_on
    last_fold = store.query(_LAST_FOLD, [version, known_on])["fold"][0]
    frame = model.scorable(model_features(store, model.card, _NOT_PREDICTED, [known_on, version, known_on]))
    fresh = _predicted(model, frame, fold=(last_fold or 0) + 1)
    waiting = store.read(WALK_FORWARD_PREDICTIONS, where="model_version = ? AND label IS NULL", parameters=[version])
    open_rows = pl.concat([waiting, fresh.select(waiting.columns)])
    if open_rows.is_empty():
        return
    first: dt.date = min(open_rows["date"].to_list())
    closes = store.read(ADJUSTED_PRICES, ["symbol", "date", "close"], "date >= ?", [first])
    labels = forward_labels(closes, model.card.spec.label, new_york_calendar().sessions)
    known = labels.select("symbol", "date", pl.col("label").alias("known"))
    labelled = open_rows.join(known, on=["symbol", "date"], how="left").with_columns(label=pl.col("known"))
    with store.transaction() as connection:
        rows = WALK_FORWARD_PREDICTIONS.validate(labelled.drop("known"))
        store.merge_within(connection, WALK_FORWARD_PREDICTIONS, rows)


def _predicted(model: SignalModel, frame: pl.DataFrame, *, fold: int) -> pl.DataFrame:
    symbols = frame["symbol"].to_numpy().astype(str)
    return frame.select("symbol", "date").with_columns(
        pl.Series("probability", model.probabilities(frame), dtype=pl.Float64),
        pl.Series("base_rate", model.rates.of(symbols), dtype=pl.Float64),
        model=pl.lit(model.card.model),
        model_version=pl.lit(model.card.model_version),
        fold=pl.lit(fold, pl.Int32),
        label=pl.lit(None, pl.Float64),
    )
