"""Charts of a backtest as Vega-Lite specifications.

Altair copies and validates a chart many times while it is put together: a quarter of a second a page, though pages
differ in names and data alone. So a layout is put together once per process with placeholders, which each page fills.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.backtests.backtest import Backtest
from quant_assets.foundation.performance import SESSIONS_PER_YEAR, simple_returns

__all__ = ["MOST_SYMBOLS", "account_chart", "price_charts", "rolling_sharpe"]

Floats = npt.NDArray[np.float64]

MOST_SYMBOLS = 4
"""Price charts on a page; the symbols with the most trades are shown."""
_WIDTH = 860
_BLUE, _GREY, _RED, _GREEN, _ORANGE = "#1f5aa6", "#8a8f98", "#b3372f", "#2e7d4f", "#d98324"
_FILLS = {
    "buy": ("triangle-up", _GREEN),
    "sell": ("triangle-down", _RED),
    "sell short": ("triangle-down", _ORANGE),
    "buy back": ("triangle-up", _BLUE),
}


_STRATEGY, _MARKET = "<strategy>", "<market>"
"""Placeholders of a layout. None can be a name: what a page names is put in place of them and nothing else."""


def _rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows with dates as text and six significant digits, which is more than a pixel can show."""
    return frame.with_columns(pl.col(pl.Float64).round_sig_figs(6), pl.col(pl.Date).cast(pl.String)).to_dicts()


def _layout(chart: alt.VConcatChart) -> dict[str, Any]:
    """The specification in house style, without data; validated by Altair."""
    styled = chart.configure_view(stroke="#d9dce1").configure_axis(
        gridColor="#eceef1", labelColor="#444", titleColor="#444", titleFontWeight="normal", domainColor="#c5c9d0"
    )
    spec: dict[str, Any] = styled.to_dict()
    return spec


def _filled(part: Any, names: Mapping[str, str]) -> Any:
    """A copy of a layout with names in place of its placeholders."""
    if isinstance(part, dict):
        return {key: _filled(value, names) for key, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, names) for value in part]
    return names.get(part, part) if isinstance(part, str) else part


def rolling_sharpe(returns: Floats, window: int) -> Floats:
    """Annualised Sharpe ratio (no risk-free rate) of the last ``window`` returns; NaN before, and when idle."""
    result = np.full(len(returns), np.nan)
    if len(returns) < window:
        return result
    views = np.lib.stride_tricks.sliding_window_view(returns, window)
    deviation = views.std(axis=1, ddof=1)
    mean = views.mean(axis=1)
    ratio = np.divide(mean, deviation, out=np.full(len(mean), np.nan), where=deviation > 1e-12)
    result[window - 1 :] = ratio * np.sqrt(SESSIONS_PER_YEAR)
    return result


def account_chart(result: Backtest, market: str | None) -> dict[str, Any]:
    """Equity beside the market, drawdown, rolling Sharpe and exposure under one another, zoomed together."""
    curve = result.equity_curve()
    equity = curve["equity"].to_numpy()
    window = min(SESSIONS_PER_YEAR, max(20, len(equity) // 4))
    rolling = np.concatenate([[np.nan], rolling_sharpe(simple_returns(equity), window)])
    names = {_STRATEGY: result.strategy.name}
    lines = [curve.select("date", value="equity", series=pl.lit(result.strategy.name))]
    if len(result.bench.market_returns):
        names[_MARKET] = f"market ({market})"
        worth = result.run.equity[0] * np.concatenate([[1.0], np.cumprod(1.0 + result.bench.market_returns)])
        lines.append(curve.select("date", value=pl.Series(worth), series=pl.lit(names[_MARKET])))
    exposures = {"gross": "exposure"}
    if (curve["exposure"] != curve["net_exposure"]).any():
        exposures["net"] = "net_exposure"
    exposed = [curve.select("date", value=column, series=pl.lit(name)) for name, column in exposures.items()]
    data = {
        "equity": pl.concat(lines),
        "drawdown": curve.select("date", value="drawdown"),
        "level": pl.DataFrame({"zero": [0.0]}),
        "sharpe": curve.select("date", value=pl.Series(rolling).fill_nan(None)),
        "exposure": pl.concat(exposed),
    }
    spec: dict[str, Any] = _filled(_account_layout(tuple(names), window, has_net="net" in exposures), names)
    return spec | {"datasets": {name: _rows(frame) for name, frame in data.items()}}


@lru_cache(maxsize=8)
def _account_layout(names: tuple[str, ...], window: int, *, has_net: bool) -> dict[str, Any]:
    zoom = alt.selection_interval(bind="scales", encodings=["x"], name="zoom")
    chart = alt.vconcat(
        _equity(names).add_params(zoom),
        _drawdown(),
        _sharpe(f"Sharpe, {window} sessions"),
        _exposure(has_net=has_net),
        spacing=14,
    )
    return _layout(chart.resolve_scale(x="shared", color="independent"))


def price_charts(result: Backtest) -> tuple[dict[str, Any] | None, list[str]]:
    """Closes as traded with entries and exits, for the symbols with most trades, and the symbols left out."""
    trades = result.trades()
    if trades.is_empty():
        return None, []
    order = trades.group_by("symbol").len().sort("len", "symbol", descending=[True, False])
    busy: list[str] = order["symbol"].to_list()
    panel, rows = result.bench.market.panel, slice(result.bench.first, result.bench.last + 1)
    data: dict[str, list[dict[str, Any]]] = {}
    marks = []
    for number, symbol in enumerate(busy[:MOST_SYMBOLS]):
        close = panel.close[rows, panel.symbols.index(symbol)]
        prices = pl.DataFrame({"date": result.dates, "close": close}).with_columns(pl.col("close").fill_nan(None))
        fills = _fills(trades.filter(pl.col("symbol") == symbol))
        data |= {f"prices{number}": _rows(prices), f"fills{number}": _rows(fills)}
        present = set(fills["what"])
        marks.append(tuple(name for name in _FILLS if name in present))
    titles = {_symbol(number): f"{symbol}, as traded" for number, symbol in enumerate(busy[:MOST_SYMBOLS])}
    spec: dict[str, Any] = _filled(_price_layout(tuple(marks)), titles)
    return spec | {"datasets": data}, busy[MOST_SYMBOLS:]


@lru_cache(maxsize=32)
def _price_layout(marks: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    """Layout of one chart per symbol, given the kinds of fills that each has."""
    charts = [_price(number) + _marks(number, present) for number, present in enumerate(marks)]
    return _layout(alt.vconcat(*charts, spacing=14).resolve_scale(color="independent", shape="independent"))


def _symbol(number: int) -> str:
    """Placeholder of the title of the ``number``-th price chart."""
    return f"<symbol {number}>"


def _x() -> alt.X:
    return alt.X("date:T", title=None, scale=alt.Scale(type="utc"), axis=alt.Axis(labelFlush=True, tickCount=12))


def _day() -> alt.Tooltip:
    return alt.Tooltip("date:T", timeUnit="utcyearmonthdate", title="session")


def _equity(names: Sequence[str]) -> Any:
    scale = alt.Scale(domain=list(names), range=[_BLUE, _GREY][: len(names)])
    color = alt.Color("series:N", title=None, scale=scale, legend=alt.Legend(orient="top"))
    y = alt.Y("value:Q", title="Equity", scale=alt.Scale(type="log", nice=False), axis=alt.Axis(format="~s"))
    chart = alt.Chart(alt.NamedData("equity")).mark_line(strokeWidth=1.4)
    shown = [_day(), alt.Tooltip("series:N"), alt.Tooltip("value:Q", format=",.2f")]
    return chart.encode(x=_x(), y=y, color=color, tooltip=shown).properties(width=_WIDTH, height=260)


def _drawdown() -> Any:
    line = {"color": _RED, "strokeWidth": 1}
    chart = alt.Chart(alt.NamedData("drawdown")).mark_area(color=_RED, opacity=0.55, line=line)
    y = alt.Y("value:Q", title="Drawdown", axis=alt.Axis(format="%"))
    shown = [_day(), alt.Tooltip("value:Q", format=".2%", title="drawdown")]
    return chart.encode(x=_x(), y=y, tooltip=shown).properties(width=_WIDTH, height=110)


def _sharpe(title: str) -> Any:
    zero = alt.Chart(alt.NamedData("level")).mark_rule(color=_GREY, strokeDash=[3, 3]).encode(y="zero:Q")
    line = alt.Chart(alt.NamedData("sharpe")).mark_line(color=_BLUE, strokeWidth=1.2)
    shown = [_day(), alt.Tooltip("value:Q", format=".2f", title="Sharpe")]
    line = line.encode(x=_x(), y=alt.Y("value:Q", title=title), tooltip=shown)
    return alt.layer(zero, line).properties(width=_WIDTH, height=110)


def _exposure(*, has_net: bool) -> Any:
    """Gross exposure, and net beside it where anything was sold short."""
    scale = alt.Scale(domain=["gross", "net"], range=[_BLUE, _GREEN])
    legend = alt.Legend(orient="top") if has_net else None
    color = alt.Color("series:N", title=None, scale=scale, legend=legend)
    chart = alt.Chart(alt.NamedData("exposure")).mark_line(interpolate="step-after", strokeWidth=1)
    y = alt.Y("value:Q", title="Exposure", axis=alt.Axis(format="%"))
    shown = [_day(), "series:N", alt.Tooltip("value:Q", format=".1%")]
    return chart.encode(x=_x(), y=y, color=color, tooltip=shown).properties(width=_WIDTH, height=110)


def _fills(trades: pl.DataFrame) -> pl.DataFrame:
    """One row per entry and exit: date, price, what, quantity, pnl."""
    long = pl.col("quantity") > 0
    entries = trades.select(
        "quantity",
        date="entry_date",
        price="entry_price",
        what=pl.when(long).then(pl.lit("buy")).otherwise(pl.lit("sell short")),
        pnl=pl.lit(None, pl.Float64),
    )
    exits = trades.drop_nulls("exit_date").select(
        "quantity",
        date="exit_date",
        price="exit_price",
        what=pl.when(long).then(pl.lit("sell")).otherwise(pl.lit("buy back")),
        pnl="pnl",
    )
    return pl.concat([entries, exits])


def _price(number: int) -> Any:
    zoom = alt.selection_interval(bind="scales", encodings=["x"], name=f"zoom{number}")
    y = alt.Y("close:Q", title=_symbol(number), scale=alt.Scale(zero=False))
    chart = alt.Chart(alt.NamedData(f"prices{number}")).mark_line(color=_GREY, strokeWidth=1).encode(x=_x(), y=y)
    return chart.properties(width=_WIDTH, height=190).add_params(zoom)


def _marks(number: int, present: Sequence[str]) -> Any:
    names = list(present)
    legend = alt.Legend(orient="top", title=None)
    shapes = alt.Scale(domain=names, range=[_FILLS[name][0] for name in names])
    colors = alt.Scale(domain=names, range=[_FILLS[name][1] for name in names])
    shown = [
        _day(),
        alt.Tooltip("what:N"),
        alt.Tooltip("price:Q", format=",.2f"),
        alt.Tooltip("quantity:Q", format=",.2f"),
        alt.Tooltip("pnl:Q", format=",.2f", title="profit of the trip"),
    ]
    return (
        alt.Chart(alt.NamedData(f"fills{number}"))
        .mark_point(filled=True, size=55, opacity=0.9)
        .encode(
            x=_x(),
            y="price:Q",
            shape=alt.Shape("what:N", scale=shapes, legend=legend),
            color=alt.Color("what:N", scale=colors, legend=legend),
            tooltip=shown,
        )
    )
