"""The figures of a model version, each beside the naive one, in the rows of ``signals.model_metrics``.

Slices: ``all``; ``year:2008``, ``regime:bearish``, ``symbol:IBM``; ``decile:1`` (lowest probabilities) to
``decile:10``; ``against:logistic``, ``against:heuristic``, ``against:champion`` (rows on which both have a forecast,
the other's figure as baseline). Intervals are 95 % by blocks of sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.signals.metrics import (
    ClassMeasures,
    auc,
    brier,
    brier_skill,
    class_measures,
    decile_numbers,
    log_loss,
)
from quant_assets.signals.rank_ic import daily_rank_ic, summarise_rank_ic
from quant_assets.signals.scored_rows import ScoredRows
from quant_assets.signals.session_bootstrap import SessionBootstrap, block_length, interval

__all__ = ["CALIBRATION_TOLERANCE", "Figure", "evaluate", "figure_frame", "figure_of"]

Floats = npt.NDArray[np.float64]

CALIBRATION_TOLERANCE = 0.03
"""Difference of predicted and observed share that a decile may have in any case; else two block-bootstrap errors."""
_SMALLEST_SLICE = 50
_NORMAL_95 = 3.92
"""Width of a 95 % interval in standard errors of a normal law."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one slice; ``low`` and ``high`` bound the value, NaN without an interval."""

    metric: str
    slice: str
    value: float
    baseline: float
    baseline_name: str
    rows: int
    low: float = float("nan")
    high: float = float("nan")


def evaluate(scored: ScoredRows, rng: np.random.Generator) -> tuple[Figure, ...]:
    """Every figure of a version on its out-of-sample predictions; empty without rows.

    Parameters
    ----------
    scored : ScoredRows
    rng : Generator
        Draws the blocks.
    """
    if not len(scored):
        return ()
    bootstrap = SessionBootstrap.draw(scored.dates, rng, block_sessions=block_length(scored.horizon_days))
    return (
        *_overall(scored, bootstrap),
        *_calibration(scored, bootstrap),
        *_slices(scored),
        *_opponents(scored, rng),
    )


def figure_of(figures: tuple[Figure, ...], metric: str, of_slice: str = "all") -> Figure:
    """The figure with this name and slice.

    Raises
    ------
    KeyError
        Where there is none.
    """
    for figure in figures:
        if figure.metric == metric and figure.slice == of_slice:
            return figure
    raise KeyError(f"{metric} of {of_slice}")


def figure_frame(figures: tuple[Figure, ...], model: str, model_version: str) -> pl.DataFrame:
    """Rows of ``signals.model_metrics``; figures that are not defined are null."""
    columns = ("metric", "slice", "value", "baseline", "baseline_name", "rows", "low", "high")
    rows = [tuple(getattr(figure, name) for name in columns) for figure in figures]
    kinds = {"metric": pl.String, "slice": pl.String, "baseline_name": pl.String, "rows": pl.Int64}
    schema = {name: kinds.get(name, pl.Float64) for name in columns}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(
        pl.col("value", "baseline", "low", "high").fill_nan(None),
        model=pl.lit(model),
        model_version=pl.lit(model_version),
    )


def _overall(scored: ScoredRows, bootstrap: SessionBootstrap) -> Iterator[Figure]:
    rows = len(scored)
    ours, naive = class_measures(scored.probability, scored.labels), _majority(scored.labels)
    yield Figure("accuracy", "all", ours.accuracy, naive.accuracy, "more frequent class", rows)
    yield Figure(
        "balanced_accuracy", "all", ours.balanced_accuracy, naive.balanced_accuracy, "more frequent class", rows
    )
    for name in ("precision_weighted", "recall_weighted", "f1_weighted"):
        yield Figure(name, "all", getattr(ours, name), getattr(naive, name), "more frequent class", rows)
    drawn = bootstrap.auc(scored.probability, scored.labels)
    area = auc(scored.probability, scored.labels)
    yield Figure("auc", "all", area, auc(scored.base_rate, scored.labels), "base rate", rows, *interval(drawn))
    loss, naive_loss = (log_loss(p, scored.labels) for p in (scored.probability, scored.base_rate))
    yield Figure("log_loss", "all", loss, naive_loss, "base rate", rows)
    score, naive_score = (brier(p, scored.labels) for p in (scored.probability, scored.base_rate))
    yield Figure("brier", "all", score, naive_score, "base rate", rows)
    errors = bootstrap.sums((scored.probability - scored.labels) ** 2)
    naive_errors = bootstrap.sums((scored.base_rate - scored.labels) ** 2)
    skill = brier_skill(scored.probability, scored.base_rate, scored.labels)
    yield Figure("brier_skill", "all", skill, 0.0, "base rate", rows, *interval(1.0 - errors / naive_errors))
    yield from _rank_ic(scored)


def _majority(labels: Floats) -> ClassMeasures:
    """What always naming the class that came more often gives. Known only afterwards: no naive rule does better."""
    return class_measures(np.full(len(labels), float(labels.mean() > 0.5)), labels)


def _rank_ic(scored: ScoredRows) -> Iterator[Figure]:
    measured = summarise_rank_ic(
        *daily_rank_ic(scored.dates, scored.probability, scored.forward_returns), scored.horizon_days
    )
    naive = summarise_rank_ic(
        *daily_rank_ic(scored.dates, scored.base_rate, scored.forward_returns), scored.horizon_days
    )
    sessions, half = len(measured.daily), measured.error * _NORMAL_95 / 2.0
    low, high = measured.mean - half, measured.mean + half
    yield Figure("rank_ic", "all", measured.mean, naive.mean, "base rate", sessions, low, high)
    yield Figure("rank_icir", "all", measured.ratio, naive.ratio, "base rate", sessions)
    yield Figure("rank_ic_t", "all", measured.t_statistic, naive.t_statistic, "base rate", sessions)


def _calibration(scored: ScoredRows, bootstrap: SessionBootstrap) -> Iterator[Figure]:
    deciles = decile_numbers(scored.probability)
    off = 0
    for number in range(10):
        inside = deciles == number
        rows = int(inside.sum())
        if not rows:
            continue
        observed, predicted = float(scored.labels[inside].mean()), float(scored.probability[inside].mean())
        counts = bootstrap.sums(inside.astype(np.float64))
        events = bootstrap.sums(np.where(inside, scored.labels, 0.0))
        said = bootstrap.sums(np.where(inside, scored.probability, 0.0))
        gaps = np.divide(events - said, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        low, high = interval(gaps)
        name = f"decile:{number + 1}"
        yield Figure("observed_share", name, observed, predicted, "predicted share", rows)
        yield Figure("calibration_gap", name, observed - predicted, 0.0, "none", rows, low, high)
        error = (high - low) / _NORMAL_95
        off += abs(observed - predicted) > max(CALIBRATION_TOLERANCE, 2.0 * error)
    yield Figure("calibration_deciles_off", "all", float(off), 0.0, "none", len(scored))


def _slices(scored: ScoredRows) -> Iterator[Figure]:
    years = scored.dates.astype("datetime64[Y]").astype(str)
    for kind, values in (("year", years), ("regime", scored.regimes), ("symbol", scored.symbols)):
        for value in np.unique(values):
            part = scored.where(values == value)
            if value and len(part) >= _SMALLEST_SLICE:
                yield from _slice(part, f"{kind}:{value}")


def _slice(part: ScoredRows, name: str) -> Iterator[Figure]:
    rows = len(part)
    ours, naive = class_measures(part.probability, part.labels), _majority(part.labels)
    yield Figure("accuracy", name, ours.accuracy, naive.accuracy, "more frequent class", rows)
    for metric, measure in (("brier", brier), ("auc", auc)):
        value, baseline = measure(part.probability, part.labels), measure(part.base_rate, part.labels)
        yield Figure(metric, name, value, baseline, "base rate", rows)
    skill = brier_skill(part.probability, part.base_rate, part.labels)
    yield Figure("brier_skill", name, skill, 0.0, "base rate", rows)
    if not name.startswith("symbol:"):
        sessions, daily = daily_rank_ic(part.dates, part.probability, part.forward_returns)
        measured = summarise_rank_ic(sessions, daily, part.horizon_days)
        yield Figure("rank_ic", name, measured.mean, 0.0, "none", len(daily))


def _mean_ic(part: ScoredRows, forecast: Floats) -> float:
    daily = daily_rank_ic(part.dates, forecast, part.forward_returns)[1]
    return float(daily.mean()) if len(daily) else float("nan")


def _accuracy(probability: Floats, labels: Floats) -> float:
    return class_measures(probability, labels).accuracy


_MEASURES: dict[str, Callable[[Floats, Floats], float]] = {
    "accuracy": _accuracy,
    "brier": brier,
    "log_loss": log_loss,
    "auc": auc,
}


def _opponents(scored: ScoredRows, rng: np.random.Generator) -> Iterator[Figure]:
    for opponent, probability in scored.opponents.items():
        both = ~np.isnan(probability)
        if both.sum() < _SMALLEST_SLICE:
            continue
        part, other = scored.where(both), probability[both]
        name, rows = f"against:{opponent}", int(both.sum())
        for metric, measure in _MEASURES.items():
            value, baseline = measure(part.probability, part.labels), measure(other, part.labels)
            yield Figure(metric, name, value, baseline, opponent, rows)
        ours, theirs = (_mean_ic(part, forecast) for forecast in (part.probability, other))
        yield Figure("rank_ic", name, ours, theirs, opponent, rows)
        bootstrap = SessionBootstrap.draw(part.dates, rng, block_sessions=block_length(part.horizon_days))
        errors = bootstrap.sums((part.probability - part.labels) ** 2)
        their_errors = bootstrap.sums((other - part.labels) ** 2)
        skill = brier_skill(part.probability, other, part.labels)
        yield Figure("brier_skill", name, skill, 0.0, opponent, rows, *interval(1.0 - errors / their_errors))
