"""Pictures: the fan chart of tonight's forecast, and the calibration of past ones. Frames in, HTML and SVG out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import altair as alt
import polars as pl
import vl_convert

__all__ = ["Picture", "calibration_chart", "fan_chart", "past_fan"]

_HISTORY_SESSIONS = 250
_BLUE, _GREY, _ORANGE = "#1f5a96", "#6b7280", "#c2570c"
_MONTHS = alt.X("date:T", title=None, axis=alt.Axis(format="%b %Y", labelOverlap=True))
_DAYS = alt.X("date:T", title=None, axis=alt.Axis(format="%-d %b", labelOverlap=True))
_SCALE = alt.Scale(zero=False)
_MONEY = alt.Axis(format="~s")
_BANDS = (("p05", "p95", 0.18), ("p10", "p90", 0.18), ("p30", "p70", 0.22))


@dataclass(frozen=True, slots=True)
class Picture:
    """One chart in both forms; the HTML carries its scripts with it and opens without a network."""

    html: str
    svg: str


@dataclass(eq=False)
class _Sheet:
    """Rows by name, put into the finished specification as they are: Altair would copy them with every layer."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, name: str, frame: pl.DataFrame) -> alt.NamedData:
        """Keep rows, dates as text."""
        self.rows[name] = frame.with_columns(pl.col(pl.Date).cast(pl.String)).to_dicts()
        return alt.NamedData(name)

    def drawn(self, chart: alt.TopLevelMixin) -> Picture:
        """The chart with its rows, in both forms."""
        # Validation takes longer than drawing, and a chart that breaks the schema fails to draw anyway.
        specification = chart.to_dict(validate=False) | {"datasets": self.rows}
        version = ".".join(alt.SCHEMA_VERSION.split(".")[:2])
        return Picture(
            vl_convert.vegalite_to_html(specification, vl_version=version, bundle=True),
            vl_convert.vegalite_to_svg(specification, vl_version=version),
        )


def past_fan(rolling_origins: pl.DataFrame, equity: pl.DataFrame, *, model: str, base_value: float) -> pl.DataFrame:
    """The newest complete forecast of the record, in currency, with what happened.

    Parameters
    ----------
    rolling_origins : polars.DataFrame
        Rows of ``forecasts.rolling_origins``.
    equity : polars.DataFrame
        date, value: the holdings' past.
    model : str
        The model served tonight.
    base_value : float
        Turns fractions into currency.

    Returns
    -------
    polars.DataFrame
        date, p05, p50, p95, realised, starting on the origin; empty where no origin is complete.
    """
    rows = rolling_origins.filter(pl.col("model") == model)
    complete = rows.group_by("origin_date").agg(pl.col("realised_change").is_not_null().all().alias("is_complete"))
    origins = complete.filter("is_complete")["origin_date"]
    schema = {"date": pl.Date} | dict.fromkeys(("p05", "p50", "p95", "realised"), pl.Float64)
    if origins.is_empty():
        return pl.DataFrame(schema=schema)
    origin = origins.max()
    start = float(equity.filter(pl.col("date") == origin)["value"][0])
    shown = rows.filter(pl.col("origin_date") == origin).sort("horizon_days")
    values = shown.select(
        pl.col("target_date").alias("date"),
        *((start + base_value * pl.col(name)).alias(name) for name in ("p05", "p50", "p95")),
        (start + base_value * pl.col("realised_change")).alias("realised"),
    )
    first = pl.DataFrame({"date": [origin]} | {name: [start] for name in ("p05", "p50", "p95", "realised")})
    return pl.concat([first.cast(schema), values.cast(schema)])  # type: ignore[arg-type]


def fan_chart(equity: pl.DataFrame, forecasts: pl.DataFrame, past: pl.DataFrame) -> Picture:
    """History with the fan of the served model, and beside it the newest forecast whose outcomes are all known.

    Parameters
    ----------
    equity : polars.DataFrame
        date, value in currency.
    forecasts : polars.DataFrame
        Tonight's rows of ``forecasts.portfolio_forecasts``.
    past : polars.DataFrame
        From :func:`past_fan`.
    """
    sheet = _Sheet()
    served = forecasts.filter("is_selected").sort("horizon_days")
    head, last = served.row(0, named=True), served.row(-1, named=True)
    levels = ["p50", *(name for low, high, _ in _BANDS for name in (low, high))]
    today = pl.DataFrame({"date": [head["as_of"]]} | {name: [head["current_value"]] for name in levels})
    fan = pl.concat([today, served.select(pl.col("target_date").alias("date"), *levels)])
    fan_rows, past_rows = sheet.add("fan", fan), sheet.add("past", past)
    history_rows = sheet.add("history", equity.tail(_HISTORY_SESSIONS))
    layers = [_area(fan_rows, low, high, opacity) for low, high, opacity in _BANDS]
    layers += [_line(fan_rows, "p50", color=_BLUE, dash=[5, 3]), _line(history_rows, "value")]
    figures = (
        f"In {last['horizon_days']} sessions: 5 to 95 % {last['p05']:,.0f} to {last['p95']:,.0f}, median "
        f"{last['p50']:,.0f}; VaR 95 {last['var_95']:,.0f}, CVaR 95 {last['cvar_95']:,.0f} (now "
        f"{head['current_value']:,.0f})."
    )
    legend = "Black: value of today's holdings. Blue: 5-95, 10-90 and 30-70 % bands, and the median."
    title = f"Portfolio forecast of {head['as_of']}: {head['model'].replace('_', ' ')}"
    tonight = alt.layer(*layers).properties(width=620, height=340, title=_title(title, [figures, legend]))
    if past.is_empty():
        return sheet.drawn(tonight)
    before = [
        _area(past_rows, "p05", "p95", 0.25, _DAYS),
        _line(past_rows, "p50", color=_BLUE, dash=[5, 3], date=_DAYS),
        _line(past_rows, "realised", date=_DAYS),
    ]
    heading = _title(f"Forecast of {past['date'][0]}", ["Black: what happened. Blue: its 5-95 % band", "and median."])
    return sheet.drawn(alt.hconcat(tonight, alt.layer(*before).properties(width=260, height=340, title=heading)))


def _area(rows: alt.NamedData, low: str, high: str, opacity: float, date: alt.X = _MONTHS) -> Any:
    area = alt.Chart(rows).mark_area(color=_BLUE, opacity=opacity)
    return area.encode(date, alt.Y(f"{low}:Q", title="value", scale=_SCALE, axis=_MONEY), alt.Y2(f"{high}:Q"))


def _line(
    rows: alt.NamedData,
    column: str,
    *,
    color: str = "#111827",
    dash: list[int] | None = None,
    date: alt.X = _MONTHS,
) -> Any:
    line = alt.Chart(rows).mark_line(color=color, strokeWidth=1.4, strokeDash=dash or [])
    return line.encode(date, alt.Y(f"{column}:Q", scale=_SCALE))


def _title(text: str, subtitle: list[str]) -> alt.TitleParams:
    return alt.TitleParams(text, subtitle=subtitle, anchor="start", fontSize=15, subtitleColor=_GREY)


def calibration_chart(evaluations: pl.DataFrame, pit: pl.DataFrame, *, horizons: tuple[int, ...]) -> Picture:
    """Coverage by horizon for every model, and the PIT histograms of what was served.

    Parameters
    ----------
    evaluations, pit : polars.DataFrame
        Rows of ``forecasts.forecast_evaluations`` and ``forecasts.pit_histograms``.
    horizons : tuple of int
        Horizons whose histograms are shown.
    """
    sheet = _Sheet()
    goal = alt.Chart(sheet.add("goal", pl.DataFrame({"low": [0.88], "high": [0.92]}))).mark_rect(
        color="#d1d5db", opacity=0.6
    )
    band = goal.encode(alt.Y("low:Q"), alt.Y2("high:Q"))
    lines = alt.Chart(sheet.add("coverage", evaluations.select("model", "horizon_days", "coverage_90"))).mark_line()
    is_selected = alt.datum.model == "selected"
    coverage = lines.encode(
        alt.X("horizon_days:Q", title="horizon, sessions"),
        alt.Y("coverage_90:Q", title="share inside 5-95 %", scale=_SCALE),
        alt.Color("model:N", title=None),
        alt.StrokeWidth(condition=alt.condition(is_selected, alt.value(3), alt.value(1.2))["condition"], value=1.2),
    )
    above = alt.layer(band, coverage).properties(
        width=620, height=240, title=_title("Coverage of the 5-95 % band", ["Grey: goal. Thick: what was served."])
    )
    shown = pit.filter(pl.col("model") == "selected", pl.col("horizon_days").is_in(horizons))
    bars = alt.Chart().mark_bar(color=_BLUE)
    bars = bars.encode(
        alt.X("tenth:O", title="tenth of the forecast", axis=alt.Axis(labelAngle=0)),
        alt.Y("share:Q", title="share of outcomes"),
    )
    rule = alt.Chart().mark_rule(color=_ORANGE).encode(alt.Y("even:Q"))
    histograms = (
        alt.layer(bars, rule, data=sheet.add("pit", shown.with_columns(pl.lit(0.1).alias("even"))))
        .properties(width=120, height=110)
        .facet(
            alt.Facet("horizon_days:O", title="PIT of what was served, by horizon in sessions"), columns=len(horizons)
        )
    )
    return sheet.drawn(alt.vconcat(above, histograms))
