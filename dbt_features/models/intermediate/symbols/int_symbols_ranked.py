"""Ranks of each session's symbols, stored; only sessions on which a value changed are ranked again."""

from quant_assets.features.cross_section import changed_ranks


def model(dbt, session):
    measured = dbt.ref("int_bars_measured").sql_query()
    instruments = dbt.ref("stg_ops__instruments").sql_query()
    stored = str(dbt.this) if dbt.is_incremental else None
    indices = f"SELECT symbol FROM ({instruments}) WHERE is_index"  # noqa: S608 - our own relations
    traded = f"(SELECT * FROM ({measured}) WHERE symbol NOT IN ({indices}))"  # noqa: S608 - our own relations
    return changed_ranks(session, measured=traded, stored=stored)
