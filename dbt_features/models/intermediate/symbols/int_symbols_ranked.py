"""Ranks of each session's symbols, stored; only sessions on which a value changed are ranked again."""

from quant_assets.features.cross_section import changed_ranks


def model(dbt, session):
    measured = dbt.ref("int_bars_measured").sql_query()
    stored = str(dbt.this) if dbt.is_incremental else None
    return changed_ranks(session, measured=f"({measured})", stored=stored)
