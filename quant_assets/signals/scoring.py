"""Tonight's rows: scored by the champion, or by the heuristic where there is no champion that can."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.signals.base_rates import BaseRates, base_rates
from quant_assets.signals.calibration import PlattMap, log_odds, sigmoid
from quant_assets.signals.heuristic import (
    RULE_FEATURES,
    RULES,
    fit_heuristic_line,
    heuristic_parts,
    heuristic_score,
)
from quant_assets.signals.model_spec import LabelRule
from quant_assets.signals.reasons import BIAS, heuristic_reasons, top_reasons
from quant_assets.signals.recommendation import edge, recommend, recommend_by_score
from quant_assets.signals.signal_model import SignalModel
from quant_assets.signals.tables import CONTRIBUTIONS, SIGNALS
from quant_assets.signals.training_table import TrainingTable, feature_matrix

__all__ = [
    "HEURISTIC",
    "RULE_FEATURES",
    "HeuristicFit",
    "SignalRows",
    "fit_heuristic",
    "heuristic_rows",
    "model_rows",
]

Floats = npt.NDArray[np.float64]

HEURISTIC = "heuristic"
_LEAST_LABELS = 252
"""Matured labels that the heuristic's probability needs; below it there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class SignalRows:
    """Rows of ``signals.signals`` and of ``signals.contributions``."""

    signals: pl.DataFrame = field(repr=False)
    contributions: pl.DataFrame = field(repr=False)


@dataclass(frozen=True, slots=True)
class HeuristicFit:
    """What matured labels say about the heuristic's score: what it adds to the log-odds of the base rates."""

    line: PlattMap
    rates: BaseRates


def fit_heuristic(table: TrainingTable, horizon_days: int) -> HeuristicFit | None:
    """Calibrate the heuristic's score on every matured row; None where they are too few or of one kind."""
    rows = table.where(table.matured)
    score = heuristic_score(heuristic_parts(rows.matrix, rows.features))
    known = ~np.isnan(score)
    labels = rows.labels[known]
    if len(labels) < _LEAST_LABELS or len(np.unique(labels)) < 2:
        return None
    rates = base_rates(rows.symbols, rows.labels, horizon_days)
    line = fit_heuristic_line(score, rows.labels, rates.of(rows.symbols), rows.dates, horizon_days=horizon_days)
    return HeuristicFit(line, rates)


def model_rows(model: SignalModel, frame: pl.DataFrame, *, decided_at: dt.datetime, note: str = "") -> SignalRows:
    """Score rows of the feature store with a model.

    Rows of which the model knows fewer than half of the features are left out; the heuristic takes them.

    Parameters
    ----------
    model : SignalModel
    frame : DataFrame
        symbol, date and the model's features.
    decided_at : datetime
        The source's clock (aware).
    note : str
        Why this version scores and not the champion; empty for the champion.

    Raises
    ------
    DataError
        Where a feature is missing from the frame.
    """
    frame = model.scorable(frame)
    scores = model.score(frame)
    rule = model.card.spec.label
    edges = edge(scores.probability, scores.base_rate)
    count = len(model.card.features)
    reasons = [
        top_reasons(model.card.features, values, parts[:count])
        for values, parts in zip(scores.values, scores.contributions, strict=True)
    ]
    signals = _signals(
        frame,
        model.card.model,
        rule,
        decided_at,
        probability=scores.probability,
        base_rate=scores.base_rate,
        recommendation=recommend(edges, has_downside=rule.has_downside),
        model_version=model.card.model_version,
        log_odds=scores.log_odds,
        reasons=reasons,
        note=note,
    )
    values = np.column_stack(
        [scores.values.astype(np.float64), np.full((len(frame), len(scores.parts) - count), np.nan)]
    )
    return SignalRows(signals, _contributions(frame, model.card.model, scores.parts, values, scores.contributions))


def heuristic_rows(
    frame: pl.DataFrame,
    *,
    model: str,
    rule: LabelRule,
    fitted: HeuristicFit | None,
    note: str,
    decided_at: dt.datetime,
) -> SignalRows:
    """Rows by the heuristic: a recommendation by its score, and a probability as far as matured labels allow one.

    Parameters
    ----------
    frame : DataFrame
        symbol, date and features; a rule whose columns of ``RULE_FEATURES`` are missing counts 0.
    model : str
        Named model that could not score.
    rule : LabelRule
    fitted : HeuristicFit, optional
    note : str
        Why the heuristic is used.
    decided_at : datetime
    """
    present = [name for name in RULE_FEATURES if name in frame.columns]
    parts = heuristic_parts(feature_matrix(frame, present), present)
    score = heuristic_score(parts)
    shown = np.nan_to_num(parts)
    symbols = np.array(frame["symbol"].to_list(), dtype=np.str_)
    if fitted is None:
        odds = probability = rate = np.full(len(frame), np.nan)
        contributed, names = shown, RULES
    else:
        rate = fitted.rates.of(symbols)
        bias = (log_odds(rate) + fitted.line.intercept)[:, None]
        odds = np.nan_to_num(score) * fitted.line.slope + bias[:, 0]
        probability = sigmoid(odds)
        contributed, names = np.column_stack([shown * fitted.line.slope, bias]), (*RULES, BIAS)
    signals = _signals(
        frame,
        model,
        rule,
        decided_at,
        probability=probability,
        base_rate=rate,
        recommendation=recommend_by_score(score, has_downside=rule.has_downside),
        model_version=HEURISTIC,
        log_odds=odds,
        score=score,
        reasons=[heuristic_reasons(RULES, row) for row in parts],
        note=note,
    )
    values = np.column_stack([parts, np.full((len(frame), len(names) - len(RULES)), np.nan)])
    return SignalRows(signals, _contributions(frame, model, names, values, contributed))


def _signals(
    frame: pl.DataFrame,
    model: str,
    rule: LabelRule,
    decided_at: dt.datetime,
    *,
    probability: Floats,
    base_rate: Floats,
    recommendation: list[str],
    model_version: str,
    log_odds: Floats,
    reasons: list[str],
    note: str,
    score: Floats | None = None,
) -> pl.DataFrame:
    numbers = {
        "probability": probability,
        "base_rate": base_rate,
        "edge": edge(probability, base_rate),
        "log_odds": log_odds,
        "score": np.full(len(frame), np.nan) if score is None else score,
    }
    return (
        frame.select("symbol", "date")
        .with_columns(
            *(pl.Series(name, values, dtype=pl.Float64).fill_nan(None) for name, values in numbers.items()),
            pl.Series("recommendation", recommendation, dtype=pl.String),
            pl.Series("reasons", reasons, dtype=pl.String),
            model=pl.lit(model),
            source=pl.lit(HEURISTIC if model_version == HEURISTIC else "model"),
            model_version=pl.lit(model_version),
            decided_at=pl.lit(decided_at.astimezone(dt.UTC)).cast(pl.Datetime("us", "UTC")),
            horizon_days=pl.lit(rule.horizon_days, pl.Int32),
            threshold=pl.lit(rule.threshold, pl.Float64),
            note=pl.lit(note or None, pl.String),
        )
        .select(SIGNALS.column_names)
    )


def _contributions(
    frame: pl.DataFrame, model: str, names: Sequence[str], values: Floats, contributed: Floats
) -> pl.DataFrame:
    """One row per row of the frame and part."""
    repeated = np.repeat(np.arange(len(frame)), len(names))
    rows = frame.select("symbol", "date")[repeated]
    return rows.with_columns(
        pl.Series("feature", list(names) * len(frame), dtype=pl.String),
        pl.Series("value", values.reshape(-1), dtype=pl.Float64).fill_nan(None),
        pl.Series("contribution", contributed.reshape(-1), dtype=pl.Float64),
        model=pl.lit(model),
    ).select(CONTRIBUTIONS.column_names)
