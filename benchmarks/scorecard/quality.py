"""The sentinel: planted bad bars found, and good ones raised, beside two naive rules; also on data never tuned on."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import polars as pl

from benchmarks.planted import Market, clean_figures, later_indices, packaged_market, planted_figures, synthetic_market
from benchmarks.scorecard.measured import measured
from benchmarks.scorecard.rows import Row
from quant_assets.quality.scan_state import ScanSettings

_CODE = ("quant_assets/quality", "quant_assets/replay", "quant_assets/foundation", "benchmarks/planted.py")
_INDENT = "\n              "


def _measure() -> dict:
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        return dict(pool.map(_market_figures, (synthetic_market, packaged_market, later_indices)))


def _market_figures(make: Callable[[], Market]) -> tuple[str, dict]:
    # Prophet moves these figures by a few tenths (docs/data-quality.md) and takes four times as long.
    market, settings = make(), ScanSettings(prophet=None)
    summary, by_kind = planted_figures(market, settings)
    naive = [by_kind[name]["night"].alias(name) for name in by_kind if name != "sentinel"]
    found = by_kind["sentinel"].rename({"night": "sentinel"}).with_columns(naive)
    return market.name, {"clean": clean_figures(market, settings), "summary": summary, "by_kind": found.to_dicts()}


@cache
def _figures() -> dict:
    return measured("planted_anomalies", _CODE, _measure, takes="a minute on two cores")


def _found(_connection) -> str:
    return _INDENT.join(
        f"{market}: {_market_line(figures['summary'], figures['clean'])}" for market, figures in _figures().items()
    )


def _market_line(summary: dict, clean: dict) -> str:
    own = summary["sentinel"]
    naive = "; ".join(
        f"{name} rule {one['recall_on_night']:.0%}, {one['false_per_10_000']:.0f}"
        for name, one in summary.items()
        if name != "sentinel"
    )
    return (
        f"{own['recall_on_night']:.1%} on the night, {own['recall_with_hindsight']:.1%} with hindsight, precision "
        f"{own['precision']:.0%}, false alarms per 10,000 bars {own['false_per_10_000']:.0f} ({naive}); "
        f"with nothing planted {clean['sentinel']:.0f} bars in 10,000 are raised"
    )


def _by_kind(_connection) -> str:
    table = pl.concat([pl.DataFrame(figures["by_kind"]) for figures in _figures().values()], how="vertical_relaxed")
    n = pl.col("planted")
    methods = [name for name in table.columns if name not in {"kind", "size", "is_material", "planted"}]
    pooled = (
        table.group_by("kind", "is_material")
        .agg(n.sum().alias("total"), *((pl.col(name) * n).sum() / n.sum() for name in methods))
        .sort("is_material", "kind", descending=[True, False])
    )
    lines = [
        f"{row['kind']}{'' if row['is_material'] else ', smaller sizes'}: "
        f"{row['sentinel']:.0%} / {row['later']:.0%} of {row['total']} (20 % rule {row['20 % jump']:.0%}, "
        f"5 sigma {row['5 sigma']:.0%})"
        for row in pooled.iter_rows(named=True)
    ]
    return _INDENT.join(lines)


ROWS = (
    Row(
        "planted anomalies of material size found",
        "> 95 % on the night, at most 50 false alarms per 10,000 bars",
        _found,
    ),
    Row("the same by kind: on the night / with hindsight", "stated", _by_kind),
)
