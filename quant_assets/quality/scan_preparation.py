"""From stored bars to what a scan works on: which bars are due, which are sane, and their measures."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from quant_assets.market_data.adjustment import adjustment_factors
from quant_assets.market_data.corporate_actions import FACTOR_KINDS
from quant_assets.quality.bar_measures import bar_measures
from quant_assets.quality.bar_vintage import pending_bars
from quant_assets.quality.muting import MutedPatterns
from quant_assets.quality.rules import UNUSABLE_KINDS, price_sanity_findings
from quant_assets.quality.scan_state import ScanInput

__all__ = ["PreparedBars", "prepare_bars"]


@dataclass(frozen=True, slots=True)
class PreparedBars:
    """Bars split by what can be said about them.

    Parameters
    ----------
    pending : pl.DataFrame
        symbol, date and vintage (``VINTAGE_COLUMNS``) of the bars to score.
    impossible : pl.DataFrame
        Findings of the certain rules on all loaded bars.
    measures : pl.DataFrame
        The other bars with their measures, ``price_factor``, ``has_split``, ``expects_volume`` and ``is_pending``.
    """

    pending: pl.DataFrame
    impossible: pl.DataFrame
    measures: pl.DataFrame


def prepare_bars(scan: ScanInput, scores: pl.DataFrame, muted: MutedPatterns) -> PreparedBars:
    """Sort out and measure the loaded bars.

    Parameters
    ----------
    scan : ScanInput
    scores : pl.DataFrame
        Rows of ``quality.bar_scores`` of the loaded bars.
    muted : MutedPatterns
        A dismissed rule does not apply to its symbol, unless its bars cannot be measured.
    """
    pending = pending_bars(scan.bars, scores)
    found = price_sanity_findings(scan.bars, scan.calendar, today=scan.today or scan.as_of)
    is_muted = [
        kind not in UNUSABLE_KINDS and muted.muted_by(symbol, kind, None) is not None
        for symbol, kind in found.select("symbol", "kind").iter_rows()
    ]
    impossible = found.filter(~pl.Series(is_muted, dtype=pl.Boolean))
    sane = scan.bars.join(impossible, on=("symbol", "date"), how="anti").sort("symbol", "date")
    measures = bar_measures(_with_factors(sane, scan), scan.calendar)
    flags = pending.select("symbol", "date", pl.lit(value=True).alias("is_pending"))
    for extra in (_split_bars(measures, scan.actions), flags):
        measures = measures.join(extra, on=("symbol", "date"), how="left", maintain_order="left")
    return PreparedBars(
        pending,
        impossible,
        measures.with_columns(
            pl.col("has_split", "is_pending").fill_null(value=False),
            _expects_volume().alias("expects_volume"),
        ),
    )


def _with_factors(bars: pl.DataFrame, scan: ScanInput) -> pl.DataFrame:
    factors = adjustment_factors(bars, scan.actions, as_of=scan.as_of).select(
        "symbol", pl.col("valid_from").alias("date"), "price_factor", "volume_factor"
    )
    columns = ("symbol", "date", "open", "high", "low", "close", "volume")
    return (
        bars.select(columns)
        .join_asof(factors.sort("symbol", "date"), on="date", by="symbol", check_sortedness=False)
        .with_columns(pl.col("price_factor", "volume_factor").fill_null(1.0))
    )


def _split_bars(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """The first bar of each symbol on or after a recorded split or spin-off."""
    splits = actions.filter(pl.col("kind").is_in(FACTOR_KINDS)).select("symbol", pl.col("effective_date").alias("from"))
    dates = bars.select("symbol", "date").sort("date")
    on_bars = splits.sort("from").join_asof(
        dates, left_on="from", right_on="date", by="symbol", strategy="forward", coalesce=False, check_sortedness=False
    )
    found = on_bars.drop_nulls("date").select("symbol", "date", pl.lit(value=True).alias("has_split"))
    return found.unique(("symbol", "date"))


def _expects_volume() -> pl.Expr:
    """Whether most of the 20 bars before had a volume."""
    has_volume = (pl.col("volume").fill_null(0) > 0).cast(pl.Float64)
    return (has_volume.rolling_mean(20, min_samples=5).shift(1).over("symbol") > 0.5).fill_null(value=False)
