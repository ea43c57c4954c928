"""Training one model on demand: event, symbols, lookback, fold length and rounds are chosen in the launchpad."""

from __future__ import annotations

import dagster as dg

from jobs.publication import PUBLICATION

__all__ = ["train_model"]

train_model = dg.define_asset_job(
    "train_model",
    selection=dg.AssetSelection.groups("signals") | PUBLICATION,
    description=(
        "Train one model, a known one or a new name with its own event; its challenger is judged again first, and the "
        "new version takes that place where it does not win. The form is under ops > train_models > config; "
        "without a model's name only what was never trained is. From a file: quant run train_model --config FILE."
    ),
)
