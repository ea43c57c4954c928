"""Windowed columns of version 2, stored; only what changed since the last run is computed."""

from quant_assets.features.incremental import changed_rows
from quant_assets.features.versions import version_2


def model(dbt, session):
    bars = dbt.ref("int_bars_traded").sql_query()
    compared = dbt.ref("int_bars_aligned").sql_query()
    stored = str(dbt.this) if dbt.is_incremental else None
    return changed_rows(session, version_2(), bars=bars, compared_bars=compared, stored=stored)
