"""The stored tables of the feature store, one per version."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from quant_assets.features import (
    indicators,
    liquidity,
    market_relation,
    moments,
    oscillators,
    parameters,
    return_shape,
    session_position,
    trend,
    volatility,
    windows,
)
from quant_assets.features.changes import StoredVersion
from quant_assets.features.columns import column_set
from quant_assets.foundation.errors import DataError

__all__ = ["BAR_COLUMNS", "check_versions", "stored_versions", "version_1", "version_2"]

BAR_COLUMNS = ("open", "high", "low", "close", "volume")
_WARM_UP_BARS = 400
"""Wilder's averages over 14 bars forget slowest: (13/14)^n is 1e-9 at 280 bars. Where no close moves, RSI's averages
fall below 1e-12 of the close, and RSI is null, after about 330."""
_WARM_UP_BARS_OF_ADX = 750
"""ADX averages what is averaged. Over bars without movement its sums keep their old ratio for up to 370 bars, while a
history that begins among them knows no ratio; the average forgets that difference, 100 at most, in 342 more."""
_EXTENSIONS = (trend, oscillators, volatility, return_shape, liquidity, market_relation, session_position)


@lru_cache(maxsize=1)
def version_1() -> StoredVersion:
    """Bars and the windowed columns of version 1; the widest window is ``sma_50``."""
    return StoredVersion(
        table="int_bars_averaged",
        columns=column_set([indicators], inputs=BAR_COLUMNS, code=[windows, parameters]),
        inputs=BAR_COLUMNS,
        compared=BAR_COLUMNS,
        context_bars=50,
        warm_up_bars=_WARM_UP_BARS,
    )


@lru_cache(maxsize=1)
def version_2() -> StoredVersion:
    """Those and the windowed columns that version 2 adds; the widest window holds 252 returns.

    The traded value is not compared: it cannot change while the adjusted bar stays, but for a split told in another
    way, which leaves it as it was.
    """
    inputs = (*BAR_COLUMNS, "market_close", "dollar_volume")
    code = [windows, moments, parameters]
    return StoredVersion(
        table="int_bars_measured",
        columns=column_set([indicators, *_EXTENSIONS], inputs=(*inputs, "date"), code=code),
        inputs=inputs,
        compared=(*BAR_COLUMNS, "market_close"),
        context_bars=254,
        warm_up_bars=_WARM_UP_BARS_OF_ADX,
    )


def stored_versions() -> Mapping[int, StoredVersion]:
    """How each version of the feature store is computed."""
    return MappingProxyType({1: version_1(), 2: version_2()})


def check_versions(manifest: Mapping[str, Any], versions: Mapping[int, StoredVersion]) -> None:
    """Check that dbt and this module know the same versions, so that none is published unchecked and uncatalogued.

    Parameters
    ----------
    manifest : mapping
        dbt's manifest.
    versions : mapping of int to StoredVersion

    Raises
    ------
    DataError
        Naming the version that only one of them has, or whose mart does not read its stored table.
    """
    marts = {
        int(node["version"]): node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["name"] == "feature_store"
    }
    if unlisted := sorted(set(marts) - set(versions)):
        raise DataError(
            f"dbt builds feature_store_v{unlisted[0]}, which stored_versions() in quant_assets/features/versions.py "
            "does not list; add it there, so that it is checked and catalogued."
        )
    if unbuilt := sorted(set(versions) - set(marts)):
        raise DataError(
            f"stored_versions() in quant_assets/features/versions.py lists version {unbuilt[0]}, which "
            "feature_store.yml does not have; add it there with its mart or take it out of the list."
        )
    for number, version in versions.items():
        if f"model.dbt_features.{version.table}" not in marts[number]["depends_on"]["nodes"]:
            raise DataError(
                f"feature_store_v{number} does not read {version.table}, which stored_versions() gives as its table; "
                "let both name the same one."
            )
