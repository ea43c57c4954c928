"""Training every model again: Sunday morning, or once a month where that is enough."""

from __future__ import annotations

import dagster as dg

from jobs.publication import PUBLICATION
from quant_assets.foundation.calendar import NEW_YORK

__all__ = ["monthly_retraining_schedule", "weekly_retraining", "weekly_retraining_schedule"]

weekly_retraining = dg.define_asset_job(
    "weekly_retraining",
    selection=dg.AssetSelection.groups("signals") | PUBLICATION,
    config={"ops": {"train_models": {"config": {"retrain": True, "keep_challenger": True}}}},
    description=(
        "Judge each challenger again on what it has forecast since, then train a new version of every model and judge "
        "it out of sample; only what proved better on both measures of the promotion rule replaces the champion. A "
        "challenger keeps its place until it has a quarter of live sessions. Then score and look for drift."
    ),
)

weekly_retraining_schedule = dg.ScheduleDefinition(
    name="weekly_retraining_schedule",
    job=weekly_retraining,
    cron_schedule="0 8 * * 0",
    execution_timezone=NEW_YORK,
    description="08:00 New York on Sundays. Switch it on here.",
)

monthly_retraining_schedule = dg.ScheduleDefinition(
    name="monthly_retraining_schedule",
    job=weekly_retraining,
    cron_schedule="0 8 1 * *",
    execution_timezone=NEW_YORK,
    description="08:00 New York on the first of the month, instead of every week. Switch on one of the two.",
)
