"""Every method under one causal protocol: on the reference market, where the truth is known, and on stored history.

A market of the reference is labelled as a night would label it: monthly refits on what came before, filtering, the
persistence rule. Scores leave out the first sessions, which the threshold rule labels for every method.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.reference_market import (
    REFERENCE,
    ReferenceParameters,
    ReferencePath,
    reference_path,
    true_filter,
)
from quant_assets.regimes.baselines import BASELINES, Baseline, label_baseline
from quant_assets.regimes.market import MarketSettings, label_market, market_features
from quant_assets.regimes.persistence import confirmed_states
from quant_assets.regimes.scores import score_labels
from quant_assets.regimes.separation import label_habits, next_drawdown, next_volatility, separation
from quant_assets.regimes.states import STATES, Regime
from quant_assets.regimes.threshold import THRESHOLD_VERSION

__all__ = ["KNOWN_DATES", "evaluate_history", "evaluate_market", "reference_closes", "summarise_markets"]

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int64]

KNOWN_DATES = (dt.date(2000, 3, 24), dt.date(2002, 10, 9), dt.date(2008, 9, 15), dt.date(2009, 3, 9))
"""The top of 2000, the low of 2002, Lehman's failure, the low of 2009."""
_MARKET = "MARKET"
_FIRST_SESSION = dt.date(1992, 1, 2)


def reference_closes(path: ReferencePath) -> pl.DataFrame:
    """Prices of a reference market as symbol, date, close: MARKET and S01 to S20 on New York sessions from 1992."""
    calendar = new_york_calendar()
    count = len(path.states) + 1
    dates = calendar.sessions_between(_FIRST_SESSION, calendar.shift(_FIRST_SESSION, count - 1))
    columns = {_MARKET: path.market_returns}
    columns |= {f"S{i + 1:02d}": path.symbol_returns[:, i] for i in range(path.symbol_returns.shape[1])}
    prices = {name: 100 * np.exp(np.concatenate([[0.0], np.cumsum(column)])) for name, column in columns.items()}
    wide = pl.DataFrame({"date": dates, **prices})
    return wide.unpivot(index="date", variable_name="symbol", value_name="close").select("symbol", "date", "close")


def evaluate_market(
    seed: int, baselines: Sequence[str] = tuple(BASELINES), parameters: ReferenceParameters = REFERENCE
) -> dict[str, dict[str, float]]:
    """Scores of every method on the reference market of one seed.

    Parameters
    ----------
    seed : int
    baselines : sequence of str
        Names in ``BASELINES``.
    parameters : ReferenceParameters
        The reference's own; a shorter market for a quick look.

    Returns
    -------
    dict
        Method to measures. ``hmm`` is what the tables store; ``hmm_most_probable`` leaves the persistence rule out;
        ``ceiling`` is the most probable state of the filter with the true parameters, ``ceiling_labelled`` the same
        under the persistence rule.
    """
    path = reference_path(np.random.default_rng(seed), parameters)
    features = market_features(reference_closes(path), _MARKET)
    rows = label_market(features, settings=MarketSettings()).rows
    others = {name: label_baseline(features, BASELINES[name])[1] for name in baselines}
    labels = _states(rows["regime"])
    skipped = len(path.states) - rows.height
    truth, true_probabilities = path.states[skipped:], true_filter(path.market_returns, parameters)[skipped:]
    methods: dict[str, States] = {
        "hmm": labels,
        "hmm_most_probable": rows.select(f"p_{state}" for state in STATES).to_numpy().argmax(axis=1),
        "ceiling": true_probabilities.argmax(axis=1),
        "ceiling_labelled": confirmed_states(true_probabilities, None),
        **others,
    }
    first = int((rows["model_version"] == THRESHOLD_VERSION).sum())
    return {name: asdict(score_labels(truth[first:], states[first:])) for name, states in methods.items()}


def summarise_markets(scores: Mapping[int, Mapping[str, Mapping[str, float]]]) -> pl.DataFrame:
    """Rows of ``regimes.evaluation`` from the scores of several seeds.

    Returns
    -------
    polars.DataFrame
        method, measure, slice (the seed, or ``all``), value, standard_error. ``all`` is the mean over seeds with its
        standard error; for the median delay it is the median over seeds. ``accuracy_to_ceiling`` is a method's mean
        accuracy over that of the ceiling.
    """
    long = pl.DataFrame(
        [
            (method, measure, str(seed), value)
            for seed, methods in scores.items()
            for method, measures in methods.items()
            for measure, value in measures.items()
        ],
        schema={"method": pl.String, "measure": pl.String, "slice": pl.String, "value": pl.Float64},
        orient="row",
    )
    is_delay = pl.col("measure") == "median_delay"
    total = long.group_by("method", "measure", maintain_order=True).agg(
        pl.lit("all").alias("slice"),
        pl.when(is_delay.first()).then(pl.col("value").median()).otherwise(pl.col("value").mean()).alias("value"),
        pl.when(~is_delay.first()).then(pl.col("value").std() / pl.len().sqrt()).alias("standard_error"),
    )
    accuracy = total.filter(pl.col("measure") == "accuracy")
    ceiling = accuracy.filter(pl.col("method") == "ceiling")["value"][0]
    relative = accuracy.with_columns(
        pl.lit("accuracy_to_ceiling").alias("measure"),
        pl.col("value") / ceiling,
        pl.lit(None, dtype=pl.Float64).alias("standard_error"),
    )
    return pl.concat([total, relative, long.with_columns(pl.lit(None, dtype=pl.Float64).alias("standard_error"))])


def evaluate_history(
    closes: pl.DataFrame,
    features: pl.DataFrame,
    rows: pl.DataFrame,
    baselines: Mapping[str, Baseline] = BASELINES,
    known_dates: Iterable[dt.date] = KNOWN_DATES,
) -> pl.DataFrame:
    """What labels of the stored history were worth, for every method on the same sessions.

    Parameters
    ----------
    closes : polars.DataFrame
        date, close of the market symbol.
    features : polars.DataFrame
        Rows of ``regimes.market_features``.
    rows : polars.DataFrame
        Rows of ``regimes.market_regimes``.
    baselines : mapping of str to Baseline
    known_dates : iterable of date
        Those inside the history get a row with the label each method gave.

    Returns
    -------
    polars.DataFrame
        method, measure, slice, value, standard_error, detail. Measures: ``next_20d_volatility`` (a year) and
        ``next_20d_drawdown`` by regime, with R squared under ``all``; label habits; ``label`` on known dates, whose
        value is the label's probability.
    """
    paths = {name: label_baseline(features, baseline) for name, baseline in baselines.items()}
    own = rows.select(f"p_{state}" for state in STATES).to_numpy()
    paths = {"hmm": (own, _states(rows["regime"])), **paths}
    aligned = rows.select("date", "model_version").join(closes, on="date", how="left", maintain_order="left")
    first = int((rows["model_version"] == THRESHOLD_VERSION).sum())
    outcomes = {
        "next_20d_volatility": next_volatility(aligned["close"].to_numpy()),
        "next_20d_drawdown": next_drawdown(aligned["close"].to_numpy()),
    }
    parts = []
    for method, (probabilities, states) in paths.items():
        for measure, outcome in outcomes.items():
            parts.append(_tagged(separation(outcome[first:], states[first:]), method, measure))
        if first < len(states):
            parts.append(_habits(method, states[first:]))
        parts.append(_on_known_dates(method, rows["date"], probabilities, states, known_dates))
    return pl.concat(parts)


def _habits(method: str, states: States) -> pl.DataFrame:
    habits = label_habits(states)
    frame = pl.DataFrame({"measure": list(habits), "slice": "all", "value": list(habits.values())})
    return _tagged(frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("standard_error")), method)


def _on_known_dates(
    method: str, dates: pl.Series, probabilities: Floats, states: States, known: Iterable[dt.date]
) -> pl.DataFrame:
    """The label of the newest session not after each known date that lies inside the history."""
    found = []
    for date in known:
        row = int((dates <= date).sum()) - 1
        if row >= 0 and date <= dates[-1]:
            state = int(states[row])
            found.append((str(date), float(probabilities[row, state]), None, str(STATES[state])))
    schema = {"slice": pl.String, "value": pl.Float64, "standard_error": pl.Float64, "detail": pl.String}
    return _tagged(pl.DataFrame(found, schema=schema, orient="row"), method, "label")


def _tagged(frame: pl.DataFrame, method: str, measure: str = "") -> pl.DataFrame:
    frame = frame.with_columns(pl.lit(method).alias("method"))
    if measure:
        frame = frame.with_columns(pl.lit(measure).alias("measure"))
    if "detail" not in frame.columns:
        frame = frame.with_columns(pl.lit("").alias("detail"))
    return frame.select("method", "measure", "slice", "value", "standard_error", "detail")


def _states(labels: pl.Series) -> States:
    return np.array([STATES.index(Regime(label)) for label in labels], dtype=np.int64)
