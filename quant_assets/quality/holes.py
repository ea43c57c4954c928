"""Sessions without a bar between two bars of a symbol."""

from __future__ import annotations

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.quality.findings import FINDINGS_SCHEMA, Severity, empty_findings

__all__ = ["hole_findings"]


def hole_findings(bars: pl.DataFrame, calendar: TradingCalendar) -> pl.DataFrame:
    """Holes in the history of each symbol.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol and date, on sessions of the calendar; symbols of exchanges abroad (a suffix such as .LON) are left
        out, since their holidays are others. A session after a symbol's newest bar is not a hole yet: the
        symbol may be late.
    calendar : TradingCalendar

    Returns
    -------
    pl.DataFrame
        ``FINDINGS_SCHEMA`` and ``known_date``, the session of the bar after the hole, which showed it. One
        ``missing_session`` row of MEDIUM per hole, dated its first missing session; magnitude is the number missing.
    """
    schema = {**FINDINGS_SCHEMA, "known_date": pl.Date()}
    if bars.is_empty():
        return empty_findings().with_columns(pl.lit(None, dtype=pl.Date).alias("known_date"))
    sessions = pl.Series("session", calendar.sessions).cast(pl.Date)
    frame = bars.select("symbol", "date").filter(~pl.col("symbol").str.contains(".", literal=True))
    frame = frame.sort("symbol", "date")
    frame = frame.with_columns(sessions.search_sorted(frame["date"]).cast(pl.Int64).alias("number"))
    holes = frame.with_columns(
        (pl.col("number").diff().over("symbol") - 1).alias("missing"),
        pl.col("number").shift(1).over("symbol").alias("before"),
        pl.col("date").shift(1).over("symbol").alias("last_seen"),
    ).filter(pl.col("missing") > 0)
    first = sessions.gather(holes["before"] + 1)
    return holes.select(
        "symbol",
        first.alias("date"),
        pl.lit("missing_session").alias("kind"),
        pl.lit(Severity.MEDIUM.value).alias("severity"),
        pl.format("no bar for {} session(s) after {}; the next one is {}", "missing", "last_seen", "date").alias(
            "details"
        ),
        pl.lit("missing_session").alias("pattern"),
        pl.col("missing").cast(pl.Float64).alias("magnitude"),
        pl.col("date").alias("known_date"),
    ).cast(pl.Schema(schema))
