"""Training as a run does it: read, train each model that is asked for, register, say what came of it."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.features.consumers import read_features
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import DataError, UsageError
from quant_assets.foundation.table_store import TableStore
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.ops.tables import RUN_STATE
from quant_assets.signals.challenger import Making
from quant_assets.signals.challenger_review import Review, champion_predictions, review_challenger
from quant_assets.signals.evaluation import Figure
from quant_assets.signals.feature_list import CONSUMERS, FEATURE_VERSION, FEATURES, REGIME_COLUMN
from quant_assets.signals.fold_training import folds_at_once
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.ledger import CHALLENGER, CHAMPION
from quant_assets.signals.model_spec import DEFAULT_MODELS, LabelRule, ModelSpec
from quant_assets.signals.registration import ModelRegistry, follow_ledger, register, remove_leftovers
from quant_assets.signals.signal_model import ModelCard
from quant_assets.signals.training import Circumstances, TrainedModel, train_model
from quant_assets.signals.training_table import training_table

__all__ = [
    "TrainingInputs",
    "TrainingOutcome",
    "named_spec",
    "read_training_inputs",
    "requested_spec",
    "retrain",
    "train_and_register",
    "untrained",
]

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingInputs:
    """What every model of a run is trained on.

    Parameters
    ----------
    features : DataFrame
        symbol, date, the features and the market's regime.
    closes : DataFrame
        symbol, date, close (adjusted).
    sessions : array of datetime64[D]
        The exchange's.
    clock : datetime
        The source's.
    """

    features: pl.DataFrame = field(repr=False)
    closes: pl.DataFrame = field(repr=False)
    sessions: npt.NDArray[np.datetime64] = field(repr=False)
    clock: dt.datetime


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """What came of training one model; without a card it failed, and the reason says why.

    ``review`` is what came of judging the challenger that was held before; None where there was none.
    """

    model: str
    reason: str
    alias: str | None = None
    card: ModelCard | None = None
    figures: tuple[Figure, ...] = field(default=(), repr=False)
    review: Review | None = None


def read_training_inputs(store: TableStore) -> TrainingInputs:
    """Read features, closes and the run's clock."""
    clock: dt.datetime = store.read(RUN_STATE, ["source_clock"])["source_clock"][0]
    closes = store.read(ADJUSTED_PRICES, ["symbol", "date", "close"])
    features = read_features(store, CONSUMERS[0])
    return TrainingInputs(features, closes, new_york_calendar().sessions, clock)


def untrained(registry: ModelRegistry) -> tuple[ModelSpec, ...]:
    """The default models of which no version holds an alias: what a first night trains."""
    held = {holder.model for holder in registry.ledger.holders()}
    return tuple(spec for spec in DEFAULT_MODELS if spec.name not in held)


def named_spec(registry: ModelRegistry, name: str) -> ModelSpec | None:
    """The specification that a retraining of a model starts from; None for a name that is new.

    A default model's is the code's; another model's is that of its champion, or of its challenger.
    """
    for spec in DEFAULT_MODELS:
        if spec.name == name:
            return spec
    for alias in (CHAMPION, CHALLENGER):
        version = registry.ledger.holder(name, alias)
        if version is not None:
            return registry.load(version).card.spec
    return None


def requested_spec(registry: ModelRegistry, name: str, label: LabelRule | None, **changes: Any) -> ModelSpec:
    """The specification of a training that a person asked for.

    Parameters
    ----------
    name : str
        A known model, or a new name.
    label : LabelRule, optional
        Needed for a new name; a known model keeps its event.
    changes
        Other fields of the specification; those that are None stay as they are.

    Raises
    ------
    UsageError
        Where a new model has no event, or a known one is asked to predict another.
    """
    known = named_spec(registry, name)
    if known is None and label is None:
        raise UsageError(f"there is no model {name} yet; give horizon_days and threshold to make one.")
    if known is not None and label is not None and known.label != label:
        raise UsageError(
            f"{name} predicts {known.label.words}, not {label.words}; give a model of another event its own name."
        )
    spec = known if known is not None else ModelSpec(name, label or DEFAULT_MODELS[0].label)
    return spec.with_changes(**changes)


def retrain(
    store: TableStore,
    registry: ModelRegistry,
    inputs: TrainingInputs,
    specs: Sequence[ModelSpec],
    *,
    keep_challengers: bool,
    actor: str,
    revision: str,
    report: Report,
) -> tuple[TrainingOutcome, ...]:
    """Judge the challengers that are held of some models again, then train a version of each model.

    Judging comes first and is complete before anything is trained: a challenger that wins is the champion that the new
    version has to beat.

    Parameters
    ----------
    keep_challengers : bool
        Whether challengers keep their place until they have had their quarter, as the calendar lets them; else new
        versions take it, as where drift or a person asked for the training.
    actor, revision, report
        As in :func:`train_and_register`.
    """
    reviews: dict[str, Review | None] = {}
    for name in dict.fromkeys(spec.name for spec in specs):
        review = reviews[name] = review_challenger(store, registry, name, inputs.closes, actor=actor)
        if review is not None:
            report(f"{review.card.model_version}: {review.reason}")
    outcomes = []
    for spec in specs:
        review = reviews[spec.name]
        waits = review.reason_to_stay(spec) if keep_challengers and review is not None else ""
        outcome = train_and_register(
            store, registry, inputs, spec, actor=actor, revision=revision, report=report, reason_to_wait=waits
        )
        outcomes.append(replace(outcome, review=review))
    return tuple(outcomes)


def train_and_register(
    store: TableStore,
    registry: ModelRegistry,
    inputs: TrainingInputs,
    spec: ModelSpec,
    *,
    actor: str,
    revision: str,
    report: Report,
    reason_to_wait: str = "",
) -> TrainingOutcome:
    """Train one version, keep it, and give it the alias that it earned.

    A history that does not allow training is an outcome, recorded with its reason; the model stays as it was.

    Parameters
    ----------
    actor : str
        Job or person, for the record.
    revision : str
        Code revision.
    report : callable
        Called with one line per fold.
    reason_to_wait : str
        As in :func:`quant_assets.signals.registration.register`.
    """
    for version in remove_leftovers(store, registry):
        report(f"{version} was left by a training that was killed; it is removed")
    try:
        trained = _train(store, registry, inputs, spec, revision=revision, report=report)
    except DataError as error:
        registry.ledger.note(spec.name, None, "failed", actor=actor, reason=str(error))
        follow_ledger(store, registry)
        return TrainingOutcome(spec.name, str(error))
    alias = register(store, registry, trained, actor=actor, reason_to_wait=reason_to_wait)
    follow_ledger(store, registry)
    reason = trained.verdict.reason if alias else f"{trained.verdict.reason}; {reason_to_wait}"
    report(f"{trained.model.card.model_version} is {alias or 'kept'}: {reason}")
    return TrainingOutcome(spec.name, reason, alias, trained.model.card, trained.figures)


def _train(
    store: TableStore,
    registry: ModelRegistry,
    inputs: TrainingInputs,
    spec: ModelSpec,
    *,
    revision: str,
    report: Report,
) -> TrainedModel:
    if unknown := sorted(set(spec.symbols) - set(inputs.closes["symbol"].unique().to_list())):
        raise UsageError(f"there are no prices of {', '.join(unknown)}; choose symbols of the universe")
    labels = forward_labels(inputs.closes, spec.label, inputs.sessions)
    table = training_table(
        inputs.features,
        labels,
        FEATURES,
        regime_column=REGIME_COLUMN,
        symbols=spec.symbols,
        lookback_sessions=spec.lookback_sessions,
    )
    circumstances = Circumstances(registry.next_version(spec.name, store), FEATURE_VERSION, inputs.clock, revision)
    champion = champion_predictions(store, registry, Making.asked_for(spec, FEATURES, FEATURE_VERSION))
    cores = os.cpu_count() or 1
    at_once = folds_at_once(table, cores)
    with ThreadPoolExecutor(at_once) as pool:
        return train_model(
            table,
            spec,
            circumstances,
            champion=champion,
            fold_map=pool.map,
            threads=max(1, cores // at_once),
            report=report,
        )
