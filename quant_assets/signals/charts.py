"""Pictures of a model: what it looks at, whether its probabilities come true, what drifted. Figures in, SVG out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from quant_assets.signals.drift import DriftMeasure
from quant_assets.signals.drift_reference import DriftReference
from quant_assets.signals.evaluation import Figure
from quant_assets.signals.signal_model import ModelCard

__all__ = ["calibration_chart", "drift_chart", "importance_chart"]

_SHOWN = 20
_DRIFTED_SHOWN = 6
_BLUE, _GREY, _ORANGE = "#1f5a96", "#9aa0a6", "#c2570c"


def importance_chart(card: ModelCard) -> str:
    """Mean absolute contribution in log-odds beside the share of the gain, of the twenty largest."""
    import altair as alt  # noqa: PLC0415 - a second to import; only training draws

    largest = sorted(card.importance.items(), key=lambda item: -item[1][1])[:_SHOWN]
    rows = [
        {"feature": name, "measure": measure, "value": value}
        for name, (gain, contribution) in largest
        for measure, value in (("mean |contribution|, log-odds", contribution), ("share of gain", gain))
    ]
    order = [name for name, _ in largest]
    chart = (
        _chart(alt, rows)
        .mark_bar(color=_BLUE)
        .encode(
            x=alt.X("value:Q", title=None),
            y=alt.Y("feature:N", sort=order, title=None),
            column=alt.Column("measure:N", title=None),
        )
        .resolve_scale(x="independent")
        .properties(width=260, title=f"{card.model_version}: what moves it")
    )
    return _svg(chart)


def calibration_chart(figures: Sequence[Figure], model_version: str) -> str:
    """Predicted against observed share per decile, with 95 % intervals, and the diagonal of perfect calibration."""
    import altair as alt  # noqa: PLC0415 - a second to import; only training draws

    observed = {f.slice: f for f in figures if f.metric == "observed_share"}
    gaps = {f.slice: f for f in figures if f.metric == "calibration_gap"}
    rows = [
        {
            "predicted": figure.baseline,
            "observed": figure.value,
            "low": figure.baseline + gaps[name].low,
            "high": figure.baseline + gaps[name].high,
        }
        for name, figure in observed.items()
    ]
    bottom = min((min(row["predicted"], row["low"]) for row in rows), default=0.0)
    top = max((max(row["predicted"], row["high"]) for row in rows), default=1.0)
    scale = alt.Scale(domain=[bottom, top], zero=False, nice=True)
    axis = alt.Axis(tickCount=8)
    base = _chart(alt, rows).encode(x=alt.X("predicted:Q", title="predicted share", scale=scale, axis=axis))
    ends: list[Any] = [{"predicted": end, "observed": end} for end in (bottom, top)]
    diagonal = _chart(alt, ends).mark_line(color=_GREY, strokeDash=[4, 4]).encode(x="predicted:Q", y="observed:Q")
    bars = base.mark_rule(color=_BLUE).encode(y=alt.Y("low:Q", title="observed share", scale=scale), y2="high:Q")
    points = base.mark_point(color=_BLUE, filled=True, size=60).encode(y="observed:Q")
    title = f"{model_version}: calibration out of sample, by decile"
    return _svg((diagonal + bars + points).properties(width=420, height=360, title=title))


def drift_chart(
    reference: DriftReference, matrix: npt.NDArray[np.float32], measures: Sequence[DriftMeasure], as_of: str
) -> str | None:
    """Quantiles of the newest sessions against those of the training rows, for the features that drifted most.

    None where none did.
    """
    excess = {m.feature: m.value / m.threshold for m in measures if m.drifted and m.measure in {"psi", "wasserstein"}}
    names = sorted((name for name in excess if not name.startswith("(")), key=lambda name: -excess[name])
    columns = {column.name: position for position, column in enumerate(reference.features)}
    rows: list[dict[str, Any]] = []
    for name in names[:_DRIFTED_SHOWN]:
        described = reference.features[columns[name]]
        now = matrix[:, columns[name]].astype(np.float64)
        now = now[~np.isnan(now)]
        for level in np.linspace(0.025, 0.975, 39) if len(now) else ():
            then = described.grid[int(level * len(described.grid))]
            for label, value in (("trained on", then), ("newest sessions", float(np.quantile(now, level)))):
                rows.append({"feature": name, "share": float(level), "value": value, "rows": label})
    if not rows:
        return None
    import altair as alt  # noqa: PLC0415 - a second to import; only a drift draws

    colours = alt.Color(
        "rows:N", title=None, scale=alt.Scale(domain=["trained on", "newest sessions"], range=[_GREY, _ORANGE])
    )
    chart = (
        _chart(alt, rows)
        .mark_line()
        .encode(
            x=alt.X("value:Q", title=None, scale=alt.Scale(zero=False)),
            y=alt.Y("share:Q", title="share of rows below"),
            color=colours,
        )
        .properties(width=220, height=140)
        .facet(facet=alt.Facet("feature:N", title=None, sort=names), columns=3)
        .resolve_scale(x="independent")
        .properties(title=f"What drifted by {as_of}")
    )
    return _svg(chart)


def _chart(alt: Any, rows: Sequence[dict[str, Any]]) -> Any:
    return alt.Chart(alt.Data(values=rows))


def _svg(chart: Any) -> str:
    import vl_convert  # noqa: PLC0415 - with altair

    svg: str = vl_convert.vegalite_to_svg(chart.to_dict())
    return svg
