"""How well planted bad bars are found: recall by kind and size, precision, false alarms, beside naive rules."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

__all__ = ["DetectionScore", "jump_rule_flags", "score_detection", "sigma_rule_flags"]

_KEYS = ["symbol", "date"]


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """How a detector did on planted bars.

    Parameters
    ----------
    by_kind : pl.DataFrame
        kind, size, is_material, planted, found_on_night, found_with_hindsight.
    material_recall, material_recall_with_hindsight : float
        Share of material plants found by the bar itself (of a run, by any of its bars), and by the session after.
    precision : float
        Share of flagged bars that were touched by a plant.
    false_per_10_000 : float
        Flagged bars that no plant touched, per 10,000 bars.
    bars : int
    """

    by_kind: pl.DataFrame
    material_recall: float
    material_recall_with_hindsight: float
    precision: float
    false_per_10_000: float
    bars: int


def score_detection(planted: pl.DataFrame, flags: pl.DataFrame, bars: pl.DataFrame) -> DetectionScore:
    """Compare flags with the truth.

    Parameters
    ----------
    planted : pl.DataFrame
        ``PLANTED_SCHEMA``.
    flags : pl.DataFrame
        symbol and date of what was raised.
    bars : pl.DataFrame
        symbol and date of the bars that were looked at.
    """
    flags = flags.select(_KEYS).unique().sort("date")
    ends = planted.join(_session_after(bars), left_on=["symbol", "last_date"], right_on=_KEYS, how="left")
    ends = ends.with_columns(pl.coalesce("after", "last_date").alias("after")).with_row_index("plant")
    hits = ends.join(flags.rename({"date": "flagged"}), on="symbol", how="inner")
    # What a level shift does is known on its first bar; a run of repeats may show on any of its bars.
    is_run = pl.col("kind").is_in(["stale_run", "flat_run", "hole"])
    last_of_night = pl.when(is_run).then("last_date").otherwise("date")
    night = hits.filter(pl.col("flagged").is_between(pl.col("date"), last_of_night))["plant"].unique()
    hindsight = hits.filter(pl.col("flagged").is_between(pl.col("date"), pl.col("after")))["plant"].unique()
    judged = ends.with_columns(
        pl.col("plant").is_in(night.implode()).alias("night"), pl.col("plant").is_in(hindsight.implode()).alias("later")
    )
    by_kind = (
        judged.group_by("kind", "size", "is_material", maintain_order=True)
        .agg(
            pl.len().alias("planted"),
            pl.col("night").mean().alias("found_on_night"),
            pl.col("later").mean().alias("found_with_hindsight"),
        )
        .sort("kind", "size")
    )
    touched = hits.filter(pl.col("flagged").is_between(pl.col("date"), pl.col("last_date")))
    true_flags = touched.select("symbol", "flagged").unique().height
    material = judged.filter("is_material")
    return DetectionScore(
        by_kind=by_kind,
        material_recall=_share(material["night"]),
        material_recall_with_hindsight=_share(material["later"]),
        precision=true_flags / flags.height if flags.height else float("nan"),
        false_per_10_000=10_000 * (flags.height - true_flags) / bars.height,
        bars=bars.height,
    )


def _share(found: pl.Series) -> float:
    return int(found.sum()) / len(found) if len(found) else float("nan")


def _session_after(bars: pl.DataFrame) -> pl.DataFrame:
    """symbol, date, and the date of the symbol's next bar; a missing date has none of its own."""
    dated = bars.select(_KEYS).sort(_KEYS)
    return dated.with_columns(pl.col("date").shift(-1).over("symbol").alias("after")).drop_nulls()


def jump_rule_flags(bars: pl.DataFrame, limit: float = 0.2) -> pl.DataFrame:
    """The first naive rule: a close that moved by more than ``limit`` (a share) from the one before.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, close (adjusted).
    limit : float
    """
    move = (pl.col("close") / pl.col("close").shift(1).over("symbol") - 1).abs()
    return bars.sort(_KEYS).filter(move > limit).select(_KEYS)


def sigma_rule_flags(bars: pl.DataFrame, sigmas: float = 5.0, window: int = 63) -> pl.DataFrame:
    """The second: a return beyond so many plain standard deviations of the ``window`` returns before it."""
    frame = bars.sort(_KEYS).with_columns((pl.col("close") / pl.col("close").shift(1) - 1).over("symbol").alias("move"))
    scale = pl.col("move").rolling_std(window, min_samples=20).shift(1).over("symbol")
    return frame.filter(pl.col("move").abs() > sigmas * scale).select(_KEYS)
