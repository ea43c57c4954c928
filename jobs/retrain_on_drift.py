"""Training every model again because the world moved: launched by the drift sensor, usable by hand."""

from __future__ import annotations

import dagster as dg

from jobs.publication import PUBLICATION

__all__ = ["retrain_on_drift"]

retrain_on_drift = dg.define_asset_job(
    "retrain_on_drift",
    selection=dg.AssetSelection.groups("signals") | PUBLICATION,
    config={"ops": {"train_models": {"config": {"retrain": True, "actor": "retrain_on_drift"}}}},
    description=(
        "Judge each challenger again, then train a new version of every model after a confirmed drift. The champion "
        "stays until another has proved better; the new version takes the challenger's place at once. Drift asks for a "
        "training, it does not decide its outcome."
    ),
)
