"""Every night's forecast joined to what happened, once it has: the system's own record, beside the rolling origins.

What happened is the gain of the positions as they stood on the night of the forecast, held to the target date. Gains
are ratios of adjusted closes as known today, so that a later dividend or split changes nothing but rounding.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

__all__ = ["due_outcomes"]


def due_outcomes(
    forecasts: pl.DataFrame, positions: pl.DataFrame, prices: pl.DataFrame, *, as_of: dt.date
) -> pl.DataFrame:
    """Rows of ``forecasts.outcomes`` for forecasts whose target date has been reached.

    Parameters
    ----------
    forecasts : polars.DataFrame
        Stored forecasts without an outcome: as_of, horizon_days, model, target_date, current_value, is_selected, p05,
        p50, p95, var_95.
    positions : polars.DataFrame
        Stored positions: as_of, symbol, value (currency).
    prices : polars.DataFrame
        symbol, date, close (adjusted); the newest close not after a date stands for it.
    as_of : date
        Session of the run.

    Returns
    -------
    polars.DataFrame
        One row per forecast that is due; none where a position has no price on both dates.
    """
    due = forecasts.filter(pl.col("target_date") <= as_of)
    spans = due.select("as_of", "target_date").unique()
    closes = prices.select("symbol", "date", "close").sort("symbol", "date")
    held = spans.join(positions.select("as_of", "symbol", "value"), on="as_of")
    for date in ("as_of", "target_date"):
        held = held.sort("symbol", date).join_asof(
            closes.rename({"close": f"close_{date}", "date": f"bar_{date}"}),
            left_on=date,
            right_on=f"bar_{date}",
            by="symbol",
            check_sortedness=False,
        )
    gain = pl.col("value") * (pl.col("close_target_date") / pl.col("close_as_of") - 1.0)
    gains = (
        held.group_by("as_of", "target_date")
        .agg(gain.sum().alias("gain"), gain.is_null().any().alias("is_incomplete"))
        .filter(~pl.col("is_incomplete"))
    )
    realised = pl.col("current_value") + pl.col("gain")
    return (
        due.join(gains, on=["as_of", "target_date"])
        .with_columns(realised.alias("realised"))
        .select(
            "as_of",
            "horizon_days",
            "model",
            "target_date",
            "is_selected",
            "p05",
            "p50",
            "p95",
            "realised",
            pl.col("realised").is_between("p05", "p95").alias("inside"),
            (pl.col("current_value") - pl.col("realised") > pl.col("var_95")).alias("is_breach"),
        )
        .sort("as_of", "horizon_days", "model")
    )
