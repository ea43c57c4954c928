"""The stored tables of the feature store, one per version."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

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

__all__ = ["BAR_COLUMNS", "stored_versions", "version_1", "version_2"]

BAR_COLUMNS = ("open", "high", "low", "close", "volume")
_WARM_UP_BARS = 400
"""Wilder's averages over 14 bars forget slowest: (13/14)^n is 1e-9 at 280 bars, and ADX averages what is averaged."""
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
        warm_up_bars=_WARM_UP_BARS,
    )


def stored_versions() -> Mapping[int, StoredVersion]:
    """How each version of the feature store is computed."""
    return MappingProxyType({1: version_1(), 2: version_2()})
