"""Windowed columns of version 1, stored; only what changed since the last run is computed."""

from quant_assets.features.incremental import changed_rows
from quant_assets.features.versions import version_1


def model(dbt, session):
    bars = dbt.ref("stg_market_data__adjusted_prices").sql_query()
    stored = str(dbt.this) if dbt.is_incremental else None
    return changed_rows(session, version_1(), bars=bars, stored=stored)
