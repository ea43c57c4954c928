"""The stored tables of the feature store, one per version."""

from __future__ import annotations

from functools import lru_cache

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

__all__ = ["BAR_COLUMNS", "version_1", "version_2"]

BAR_COLUMNS = ("open", "high", "low", "close", "volume")
_EXTENSIONS = (trend, oscillators, volatility, return_shape, liquidity, market_relation, session_position)


@lru_cache(maxsize=1)
def version_1() -> StoredVersion:
    """Bars and the windowed columns of version 1; the widest window is ``sma_50``."""
    columns = column_set([indicators], inputs=BAR_COLUMNS, code=[windows, parameters])
    return StoredVersion(columns, BAR_COLUMNS, BAR_COLUMNS, context_bars=50)


@lru_cache(maxsize=1)
def version_2() -> StoredVersion:
    """Those and the windowed columns that version 2 adds; the widest window holds 252 returns.

    The traded value is not compared: it cannot change while the adjusted bar stays, but for a split told in another
    way, which leaves it as it was.
    """
    inputs = (*BAR_COLUMNS, "market_close", "dollar_volume")
    columns = column_set([indicators, *_EXTENSIONS], inputs=(*inputs, "date"), code=[windows, moments, parameters])
    return StoredVersion(columns, inputs, (*BAR_COLUMNS, "market_close"), context_bars=254)
