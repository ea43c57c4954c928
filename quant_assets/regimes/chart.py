"""The market's price with its regimes as coloured bands, and the probabilities below.

A dashed line marks where fitted models take over from the threshold rule, whose labels are certain by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl
import vl_convert

from quant_assets.regimes.states import PROBABILITY_COLUMNS, STATES
from quant_assets.regimes.threshold import THRESHOLD_VERSION

__all__ = ["COLOURS", "RegimePicture", "regime_bands", "regime_chart"]

COLOURS = {"bullish": "#3a9d5d", "bearish": "#c8493f", "sideways": "#b9b7ae", "high_volatility": "#6f4fa0"}
_WIDTH, _PRICE_HEIGHT, _PROBABILITY_HEIGHT = 900, 280, 130
_LABELS = "replace(datum.label, '_', ' ')"


@dataclass(frozen=True, slots=True)
class RegimePicture:
    """One chart in both forms; the HTML carries its scripts with it and opens without a network."""

    html: str
    svg: str


def regime_bands(rows: pl.DataFrame) -> pl.DataFrame:
    """Runs of one label.

    Parameters
    ----------
    rows : polars.DataFrame
        date, regime of consecutive sessions, at least one.

    Returns
    -------
    polars.DataFrame
        start, end, regime, sessions. A band ends where the next one starts, so that bands leave no gaps.
    """
    runs = rows.with_columns(pl.col("regime").rle_id().alias("run"))
    bands = runs.group_by("run", maintain_order=True).agg(
        pl.col("date").first().alias("start"),
        pl.col("date").last().alias("last"),
        pl.col("regime").first(),
        pl.len().cast(pl.Int64).alias("sessions"),
    )
    return bands.select("start", pl.col("start").shift(-1).fill_null(pl.col("last")).alias("end"), "regime", "sessions")


def regime_chart(closes: pl.DataFrame, rows: pl.DataFrame, market: str) -> RegimePicture:
    """Draw the chart.

    Parameters
    ----------
    closes : polars.DataFrame
        date, close of the market symbol (adjusted).
    rows : polars.DataFrame
        Rows of ``regimes.market_regimes``, at least one.
    market : str
        Named in the title.
    """
    colour = alt.Color(
        "regime:N",
        title=None,
        scale=alt.Scale(domain=list(STATES), range=[COLOURS[state] for state in STATES]),
        legend=alt.Legend(orient="top", labelExpr=_LABELS, symbolType="square", symbolOpacity=1),
    )
    price = alt.layer(_price(colour), _takeover_line())
    chart = alt.vconcat(price, _probabilities(colour), spacing=8).resolve_scale(x="shared")
    first, last = rows["date"][0], rows["date"][-1]
    title = alt.Title(
        f"{market}: regime as it was known after each close",
        subtitle=f"{first:%d %b %Y} to {last:%d %b %Y}. Filtered probabilities of models fitted before they were used.",
        anchor="start",
    )
    whole = chart.properties(title=title).configure_view(stroke=None).configure_axis(grid=False)
    # Validation takes longer than drawing, and a chart that breaks the schema fails to draw anyway.
    specification = whole.to_dict(validate=False)
    specification["datasets"] = _datasets(closes, rows)
    version = ".".join(alt.SCHEMA_VERSION.split(".")[:2])
    return RegimePicture(
        html=vl_convert.vegalite_to_html(specification, vl_version=version, bundle=True),
        svg=vl_convert.vegalite_to_svg(specification, vl_version=version),
    )


def _price(colour: alt.Color) -> Any:
    bands = (
        alt.Chart(alt.NamedData(name="bands"))
        .mark_rect(opacity=0.35)
        .encode(
            x=alt.X("start:T", title=None, axis=alt.Axis(labels=False, ticks=False)),
            x2="end:T",
            color=colour,
            tooltip=["regime:N", alt.Tooltip("start:T", title="since"), "sessions:Q"],
        )
    )
    line = (
        alt.Chart(alt.NamedData(name="closes"))
        .mark_line(color="#1d1d1b", strokeWidth=1)
        .encode(
            x=alt.X("date:T", title=None),
            y=alt.Y("close:Q", title="Close, log scale", scale=alt.Scale(type="log", zero=False, nice=False)),
        )
    )
    return alt.layer(bands, line).properties(width=_WIDTH, height=_PRICE_HEIGHT)


def _takeover_line() -> Any:
    """A dashed line with words on the side of the models."""
    here = alt.Chart(alt.NamedData(name="takeover")).encode(x="date:T")
    words = here.mark_text(align="left", baseline="top", dx=4, dy=2, fontSize=10)
    return alt.layer(here.mark_rule(strokeDash=[4, 3]), words.encode(y=alt.value(0), text="words:N"))


def _takeover(rows: pl.DataFrame) -> pl.DataFrame:
    """First session labelled by a model, where the rule labelled some before it; else no row."""
    first = int((rows["model_version"] == THRESHOLD_VERSION).sum())
    words = pl.lit("models from here; before, too short a history: two-rule threshold").alias("words")
    return rows[first : first + 1].select("date", words) if first else rows.clear().select("date", words)


def _probabilities(colour: alt.Color) -> Any:
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(values=[0, 0.5, 1])
    return (
        alt.Chart(alt.NamedData(name="probabilities"))
        .mark_area(opacity=0.8, interpolate="step-after")
        .encode(
            x=alt.X("date:T", title=None),
            y=alt.Y("p:Q", stack="zero", title="Probability", scale=scale, axis=axis),
            color=colour,
        )
        .properties(width=_WIDTH, height=_PROBABILITY_HEIGHT)
    )


def _datasets(closes: pl.DataFrame, rows: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """What the chart draws, added after it is built: Altair would check each point against the schema."""
    long = _thinned(rows.select("date", *PROBABILITY_COLUMNS)).unpivot(
        index="date", variable_name="regime", value_name="p"
    )
    frames = {
        "bands": regime_bands(rows),
        "takeover": _takeover(rows),
        "closes": _extremes(closes.filter(pl.col("date") >= rows["date"][0]).select("date", "close")),
        "probabilities": long.with_columns(pl.col("regime").str.strip_prefix("p_")),
    }
    return {
        name: frame.with_columns(pl.col(pl.Date).cast(pl.String), pl.col(pl.Float64).round(4)).to_dicts()
        for name, frame in frames.items()
    }


def _thinned(frame: pl.DataFrame) -> pl.DataFrame:
    """Every so many rows, and the last: more points than pixels only slow the drawing."""
    step = -(-frame.height // _WIDTH)
    kept = (pl.int_range(pl.len()) % step == 0) | (pl.int_range(pl.len()) == pl.len() - 1)
    return frame.filter(kept)


def _extremes(closes: pl.DataFrame) -> pl.DataFrame:
    """The lowest and the highest close of every so many, and the last, so that no low is drawn too high."""
    step = 2 * -(-closes.height // _WIDTH)
    bucket = pl.int_range(pl.len()) // step
    close = pl.col("close")
    is_extreme = (close == close.min().over(bucket)) | (close == close.max().over(bucket))
    return closes.filter(is_extreme | (pl.int_range(pl.len()) == pl.len() - 1))
