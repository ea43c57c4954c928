"""Which bars are withheld after the rules have spoken, and which are released."""

from __future__ import annotations

import datetime as dt

import polars as pl

from quant_assets.quality.findings import Severity
from quant_assets.quality.tables import QUARANTINED_PRICES

__all__ = ["withheld_rows"]

_KEY = ["symbol", "date"]


def withheld_rows(
    bars: pl.DataFrame, findings: pl.DataFrame, stored: pl.DataFrame, *, now: dt.datetime
) -> pl.DataFrame:
    """The quarantine after this night.

    Parameters
    ----------
    bars : pl.DataFrame
        Columns of market_data.daily_prices.
    findings : pl.DataFrame
        What the rules say of these bars; HIGH ones are withheld.
    stored : pl.DataFrame
        quality.quarantined_prices as it is.
    now : datetime
        The source's clock.

    Returns
    -------
    pl.DataFrame
        quality.quarantined_prices: what was withheld before keeps its date, what no rule objects to any more is released
        (the vendor restated it), what is new is withheld now. Nothing is removed.
    """
    wrong = (
        findings.filter(pl.col("severity") == Severity.HIGH.value)
        .group_by(_KEY)
        .agg(reason=pl.col("details").sort().str.join("; "))
    )
    in_force = stored.filter(pl.col("released_at").is_null())
    still = in_force.join(wrong.select(_KEY), on=_KEY, how="semi")
    mended = in_force.join(wrong.select(_KEY), on=_KEY, how="anti").with_columns(
        released_at=pl.lit(now).cast(pl.Datetime("us", "UTC")), release_reason=pl.lit("the vendor restated the bar")
    )
    new = (
        bars.join(wrong, on=_KEY)
        .join(still.select(_KEY), on=_KEY, how="anti")
        .with_columns(
            quarantined_at=pl.lit(now).cast(pl.Datetime("us", "UTC")),
            released_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
            event_id=pl.lit(None, dtype=pl.String),
            release_reason=pl.lit(None, dtype=pl.String),
        )
    )
    names = list(QUARANTINED_PRICES.column_names)
    released = stored.filter(pl.col("released_at").is_not_null()).join(new.select(_KEY), on=_KEY, how="anti")
    return pl.concat([part.select(names) for part in (released, still, mended, new)]).sort(_KEY)
