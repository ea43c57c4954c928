"""Jobs that a person names and runs, each with its schedule beside it."""

from jobs.backfill_prices import backfill_prices
from jobs.backtest_strategies import backtest_strategies
from jobs.nightly import nightly, nightly_schedule
from jobs.retrain_on_drift import retrain_on_drift
from jobs.train_model import train_model
from jobs.weekly_retraining import monthly_retraining_schedule, weekly_retraining, weekly_retraining_schedule

__all__ = ["JOBS", "SCHEDULES"]

JOBS = (nightly, backfill_prices, backtest_strategies, weekly_retraining, retrain_on_drift, train_model)
SCHEDULES = (nightly_schedule, weekly_retraining_schedule, monthly_retraining_schedule)
