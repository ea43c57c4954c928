"""The stored tables of the feature store, one per version."""

from __future__ import annotations

from functools import lru_cache

from quant_assets.features import indicators, parameters, windows
from quant_assets.features.changes import StoredVersion
from quant_assets.features.columns import column_set

__all__ = ["BAR_COLUMNS", "version_1"]

BAR_COLUMNS = ("open", "high", "low", "close", "volume")


@lru_cache(maxsize=1)
def version_1() -> StoredVersion:
    """Bars and the windowed columns of version 1; the widest window is ``sma_50``."""
    columns = column_set([indicators], inputs=BAR_COLUMNS, code=[windows, parameters])
    return StoredVersion(columns, BAR_COLUMNS, context_bars=60)
