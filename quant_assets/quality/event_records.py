"""Findings as rows of ``quality.anomaly_events`` and bars as rows of ``quality.quarantined_prices``."""

from __future__ import annotations

import datetime as dt
import hashlib

import polars as pl

from quant_assets.quality.rules import UNUSABLE_KINDS
from quant_assets.quality.tables import ANOMALY_EVENTS, QUARANTINED_PRICES

__all__ = ["ACKNOWLEDGED", "DISMISSED", "OPEN", "dismissed_events", "event_records", "quarantine_records"]

OPEN = "open"
ACKNOWLEDGED = "acknowledged"
DISMISSED = "dismissed"


def event_records(
    findings: pl.DataFrame, bars: pl.DataFrame, scores: pl.DataFrame, *, detected_at: dt.datetime, run_id: str
) -> pl.DataFrame:
    """Give findings their identity and scores.

    Parameters
    ----------
    findings : pl.DataFrame
        ``FINDINGS_SCHEMA``.
    bars : pl.DataFrame
        As-traded bars, to tell a restated bar's event from the first one's; repeated dates allowed.
    scores : pl.DataFrame
        symbol, date, isolation_score, prophet_score, volume_zscore.
    detected_at : datetime
        The source's clock (aware).
    run_id : str

    Returns
    -------
    pl.DataFrame
        Rows of ``quality.anomaly_events``, open. The same finding on the same bar has the same ``event_id`` in every
        run; a restated bar gets another.
    """
    vintage = pl.concat_str(
        [pl.col(name).cast(pl.String).fill_null("-") for name in ("open", "high", "low", "close", "volume")],
        separator="/",
    )
    vintages = bars.unique(("symbol", "date"), keep="first", maintain_order=True).select(
        "symbol", "date", vintage.alias("vintage")
    )
    # A hole has no bar; its identity is its first session.
    identified = findings.join(vintages, on=("symbol", "date"), how="left").with_columns(
        pl.format(
            "{}-{}-{}-{}",
            "symbol",
            pl.col("date").dt.strftime("%Y%m%d"),
            "kind",
            pl.col("vintage").fill_null("-").map_elements(_digest, return_dtype=pl.String),
        ).alias("event_id")
    )
    joined = identified.join(
        scores.select("symbol", "date", "isolation_score", "prophet_score", "volume_zscore"),
        on=("symbol", "date"),
        how="left",
    )
    return (
        joined.with_columns(
            pl.lit(detected_at).cast(pl.Datetime("us", "UTC")).alias("detected_at"),
            pl.lit(OPEN).alias("status"),
            pl.lit(None, dtype=pl.String).alias("status_by"),
            pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("status_at"),
            pl.lit(None, dtype=pl.String).alias("note"),
            pl.lit(run_id).alias("run_id"),
        )
        .select(ANOMALY_EVENTS.column_names)
        .unique("event_id", maintain_order=True)
        .sort("event_id")
    )


def dismissed_events(events: pl.DataFrame) -> list[str]:
    """Events whose dismissal releases their bars; one on a bar that nothing can work with only silences the alarm."""
    released = events.filter((pl.col("status") == DISMISSED) & ~pl.col("kind").is_in(list(UNUSABLE_KINDS)))
    return released["event_id"].to_list()


def _digest(vintage: str) -> str:
    # Six hex digits tell a handful of vintages of one bar apart.
    return hashlib.blake2b(vintage.encode(), digest_size=3).hexdigest()


def quarantine_records(withheld: pl.DataFrame, bars: pl.DataFrame, *, quarantined_at: dt.datetime) -> pl.DataFrame:
    """Bars that are withheld, with the bar's columns as the vendor sent them.

    Parameters
    ----------
    withheld : pl.DataFrame
        symbol, date, reason, event_id.
    bars : pl.DataFrame
        Rows of ``market_data.daily_prices``; of repeated ones the first is kept.
    quarantined_at : datetime
        The source's clock (aware).
    """
    joined = withheld.unique(("symbol", "date"), keep="first", maintain_order=True).join(
        bars.unique(("symbol", "date"), keep="first", maintain_order=True), on=("symbol", "date"), how="inner"
    )
    return (
        joined.with_columns(
            pl.lit(quarantined_at).cast(pl.Datetime("us", "UTC")).alias("quarantined_at"),
            pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("released_at"),
            pl.lit(None, dtype=pl.String).alias("release_reason"),
        )
        .select(QUARANTINED_PRICES.column_names)
        .sort("symbol", "date")
    )
