"""The page around the charts: figures, tables and what was assumed, in one file that needs no network."""

from __future__ import annotations

import html
import json
import math
from functools import lru_cache
from typing import Any

import polars as pl
import vl_convert

from quant_assets.backtests.backtest import Backtest
from quant_assets.backtests.report.charts import account_chart, price_charts
from quant_assets.strategies import parameters_json

__all__ = ["report_html"]

_EVENTS = 30
_STYLE = """
body{font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:#1d2127;margin:0;background:#f6f7f9}
main{max-width:980px;margin:0 auto;padding:24px 28px 60px;background:#fff}
h1{font-size:22px;margin:0 0 2px}h2{font-size:16px;margin:30px 0 8px;border-bottom:1px solid #e3e6ea;padding-bottom:4px}
p{margin:6px 0}.quiet{color:#5d646e}
.note{background:#fff4e0;border-left:4px solid #d98324;padding:8px 12px;margin:12px 0}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(136px,1fr));gap:8px;margin:14px 0}
.figures div{border:1px solid #e3e6ea;border-radius:6px;padding:7px 10px}
.figures b{display:block;font-size:17px;font-variant-numeric:tabular-nums}.figures span{color:#5d646e;font-size:12px}
table{border-collapse:collapse;font-size:12.5px;font-variant-numeric:tabular-nums;width:100%}
th{font-weight:600;color:#5d646e;text-align:right;padding:3px 6px;border-bottom:1px solid #d9dce1}
td{text-align:right;padding:3px 6px;border-bottom:1px solid #eff1f3}th:first-child,td:first-child{text-align:left}
.scroll{overflow-x:auto}
code{font-size:12.5px;background:#f1f3f5;padding:1px 4px;border-radius:3px;overflow-wrap:anywhere}
"""
_ACCOUNT = """<h2>Account</h2><p class='quiet'>After costs; equity on a logarithmic scale. Scroll or drag on the equity
curve to zoom all four charts, double-click to go back.</p><div id='account'></div>"""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def report_html(result: Backtest, *, market: str | None = None) -> str:
    """The report of one backtest as a complete HTML document.

    Everything is inside the file: styles, the chart library, the data. The first line says why there were no trades
    where there were none.

    Parameters
    ----------
    result : Backtest
    market : str, optional
        Symbol behind the bench's market returns.
    """
    prices, left_out = price_charts(result)
    charts = {"account": account_chart(result, market)} | ({"prices": prices} if prices else {})
    title = f"{result.strategy.name} on {', '.join(result.bench.market.panel.symbols)}"
    body = "".join(
        (
            f"<p class='note'>{_text(result.note)}</p>" if result.note else "",
            _heading(result, title),
            _figures(result),
            _twin(result),
            _ACCOUNT,
            "<h2>Returns by month</h2>",
            _monthly(result),
            "<h2>By year</h2>",
            _table(result.by_year().drop("backtest_id")),
            _regimes(result),
            _prices(prices is not None, left_out),
            _assumptions(result),
            _events(result),
        )
    )
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{_text(title)}</title>"
        "<meta name='viewport' content='width=device-width'><link rel='icon' href='data:,'>"
        f"<style>{_STYLE}</style></head>"
        f"<body><main>{body}</main><script>{_library()}</script><script>{_embed(charts)}</script></body></html>"
    )


@lru_cache(maxsize=1)
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script; putting it together takes seconds, so once per process."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;")
    return bundle


def _embed(charts: dict[str, dict[str, Any]]) -> str:
    # "<" never ends the script element early when it is escaped.
    specs = json.dumps(charts, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f"(()=>{{const specs={specs};for(const id in specs)"
        "window.vegaEmbed('#'+id,specs[id],{actions:false,renderer:'svg'});})();"
    )


def _text(value: object) -> str:
    return html.escape(str(value))


def _number(value: float | None, form: str) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return format(value + 0.0, form)  # adding zero turns -0.0 into 0.0


def _heading(result: Backtest, title: str) -> str:
    dates = result.dates
    return (
        f"<h1>{_text(title)}</h1><p class='quiet'>{_text(type(result.strategy).summary)} "
        f"{dates[0]} to {dates[-1]}, {len(dates):,} sessions. Run <code>{result.backtest_id}</code>, parameters "
        f"<code>{_text(parameters_json(result.strategy))}</code>.</p>"
    )


def _figures(result: Backtest) -> str:
    m = result.measures
    shown = [
        ("Total return", _number(m.total_return, "+.1%")),
        ("CAGR", _number(m.cagr, "+.2%")),
        ("Volatility, annual", _number(m.volatility_ann, ".1%")),
        ("Sharpe", _number(m.sharpe, ".2f")),
        ("Sortino", _number(m.sortino, ".2f")),
        ("Calmar", _number(m.calmar, ".2f")),
        ("Deepest drawdown", _number(m.max_drawdown, ".1%")),
        ("VaR 95 %, a session", _number(m.var_95, ".2%")),
        ("CVaR 95 %, a session", _number(m.cvar_95, ".2%")),
        ("Omega", _number(m.omega, ".2f")),
        ("Skewness", _number(m.skewness, ".2f")),
        ("Tail ratio", _number(m.tail_ratio, ".2f")),
        ("Round trips", f"{len(result.run.trips):,}"),
        ("Win rate", _number(m.win_rate, ".0%")),
        ("Profit factor", _number(m.profit_factor, ".2f")),
        ("Average trade", _number(m.average_trade, "+.2%")),
        ("Turnover a year", _number(m.turnover_ann, ".1f") + "x"),
        ("Exposure", _number(m.exposure, ".0%")),
        ("Alpha a year", _number(m.alpha_ann, "+.1%")),
        ("Beta", _number(m.beta, ".2f")),
        ("Information ratio", _number(m.information_ratio, ".2f")),
        ("P(true Sharpe > 0)", _number(m.probabilistic_sharpe, ".0%")),
        (f"the same, best of {result.trials.count:,}", _number(result.deflated_sharpe, ".0%")),
    ]
    return (
        "<div class='figures'>" + "".join(f"<div><b>{v}</b><span>{_text(k)}</span></div>" for k, v in shown) + "</div>"
    )


def _twin(result: Backtest) -> str:
    if result.twin is None:
        return ""
    d = result.twin.difference
    return (
        f"<p><b>Against the rule twin</b> ({_text(result.twin.strategy)}, same costs and sizes): Sharpe "
        f"{_number(result.measures.sharpe, '.2f')} against {_number(result.twin.sharpe, '.2f')}, difference "
        f"{_number(d.difference, '+.2f')} with 95 % interval {_number(d.low, '+.2f')} to {_number(d.high, '+.2f')}.</p>"
    )


def _monthly(result: Backtest) -> str:
    curve = result.equity_curve().select("date", "equity")
    ends = curve.group_by(pl.col("date").dt.year().alias("year"), pl.col("date").dt.month().alias("month")).agg(
        pl.col("equity").last()
    ).sort("year", "month")  # fmt: skip
    before = ends["equity"].shift(1, fill_value=curve["equity"][0])
    ends = ends.with_columns(change=ends["equity"] / before - 1)
    head = "".join(f"<th>{name}</th>" for name in ("", *_MONTHS, "Year"))
    rows = []
    for (year,), part in ends.group_by("year", maintain_order=True):
        months = dict(zip(part["month"], part["change"], strict=True))
        whole = math.prod(1 + value for value in part["change"]) - 1
        cells = "".join(_shaded(months.get(month)) for month in range(1, 13))
        rows.append(f"<tr><td>{year}</td>{cells}{_shaded(whole)}</tr>")
    return f"<div class='scroll'><table><tr>{head}</tr>{''.join(rows)}</table></div>"


def _shaded(value: float | None) -> str:
    """A cell in green or red, full strength at 10 %."""
    if value is None:
        return "<td></td>"
    tone = "46,125,79" if value >= 0 else "179,55,47"
    return f"<td style='background:rgba({tone},{min(abs(value) / 0.1, 1.0) * 0.5:.2f})'>{value:+.1%}</td>"


def _table(frame: pl.DataFrame) -> str:
    percent = {"total_return", "volatility_ann", "max_drawdown", "exposure"}
    head = "".join(f"<th>{_text(name.replace('_', ' '))}</th>" for name in frame.columns)
    rows = []
    for row in frame.iter_rows(named=True):
        cells = (
            _number(value, ".1%" if name in percent else ".2f")
            if isinstance(value, float) or value is None
            else _text(value)
            for name, value in row.items()
        )
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<div class='scroll'><table><tr>{head}</tr>{''.join(rows)}</table></div>"


def _regimes(result: Backtest) -> str:
    parts = result.by_regime()
    if parts.is_empty():
        return "<h2>By regime</h2><p class='quiet'>No market regimes were stored when this run was made.</p>"
    return (
        "<h2>By regime</h2><p class='quiet'>Each session counts for the regime known at the close before it.</p>"
        + _table(parts.drop("backtest_id"))
    )


def _prices(drawn: bool, left_out: list[str]) -> str:
    if not drawn:
        return ""
    more = f" Not drawn: {', '.join(left_out)}." if left_out else ""
    said = f"Closes as traded, so a split is a jump.{more}"
    return f"<h2>Trades on price</h2><p class='quiet'>{_text(said)}</p><div id='prices'></div>"


def _assumptions(result: Backtest) -> str:
    b = result.bench
    rows = {**b.costs.model_dump(), **b.rules.model_dump(), "risk_free_rate": b.risk_free_rate}
    described = {**type(b.costs).model_fields, **type(b.rules).model_fields}
    lines = "".join(
        f"<tr><td>{_text(name)}</td><td>{_text(value)}</td><td style='text-align:left'>"
        f"{_text(described[name].description if name in described else 'Annual rate taken off in ratios.')}</td></tr>"
        for name, value in rows.items()
    )
    return (
        "<h2>What was assumed</h2><p class='quiet'>Decisions on a close are filled in the next session, never in their "
        f"own. Prices <code>{result.data_digest}</code>.</p><table><tr><th>setting</th><th>value</th>"
        f"<th style='text-align:left'>meaning</th></tr>{lines}</table>"
    )


def _events(result: Backtest) -> str:
    count = result.run.event_count
    if not count:
        return ""
    kept = result.events().head(_EVENTS)
    rows = "".join(
        f"<tr><td>{day}</td><td>{_text(symbol or 'account')}</td><td>{_text(kind)}</td><td>{value:,.4g}</td></tr>"
        for day, symbol, kind, value in kept.iter_rows()
    )
    return (
        f"<h2>Events</h2><p class='quiet'>{count:,} in all, the first {kept.height} here.</p>"
        f"<table><tr><th>session</th><th>symbol</th><th>what</th><th>value</th></tr>{rows}</table>"
    )
