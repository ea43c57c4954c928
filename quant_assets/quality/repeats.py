"""Stale bars: a vendor that repeats yesterday instead of saying that it has nothing.

Two tests. A bar whose four prices all equal those of the bar before, over a range of many ticks, did not happen. A run
of unchanged closes is judged by how often this symbol's close stands still: with a share p of still closes in the
past, a run of k has the probability p ** k, and what is less likely than one in 100,000 is raised.
"""

from __future__ import annotations

import polars as pl

from quant_assets.quality.findings import FINDINGS_SCHEMA, Severity, empty_findings

__all__ = ["REPEAT_HISTORY_BARS", "repeat_findings"]

REPEAT_HISTORY_BARS = 252
"""Bars before that the share of still closes is taken over."""
_LEAST_TICKS = 10
"""Range, in hundredths of the currency, from which four equal prices cannot be chance: each of open and close falls on
a given tick of ten once in ten, the range and the level repeat once in a hundred or less."""
_SMALLEST_SHARE = 0.01
"""Floor of the share of still closes; 0.4 % on packaged history, 1.3 % for its cheapest stock."""
_CHANCE = 1e-5
"""Probability of a run that is raised: once in 100,000 bars."""
_SURE_CHANCE = 1e-7
"""Probability of a run that is withheld."""


def repeat_findings(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars that repeat earlier ones.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, open, high, low, close, volume as traded; sane, at most one row per symbol and date.

    Returns
    -------
    pl.DataFrame
        ``FINDINGS_SCHEMA``. ``repeated_bar`` is HIGH where all four prices equal the bar before over at least ten
        ticks. ``stale_close`` is MEDIUM where a run of unchanged closes is less likely than 1e-5, HIGH from 1e-7;
        its magnitude is the length of the run. A bar depends on bars up to it alone.
    """
    if bars.is_empty():
        return empty_findings()
    same_bar = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in ("open", "high", "low", "close"))
    frame = bars.sort("symbol", "date").with_columns(
        same_bar.over("symbol").fill_null(value=False).alias("is_same_bar"),
        (pl.col("close") == pl.col("close").shift(1)).over("symbol").fill_null(value=False).alias("is_still"),
        ((pl.col("high") - pl.col("low")) * 100).round().alias("ticks"),
    )
    frame = frame.with_columns(
        # Numbers each stretch between moves; within one, the still bars count 1, 2, 3, ...
        (~pl.col("is_still")).cum_sum().over("symbol").alias("stretch"),
        pl.col("is_still")
        .cast(pl.Float64)
        .rolling_mean(REPEAT_HISTORY_BARS, min_samples=1)
        .over("symbol")
        .alias("share"),
    ).with_columns(pl.col("is_still").cum_sum().over("symbol", "stretch").alias("run"))
    # The share as it stood before the run, so that a stale run does not make itself likely.
    before_run = pl.col("share").first().over("symbol", "stretch").clip(lower_bound=_SMALLEST_SHARE)
    frame = frame.with_columns((before_run.log() * pl.col("run")).alias("log_chance"))
    return pl.concat([_repeated(frame), _stale(frame)]).sort("symbol", "date", "kind")


def _repeated(frame: pl.DataFrame) -> pl.DataFrame:
    found = frame.filter(pl.col("is_same_bar") & (pl.col("ticks") >= _LEAST_TICKS))
    details = pl.format(
        "open {}, high {}, low {} and close {} all repeat the bar before", "open", "high", "low", "close"
    )
    return _findings(found, "repeated_bar", pl.lit(Severity.HIGH.value), details, pl.lit(1.0))


def _stale(frame: pl.DataFrame) -> pl.DataFrame:
    found = frame.filter((pl.col("run") > 0) & (pl.col("log_chance") <= pl.lit(_CHANCE).log()))
    severity = (
        pl.when(pl.col("log_chance") <= pl.lit(_SURE_CHANCE).log())
        .then(pl.lit(Severity.HIGH.value))
        .otherwise(pl.lit(Severity.MEDIUM.value))
    )
    details = pl.format("close {} has not moved for {} bars", "close", pl.col("run") + 1)
    return _findings(found, "stale_close", severity, details, pl.col("run").cast(pl.Float64))


def _findings(found: pl.DataFrame, kind: str, severity: pl.Expr, details: pl.Expr, magnitude: pl.Expr) -> pl.DataFrame:
    return found.select(
        "symbol",
        "date",
        pl.lit(kind).alias("kind"),
        severity.alias("severity"),
        details.alias("details"),
        pl.lit(kind).alias("pattern"),
        magnitude.alias("magnitude"),
    ).cast(pl.Schema(FINDINGS_SCHEMA))
