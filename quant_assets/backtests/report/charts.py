"""Charts of a backtest as Vega-Lite specifications."""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass(eq=False)
class _Sheet:
    """Rows by name, put into the finished specification as they are: Altair would validate each of them."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, name: str, frame: pl.DataFrame) -> alt.NamedData:
        """Keep rows with dates as text and six significant digits, which is more than a pixel can show."""
        rounded = frame.with_columns(pl.col(pl.Float64).round_sig_figs(6), pl.col(pl.Date).cast(pl.String))
        self.rows[name] = rounded.to_dicts()
        return alt.NamedData(name)

    def finished(self, chart: alt.VConcatChart) -> dict[str, Any]:
        """The specification with house style and data."""
        styled = chart.configure_view(stroke="#d9dce1").configure_axis(
            gridColor="#eceef1", labelColor="#444", titleColor="#444", titleFontWeight="normal", domainColor="#c5c9d0"
        )
        spec: dict[str, Any] = styled.to_dict()
        return spec | {"datasets": self.rows}


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
    sheet, curve = _Sheet(), result.equity_curve()
    equity = curve["equity"].to_numpy()
    window = min(SESSIONS_PER_YEAR, max(20, len(equity) // 4))
    rolling = np.concatenate([[np.nan], rolling_sharpe(simple_returns(equity), window)])
    sharpe = curve.select("date", value=pl.Series(rolling).fill_nan(None))
    zoom = alt.selection_interval(bind="scales", encodings=["x"], name="zoom")
    chart = alt.vconcat(
        _equity(sheet, result, market).add_params(zoom),
        _drawdown(sheet.add("drawdown", curve.select("date", value="drawdown"))),
        _sharpe(sheet, sharpe, f"Sharpe, {window} sessions"),
        _exposure(sheet, curve),
        spacing=14,
    )
    return sheet.finished(chart.resolve_scale(x="shared", color="independent"))


def price_charts(result: Backtest) -> tuple[dict[str, Any] | None, list[str]]:
    """Closes as traded with entries and exits, for the symbols with most trades, and the symbols left out."""
    trades = result.trades()
    if trades.is_empty():
        return None, []
    order = trades.group_by("symbol").len().sort("len", "symbol", descending=[True, False])
    busy: list[str] = order["symbol"].to_list()
    panel, rows, sheet = result.bench.market.panel, slice(result.bench.first, result.bench.last + 1), _Sheet()
    charts = []
    for number, symbol in enumerate(busy[:MOST_SYMBOLS]):
        close = panel.close[rows, panel.symbols.index(symbol)]
        prices = pl.DataFrame({"date": result.dates, "close": close}).with_columns(pl.col("close").fill_nan(None))
        fills = _fills(trades.filter(pl.col("symbol") == symbol))
        chart = _price(sheet.add(f"prices{number}", prices), symbol, number)
        charts.append(chart + _marks(sheet.add(f"fills{number}", fills), fills["what"].unique().to_list()))
    stacked = alt.vconcat(*charts, spacing=14).resolve_scale(color="independent", shape="independent")
    return sheet.finished(stacked), busy[MOST_SYMBOLS:]


def _x() -> alt.X:
    return alt.X("date:T", title=None, scale=alt.Scale(type="utc"), axis=alt.Axis(labelFlush=True, tickCount=12))


def _day() -> alt.Tooltip:
    return alt.Tooltip("date:T", timeUnit="utcyearmonthdate", title="session")


def _equity(sheet: _Sheet, result: Backtest, market: str | None) -> Any:
    name, curve = result.strategy.name, result.equity_curve()
    lines = curve.select("date", value="equity", series=pl.lit(name))
    names = [name]
    if len(result.bench.market_returns):
        worth = result.run.equity[0] * np.concatenate([[1.0], np.cumprod(1.0 + result.bench.market_returns)])
        names.append(f"market ({market})")
        lines = pl.concat([lines, curve.select("date", value=pl.Series(worth), series=pl.lit(names[1]))])
    scale = alt.Scale(domain=names, range=[_BLUE, _GREY][: len(names)])
    color = alt.Color("series:N", title=None, scale=scale, legend=alt.Legend(orient="top"))
    y = alt.Y("value:Q", title="Equity", scale=alt.Scale(type="log", nice=False), axis=alt.Axis(format="~s"))
    chart = alt.Chart(sheet.add("equity", lines)).mark_line(strokeWidth=1.4)
    shown = [_day(), alt.Tooltip("series:N"), alt.Tooltip("value:Q", format=",.2f")]
    return chart.encode(x=_x(), y=y, color=color, tooltip=shown).properties(width=_WIDTH, height=260)


def _drawdown(data: alt.NamedData) -> Any:
    chart = alt.Chart(data).mark_area(color=_RED, opacity=0.55, line={"color": _RED, "strokeWidth": 1})
    y = alt.Y("value:Q", title="Drawdown", axis=alt.Axis(format="%"))
    shown = [_day(), alt.Tooltip("value:Q", format=".2%", title="drawdown")]
    return chart.encode(x=_x(), y=y, tooltip=shown).properties(width=_WIDTH, height=110)


def _sharpe(sheet: _Sheet, sharpe: pl.DataFrame, title: str) -> Any:
    level = sheet.add("level", pl.DataFrame({"zero": [0.0]}))
    zero = alt.Chart(level).mark_rule(color=_GREY, strokeDash=[3, 3]).encode(y="zero:Q")
    line = alt.Chart(sheet.add("sharpe", sharpe)).mark_line(color=_BLUE, strokeWidth=1.2)
    shown = [_day(), alt.Tooltip("value:Q", format=".2f", title="Sharpe")]
    line = line.encode(x=_x(), y=alt.Y("value:Q", title=title), tooltip=shown)
    return alt.layer(zero, line).properties(width=_WIDTH, height=110)


def _exposure(sheet: _Sheet, curve: pl.DataFrame) -> Any:
    """Gross exposure, and net beside it where anything was sold short."""
    chosen = {"gross": "exposure"}
    if (curve["exposure"] != curve["net_exposure"]).any():
        chosen["net"] = "net_exposure"
    lines = pl.concat(curve.select("date", value=column, series=pl.lit(name)) for name, column in chosen.items())
    scale = alt.Scale(domain=["gross", "net"], range=[_BLUE, _GREEN])
    legend = alt.Legend(orient="top") if len(chosen) > 1 else None
    color = alt.Color("series:N", title=None, scale=scale, legend=legend)
    chart = alt.Chart(sheet.add("exposure", lines)).mark_line(interpolate="step-after", strokeWidth=1)
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


def _price(data: alt.NamedData, symbol: str, number: int) -> Any:
    zoom = alt.selection_interval(bind="scales", encodings=["x"], name=f"zoom{number}")
    y = alt.Y("close:Q", title=f"{symbol}, as traded", scale=alt.Scale(zero=False))
    chart = alt.Chart(data).mark_line(color=_GREY, strokeWidth=1).encode(x=_x(), y=y)
    return chart.properties(width=_WIDTH, height=190).add_params(zoom)


def _marks(data: alt.NamedData, present: list[str]) -> Any:
    names = [name for name in _FILLS if name in present]
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
        alt.Chart(data)
        .mark_point(filled=True, size=55, opacity=0.9)
        .encode(
            x=_x(),
            y="price:Q",
            shape=alt.Shape("what:N", scale=shapes, legend=legend),
            color=alt.Color("what:N", scale=colors, legend=legend),
            tooltip=shown,
        )
    )
