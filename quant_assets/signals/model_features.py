"""Rows of the feature store as a trained version reads them: its own features, of the version it was fitted on."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from quant_assets.features.consumers import FeatureConsumer, read_features
from quant_assets.features.tables import published_tables
from quant_assets.foundation.errors import DataError
from quant_assets.foundation.table_store import TableStore
from quant_assets.signals.signal_model import ModelCard

__all__ = ["model_features"]


def model_features(
    store: TableStore, card: ModelCard, where: str = "", parameters: Sequence[object] = ()
) -> pl.DataFrame:
    """Rows with ``symbol``, ``date`` and the features of a version, sorted by symbol and date.

    Parameters
    ----------
    store : TableStore
    card : ModelCard
        Names the version of the feature store and the features.
    where : str
        SQL condition with ``?`` for each of ``parameters``.

    Raises
    ------
    DataError
        Where the store has no such version, or lacks a feature: nothing is guessed.
    """
    columns = {table.name: table.column_names for table in published_tables()}
    known = columns.get(f"feature_store_v{card.feature_version}")
    if known is None:
        raise DataError(
            f"{card.model_version} was trained on version {card.feature_version} of the feature store, which there is "
            "not; retrain it."
        )
    if missing := [name for name in card.features if name not in known]:
        raise DataError(
            f"version {card.feature_version} of the feature store lacks {', '.join(missing[:3])}"
            f"{' and others' if len(missing) > 3 else ''}, which {card.model_version} was trained on; retrain it."
        )
    consumer = FeatureConsumer(f"signals.{card.model}", card.feature_version, card.features)
    return read_features(store, consumer, where, parameters)
