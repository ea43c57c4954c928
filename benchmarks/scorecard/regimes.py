"""Regimes: every method on the reference market beside the true-parameter filter, and what labels said of real history.

The figures of the reference market come from ``regimes.evaluation`` where somebody had ``evaluate_regimes`` label it
(the only way that includes Markov switching, a minute of fits a market). Else they are measured here.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from benchmarks.scorecard.measured import measured
from benchmarks.scorecard.rows import NOT_MEASURED, Row, rows
from quant_assets.regimes.evaluation import evaluate_market, summarise_markets

_SEEDS = range(10)
_QUICK = ("gaussian_mixture", "pca_kmeans", "threshold")
_CODE = ("quant_assets/regimes", "quant_assets/foundation")
_STORED = """
SELECT method, measure, value FROM regimes.evaluation
WHERE source = 'reference' AND slice = 'all' AND (
    SELECT count(DISTINCT slice) FROM regimes.evaluation WHERE source = 'reference' AND measure = 'accuracy') > 10
"""
"""A slice for each market and one for all of them."""
_HISTORY = """
SELECT method, measure, slice, value, detail FROM regimes.evaluation WHERE source = 'history'
"""


def _measure() -> dict:
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.map(partial(evaluate_market, baselines=_QUICK), _SEEDS)
        summary = summarise_markets(dict(zip(_SEEDS, found, strict=True)))
    return _by_method(row for row in summary.select("method", "measure", "value", "slice").rows() if row[3] == "all")


def _by_method(found) -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, float]] = {}
    for method, measure, value, *_ in found:
        figures.setdefault(method, {})[measure] = value
    return figures


def _figures(connection) -> dict:
    stored = _by_method(rows(connection, _STORED))
    return stored or measured("regimes_reference", _CODE, _measure, takes="two minutes on two cores")


def _line(name: str, own: dict) -> str:
    delay = own["median_delay"]
    return (
        f"{name} {own['accuracy']:.1%} (F1 {own['macro_f1']:.2f}, delay "
        f"{'over a stay' if delay is None else f'{delay:g} sessions'}, "
        f"{own['false_switches_per_year']:.1f} false switches a year)"
    )


def _accuracy(connection) -> str:
    found = _figures(connection)
    own = found.pop("hmm")
    ceiling, others = found["ceiling"], [name for name in found if not name.startswith(("ceiling", "hmm"))]
    others.sort(key=lambda name: -found[name]["accuracy"])
    lines = [
        f"{own['accuracy'] / ceiling['accuracy']:.1%} of the ceiling; {_line('hmm', own)}",
        _line("ceiling (true parameters)", ceiling),
        *(_line(name, found[name]) for name in others),
    ]
    if "markov_switching" not in found:
        lines.append("markov_switching: ten minutes more, through evaluate_regimes (docs/regimes.md says how)")
    return "\n              ".join(lines)


def _history(connection) -> str:
    found = rows(connection, _HISTORY)
    shares = {method: v for method, measure, part, v, _ in found if (measure, part) == ("next_20d_volatility", "all")}
    flips = {method: v for method, measure, _, v, _ in found if measure == "flips_per_year"}
    said = [f"{part} {label}" for method, measure, part, _, label in found if (method, measure) == ("hmm", "label")]
    if not shares:
        return NOT_MEASURED
    explained = ", ".join(
        f"{method} {value:.0%} with {flips[method]:.1f} label changes a year"
        for method, value in shares.items()
        if value
    )
    return f"{explained}\n              labels of known dates: {', '.join(sorted(said)) or 'none inside the history'}"


ROWS = (
    Row(
        "regime accuracy, ten reference markets",
        "> 80 %, or 95 % of the ceiling where that is lower; delay < 15; < 6 false switches a year; above baselines",
        _accuracy,
    ),
    Row(
        "variance of the next 20 sessions' volatility that today's label explains",
        "above the two-rule threshold",
        _history,
    ),
)
