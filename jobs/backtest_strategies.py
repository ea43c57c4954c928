"""Backtests on demand: strategy, parameters, symbols, dates and costs are chosen in the launchpad or a config file."""

from __future__ import annotations

import dagster as dg

from jobs.publication import PUBLICATION

__all__ = ["backtest_strategies"]

backtest_strategies = dg.define_asset_job(
    "backtest_strategies",
    selection=dg.AssetSelection.groups("backtests") | PUBLICATION,
    description=(
        "Backtest one strategy, a sweep over its parameters, or (left alone) every strategy with its defaults. The "
        "form is under ops > run_backtests > config; each run gets a row in backtests.runs and a page under reports/."
    ),
)
