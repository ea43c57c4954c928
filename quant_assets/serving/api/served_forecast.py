"""The newest portfolio forecast as published, and which of its models is the one that serves."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from quant_assets.serving.api.contract import FORECASTS
from quant_assets.serving.api.snapshot import Reading, Snapshot

__all__ = ["ServedForecast", "served_forecast"]

_SELECTED = "is_selected"


@dataclass(frozen=True, slots=True)
class ServedForecast:
    """One model's fan of the newest night.

    Parameters
    ----------
    model : str or None
        None where the model asked for made no forecast that night.
    models : tuple of str
        Every model that did.
    fan : DataFrame
        One row per horizon, in order; empty without a model.
    """

    model: str | None
    models: tuple[str, ...]
    fan: pl.DataFrame


def served_forecast(snapshot: Snapshot, reading: Reading, model: str | None) -> ServedForecast:
    """The newest forecast of a model, or of the one marked as serving where ``model`` is None.

    A publication without such a mark serves the first model by name.
    """
    marked = _SELECTED in snapshot.columns[FORECASTS.name]
    mark = f"bool_or({_SELECTED})" if marked else "false"
    newest = f"(SELECT max(as_of) FROM {FORECASTS.name})"
    offered = reading.frame(
        f"SELECT model, {mark} AS serves FROM {FORECASTS.name} WHERE as_of = {newest} "
        "GROUP BY model ORDER BY serves DESC, model"
    )
    models = tuple(offered["model"].to_list())
    chosen = models[0] if model is None else model if model in models else None
    columns = ", ".join(FORECASTS.columns)
    fan = reading.frame(
        f"SELECT {columns} FROM {FORECASTS.name} WHERE as_of = {newest} AND model = ? ORDER BY horizon_days", [chosen]
    )
    return ServedForecast(chosen, tuple(sorted(models)), fan)
