"""How severe a bar's scores are, and why in words.

The rule, in full:

- a certain rule (``rules``, repeats, the gate) speaks first: what it calls HIGH is HIGH and is withheld;
- a price move is judged by the Prophet score, or by the market-residual z-score where there is no fit, against the
  threshold for bars on ordinary volume or, on heavy volume (twice the median or two deviations), for news;
- a large volume is judged by what the price move does not explain, a small one where the price did not move much:
  news moves both, and neither is wrong;
- an excursion inside the bar is judged by how far beyond the closes it went;
- the Isolation Forest speaks where none of these do, for the combination of all measures.

Each compares with its own threshold (``thresholds``); the bar has the highest severity among them. Scores alone raise
at most MEDIUM, except a price move on ordinary volume, which the gate withholds from its HIGH threshold on.
"""

from __future__ import annotations

import polars as pl

from quant_assets.quality.findings import FINDINGS_SCHEMA, Severity
from quant_assets.quality.thresholds import (
    EXCURSION,
    ISOLATION,
    PRICE_LOUD,
    PRICE_QUIET,
    VOLUME_DOWN,
    VOLUME_UP,
    Thresholds,
    is_loud,
    unexplained_volume,
)

__all__ = ["SEVERITY_ORDER", "score_findings"]

SEVERITY_ORDER = (Severity.LOW.value, Severity.MEDIUM.value, Severity.HIGH.value)
_NO_FEED_SHARE = 0.5
"""Share of a session's symbols without volume from which there was no feed, rather than a bad bar."""


def score_findings(scores: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """What the scores of some bars raise.

    Parameters
    ----------
    scores : pl.DataFrame
        symbol, date, close, volume, prophet_score, residual_zscore, volume_zscore, volume_log_ratio,
        excursion_zscore, isolation_score, return_log, is_judged (a certain rule or the gate has spoken on this bar
        already: nothing is added), is_fresh_level (withheld at a new level: the volume cannot be judged yet) and
        expects_volume (earlier bars had some). Scores may be null: a null raises
        nothing.
    thresholds : Thresholds
        In force on all of these bars.

    Returns
    -------
    pl.DataFrame
        ``FINDINGS_SCHEMA``: ``price_jump``, ``news_move``, ``price_spike_in_bar``, ``volume_spike``, ``volume_drop``,
        ``no_volume`` and ``odd_bar``, LOW or MEDIUM; at most one per bar and kind. Magnitudes are in robust standard
        deviations, of ``odd_bar`` the score.
    """
    frame = scores.filter(~pl.col("is_judged")).with_columns(
        pl.coalesce("prophet_score", "residual_zscore").alias("price_score"), is_loud().alias("is_loud")
    )
    price, volume = pl.col("price_score"), pl.col("volume_zscore")
    is_calm = (price.abs() < thresholds.at(PRICE_QUIET, Severity.LOW)).fill_null(value=True)
    excursion, settled = pl.col("excursion_zscore"), frame.filter(~pl.col("is_fresh_level"))
    judged = [
        (frame.filter(~pl.col("is_loud")), "price_jump", price, PRICE_QUIET, _move_words()),
        (frame.filter("is_loud"), "news_move", price, PRICE_LOUD, _move_words()),
        (frame, "price_spike_in_bar", excursion, EXCURSION, _excursion_words()),
        (settled.filter(volume > 0), "volume_spike", unexplained_volume().clip(0.0), VOLUME_UP, _volume_words()),
        (settled.filter(is_calm & (volume < 0)), "volume_drop", volume, VOLUME_DOWN, _volume_words()),
    ]
    found = [
        _raised(bars, kind, score=score, measure=measure, thresholds=thresholds, details=details)
        for bars, kind, score, measure, details in judged
    ]
    spoken = pl.concat([*found, _without_volume(frame)])
    odd = _raised(
        frame.join(spoken, on=("symbol", "date"), how="anti"),
        "odd_bar",
        score=pl.col("isolation_score"),
        measure=ISOLATION,
        thresholds=thresholds,
        details=_odd_words(),
    )
    return pl.concat([spoken, odd]).sort("symbol", "date", "kind")


def _raised(
    bars: pl.DataFrame, kind: str, *, score: pl.Expr, measure: str, thresholds: Thresholds, details: pl.Expr
) -> pl.DataFrame:
    size = score.abs()
    low, medium = (thresholds.at(measure, level) for level in (Severity.LOW, Severity.MEDIUM))
    direction = pl.when(score > 0).then(pl.lit(f"{kind}:up")).otherwise(pl.lit(f"{kind}:down"))
    is_signed = measure in {PRICE_QUIET, PRICE_LOUD}
    return (
        bars.filter(size >= min(low, medium))
        .select(
            "symbol",
            "date",
            pl.lit(kind).alias("kind"),
            pl.when(size >= medium)
            .then(pl.lit(Severity.MEDIUM.value))
            .otherwise(pl.lit(Severity.LOW.value))
            .alias("severity"),
            details.alias("details"),
            (direction if is_signed else pl.lit(kind)).alias("pattern"),
            size.alias("magnitude"),
        )
        .cast(pl.Schema(FINDINGS_SCHEMA))
    )


def _without_volume(frame: pl.DataFrame) -> pl.DataFrame:
    lacks = (pl.col("volume").fill_null(0) <= 0) & pl.col("expects_volume")
    share = lacks.sum().over("date") / pl.len().over("date")
    alone = lacks & ((share < _NO_FEED_SHARE) | (pl.len().over("date") == 1))
    return (
        frame.filter(alone)
        .select(
            "symbol",
            "date",
            pl.lit("no_volume").alias("kind"),
            pl.lit(Severity.MEDIUM.value).alias("severity"),
            pl.lit("no volume, though the bars before and most other symbols have one").alias("details"),
            pl.lit("no_volume").alias("pattern"),
            pl.lit(None, dtype=pl.Float64).alias("magnitude"),
        )
        .cast(pl.Schema(FINDINGS_SCHEMA))
    )


def _number(value: pl.Expr, decimals: int = 1) -> pl.Expr:
    return value.round(decimals).cast(pl.String).fill_null("unknown")


def _times_usual() -> pl.Expr:
    return _number(pl.col("volume_log_ratio").exp(), 2)


def _move_words() -> pl.Expr:
    return pl.format(
        "close {} moved {} % since the last accepted bar, {} volatilities more than the market, on {} times the usual "
        "volume",
        "close",
        _number(100 * (pl.col("return_log").exp() - 1), 2),
        _number(pl.col("price_score").abs()),
        _times_usual(),
    )


def _excursion_words() -> pl.Expr:
    return pl.format(
        "the bar went {} volatilities beyond both its own close {} and the one before",
        _number(pl.col("excursion_zscore")),
        "close",
    )


def _volume_words() -> pl.Expr:
    return pl.format(
        "volume {} is {} times the usual, {} deviations beyond the market's, without a price move to match",
        "volume",
        _times_usual(),
        _number(pl.col("volume_zscore").abs()),
    )


def _odd_words() -> pl.Expr:
    return pl.format(
        "no measure stands out alone, but their combination is rare (isolation score {})",
        _number(pl.col("isolation_score"), 3),
    )
