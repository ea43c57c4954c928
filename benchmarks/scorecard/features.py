"""Features: the share that more than one declared consumer uses."""

import polars as pl

from benchmarks.scorecard.rows import NOT_MEASURED, Row
from quant_assets.features.consumers import reuse_share


def _reused(connection) -> str:
    catalog: pl.DataFrame = connection.execute("SELECT version, feature, used_by FROM features.feature_catalog").pl()
    share, by_list = reuse_share(catalog), reuse_share(catalog, is_by_list=True)
    if share is None or by_list is None:
        return NOT_MEASURED
    return f"{share:.0%} of the used features ({by_list:.0%} where models trained on one list count once)"


ROWS = (Row("features reused by more than one consumer", "> 80 %", _reused),)
