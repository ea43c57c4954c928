"""The last step of every job: publishing, as a step of its own, so that a run that cannot publish fails."""

from __future__ import annotations

import dagster as dg

__all__ = ["PUBLICATION"]

PUBLICATION = dg.AssetSelection.assets(dg.AssetKey(["serving", "readers_database"]))
