"""The fan of a forecast as an SVG chart, drawn from the published numbers."""

from __future__ import annotations

import textwrap

import polars as pl

__all__ = ["draw_fan"]

_WIDTH, _HEIGHT = 640, 320
_LINE_LETTERS = 84
"""Letters of a subtitle's line that fit the chart's width."""
_BAND, _LINE = "#9ecae1", "#08519c"


def draw_fan(fan: pl.DataFrame, *, title: str, subtitle: str, disclaimer: str) -> str:
    """Draw the 5-95 band, the median and today's value; the disclaimer stands below the subtitle.

    Parameters
    ----------
    fan : DataFrame
        as_of, target_date, p05, p50, p95, current_value; one row per horizon.

    Returns
    -------
    str
        SVG that needs nothing from elsewhere.
    """
    # Half a second to import, and only this chart needs them.
    import altair as alt  # noqa: PLC0415
    import vl_convert  # noqa: PLC0415

    now = fan.select("as_of", "current_value").head(1)
    start = pl.DataFrame({"target_date": now["as_of"], **dict.fromkeys(("p05", "p50", "p95"), now["current_value"])})
    points = pl.concat([start, fan.select("target_date", "p05", "p50", "p95")], how="vertical_relaxed")
    points = points.with_columns(pl.col("target_date").cast(pl.String)).drop_nulls()
    base = alt.Chart(alt.InlineData(values=points.to_dicts())).encode(
        x=alt.X(
            "target_date:T",
            title=None,
            scale=alt.Scale(type="utc"),
            axis=alt.Axis(format="%-d %b %Y", labelOverlap=True),
        )
    )
    scale = alt.Scale(zero=False)
    band = base.mark_area(color=_BAND, opacity=0.7).encode(
        y=alt.Y("p05:Q", title="value", scale=scale, axis=alt.Axis(format=",.0f")), y2="p95:Q"
    )
    median = base.mark_line(color=_LINE).encode(y=alt.Y("p50:Q", scale=scale))
    beneath = [subtitle, "band: 5th to 95th percentile; line: median", *textwrap.wrap(disclaimer, _LINE_LETTERS)]
    layers = (band + median).properties(
        width=_WIDTH, height=_HEIGHT, title=alt.TitleParams(title, subtitle=beneath, anchor="start")
    )
    # Large type: a phone shows the chart at half its size.
    chart = layers.configure_axis(labelFontSize=15, titleFontSize=15, tickCount=6).configure_title(
        fontSize=18, subtitleFontSize=15
    )
    drawn: str = vl_convert.vegalite_to_svg(chart.to_dict(), allowed_base_urls=[])
    return drawn
