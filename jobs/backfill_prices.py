"""Fetching history again on purpose: symbols, span and depth are chosen in the launchpad or a config file."""

from __future__ import annotations

import dagster as dg

__all__ = ["backfill_prices"]

backfill_prices = dg.define_asset_job(
    "backfill_prices",
    selection=dg.AssetSelection.all(),
    config={"ops": {"fetch_prices": {"config": {"depth": "full"}}}},
    description=(
        "Fetch the named symbols again (all where none is named), compact or full, keep the bars between two dates, "
        "and bring every later table up to date. Changed values become revisions."
    ),
)
