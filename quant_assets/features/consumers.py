"""Who uses which features: each consumer says so once, and is served those columns and no others.

A consumer is a model, a regime detector, a strategy: something that would have to change when a feature does. Its room
keeps one :class:`FeatureConsumer` beside the code that uses it and reads through :func:`read_features`; the composition
root hands all of them to the catalogue. Monitoring, export and the API read whole tables and are no consumers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from quant_assets.features.tables import feature_store
from quant_assets.foundation.errors import DataError
from quant_assets.foundation.table_store import TableStore

__all__ = ["FeatureConsumer", "check_consumers", "read_features", "reuse_share"]


@dataclass(frozen=True, slots=True)
class FeatureConsumer:
    """What one consumer needs of the feature store.

    Parameters
    ----------
    name : str
        As shown in the catalogue, ``<room>.<what>``, such as ``signals.direction``.
    version : int
        Version of the store it was built on.
    features : tuple of str
        Columns it reads, beside ``symbol`` and ``date``.
    """

    name: str
    version: int
    features: tuple[str, ...]


def check_consumers(consumers: Sequence[FeatureConsumer]) -> None:
    """Check that each declared feature exists in the declared version.

    Raises
    ------
    DataError
        Naming the consumer and the feature.
    """
    names = [consumer.name for consumer in consumers]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"two feature consumers are called {repeated[0]}; give each a name of its own.")
    for consumer in consumers:
        known = feature_store(consumer.version).column_names
        if unknown := [name for name in consumer.features if name not in known]:
            raise DataError(
                f"{consumer.name} asks for {unknown[0]}, which feature_store_v{consumer.version} does not have; "
                "mend its declaration or choose another version."
            )


def read_features(
    store: TableStore, consumer: FeatureConsumer, where: str = "", parameters: Sequence[object] = ()
) -> pl.DataFrame:
    """Rows of the consumer's version with ``symbol``, ``date`` and its declared features, sorted by symbol and date.

    Parameters
    ----------
    store : TableStore
    consumer : FeatureConsumer
    where : str
        SQL condition with ``?`` for each of ``parameters``.

    Raises
    ------
    DataError
        Where a declared feature is not in the version, or the version was left unfinished by a build that failed.
    """
    check_consumers([consumer])
    table = feature_store(consumer.version)
    marks = store.query("SELECT run_id FROM ops.unfinished_tables WHERE table_name = ?", [table.qualified_name])
    if marks.height:
        raise DataError(
            f"{table.qualified_name} is of two makings since its rebuilding in run {marks.item()} failed; "
            "run the nightly job, or materialize the features, first."
        )
    columns = ("symbol", "date", *(name for name in consumer.features if name not in ("symbol", "date")))
    return store.read(table, columns=columns, where=where, parameters=parameters)


def reuse_share(catalog: pl.DataFrame, *, is_by_list: bool = False) -> float | None:
    """Share of the used features that more than one consumer uses; None where no feature is used.

    Parameters
    ----------
    catalog : DataFrame
        ``features.feature_catalog``; a feature of two versions counts once for each.
    is_by_list : bool
        Count consumers that declare the very same features as one: a second model trained on the list of the first
        says nothing about whether a feature serves another purpose.
    """
    used = (
        catalog.filter(pl.col("used_by") != "")
        .select(pl.struct("version", "feature").alias("feature"), pl.col("used_by").str.split(", ").alias("consumer"))
        .explode("consumer")
    )
    if used.is_empty():
        return None
    if is_by_list:
        lists = used.group_by("consumer").agg(pl.col("feature").sort().alias("list"))
        used = used.join(lists, on="consumer").select("feature", pl.col("list").alias("consumer")).unique()
    users = used.group_by("feature").len()["len"]
    return float((users > 1).sum()) / users.len()
