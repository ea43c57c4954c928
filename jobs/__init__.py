"""Jobs that a person names and runs, each with its schedule beside it."""

from jobs.backfill_prices import backfill_prices
from jobs.backtest_strategies import backtest_strategies
from jobs.nightly import nightly, nightly_schedule

__all__ = ["JOBS", "SCHEDULES"]

JOBS = (nightly, backfill_prices, backtest_strategies)
SCHEDULES = (nightly_schedule,)
