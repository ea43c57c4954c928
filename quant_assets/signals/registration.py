"""Keeping a trained version: folder, MLflow, tables, aliases, in an order in which a kill leaves no half of one.

1. The folder appears whole (a rename). 2. MLflow records it; where MLflow fails, an alert says so and the version goes
on without. 3. One transaction writes its rows. 4. One transaction of the ledger gives it its alias. A folder that
neither the rows nor the ledger know was left by a kill and is removed before the next training; a version without alias
is kept and never scores. Rows that the ledger knows and a lost warehouse does not are written again from the folders.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import polars as pl

from quant_assets.foundation.errors import StorageError
from quant_assets.foundation.table_store import TableStore
from quant_assets.ops.store import OperationsStore
from quant_assets.signals.alerts import raise_alert
from quant_assets.signals.charts import calibration_chart, importance_chart
from quant_assets.signals.evaluation import Figure, figure_frame
from quant_assets.signals.ledger import CHALLENGER, CHAMPION, ModelLedger
from quant_assets.signals.ports import ModelRecords, ModelStore
from quant_assets.signals.signal_model import MANIFEST_FILE, ModelCard, SignalModel, card_from_json
from quant_assets.signals.tables import MODEL_EVENTS, MODEL_METRICS, MODELS, WALK_FORWARD_PREDICTIONS
from quant_assets.signals.training import TrainedModel

__all__ = [
    "PREDICTIONS_FILE",
    "ModelRegistry",
    "follow_ledger",
    "record_aliases",
    "register",
    "remove_leftovers",
    "trained_predictions",
]

PREDICTIONS_FILE = "walk_forward.parquet"
_PREDICTED_VERSIONS = "SELECT DISTINCT model_version FROM signals.walk_forward_predictions"
_RECORDED_SLICES = ("all", "against:logistic", "against:heuristic", "against:champion")


@dataclass(frozen=True, slots=True)
class ModelRegistry:
    """Everything that keeps models."""

    files: ModelStore
    records: ModelRecords
    ledger: ModelLedger
    operations: OperationsStore

    def load(self, model_version: str) -> SignalModel:
        """A version that can score; StorageError where it cannot be read."""
        return SignalModel.from_files(self.files.read(model_version))

    def next_version(self, model: str, table: TableStore) -> str:
        """A version number that nothing has borne yet."""
        rows = table.read(MODELS, ["model_version"], "model = ?", [model])["model_version"].to_list()
        known = [*rows, *(version for version in self.files.versions() if version.rpartition("-")[0] == model)]
        highest = max((int(version.rpartition("-")[2]) for version in known), default=0)
        return f"{model}-{max(highest, self.ledger.highest_number(model)) + 1}"

    def without_record(self, what: str, call: Callable[[], Any]) -> Any:
        """Do something with the record; where it cannot be used, raise an alert and go on with None."""
        try:
            return call()
        except StorageError as error:
            raise_alert(
                self.operations,
                alert_id=f"signals-record-{what}",
                severity="MEDIUM",
                subject=f"MLflow could not record {what}",
                body=f"{error} Nothing else is affected.",
            )
            return None


def register(
    store: TableStore, registry: ModelRegistry, trained: TrainedModel, *, actor: str, reason_to_wait: str = ""
) -> str | None:
    """Keep a trained version and give it the alias that its verdict earned; returns the alias.

    Parameters
    ----------
    store : TableStore
    registry : ModelRegistry
    trained : TrainedModel
    actor : str
        Job or person, for the ledger.
    reason_to_wait : str
        Why the challenger's place is not free for one that did not win; it is then kept without an alias. Empty where
        the place is free.
    """
    card = trained.model.card
    folder = registry.files.write(card.model_version, _files(trained))
    run_id = registry.without_record(
        card.model_version,
        lambda: registry.records.record(
            model=card.model,
            model_version=card.model_version,
            folder=folder,
            features=card.features,
            parameters=_parameters(card),
            metrics=_metrics(trained.figures),
            tags=_tags(card, trained),
        ),
    )
    alias = CHAMPION if trained.verdict.wins else None if reason_to_wait else CHALLENGER
    with store.transaction() as connection:
        store.append_within(connection, MODELS, _model_row(card, trained.verdict.reason, run_id))
        store.append_within(connection, MODEL_METRICS, figure_frame(trained.figures, card.model, card.model_version))
        if alias is not None:
            store.append_within(connection, WALK_FORWARD_PREDICTIONS, _named(trained.predictions, card))
    if alias is None:
        event, reason = "kept", f"{trained.verdict.reason}; {reason_to_wait}"
    else:
        event, reason = ("promoted" if alias == CHAMPION else CHALLENGER), trained.verdict.reason
    registry.ledger.note(card.model, card.model_version, event, actor=actor, reason=reason, alias=alias)
    record_aliases(registry, card.model)
    return alias


def record_aliases(registry: ModelRegistry, model: str) -> None:
    """Tell the record who holds which alias, also where it missed an earlier change, or raise an alert."""

    def assign() -> None:
        for alias in (CHAMPION, CHALLENGER):
            registry.records.assign_alias(model, alias, registry.ledger.holder(model, alias))

    registry.without_record(f"the aliases of {model}", assign)


def follow_ledger(store: TableStore, registry: ModelRegistry) -> None:
    """Bring the tables in line with the ledger and the folders: aliases, events, predictions of alias holders only.

    A version that the ledger knows and the table does not, as after the loss of a warehouse, gets its card's row.
    """
    alias_of = {holder.model_version: holder.alias for holder in registry.ledger.holders()}
    deleted = pl.col("model_version").is_in(list(registry.ledger.deleted()))
    alias = pl.col("model_version").replace_strict(alias_of, default=None, return_dtype=pl.String)
    stored_rows = store.read(MODELS)
    rows = pl.concat([stored_rows, *_lost_rows(registry, set(stored_rows["model_version"].to_list()))])
    store.replace(MODELS, rows.filter(~deleted).with_columns(alias=alias))
    store.replace(MODEL_METRICS, store.read(MODEL_METRICS).filter(~deleted))
    store.replace(MODEL_EVENTS, registry.ledger.events())
    stored = set(store.query(_PREDICTED_VERSIONS)["model_version"].to_list())
    for version in sorted(stored - set(alias_of)):
        store.replace(WALK_FORWARD_PREDICTIONS, WALK_FORWARD_PREDICTIONS.empty(), "model_version = ?", [version])
    for version in sorted((set(alias_of) & set(registry.files.versions())) - stored):
        _restore_predictions(store, registry, version)


def remove_leftovers(store: TableStore, registry: ModelRegistry) -> tuple[str, ...]:
    """Remove folders that neither table nor ledger knows: a kill between writing the folder and the rows left them.

    The ledger counts by itself, since a warehouse may be lost and begun again while the models are kept.
    """
    known = set(store.read(MODELS, ["model_version"])["model_version"].to_list())
    known |= {*registry.ledger.registered(), *(holder.model_version for holder in registry.ledger.holders())}
    leftovers = tuple(version for version in registry.files.versions() if version not in known)
    for version in leftovers:
        forget = partial(registry.records.discard, version.rpartition("-")[0], version)
        registry.without_record(f"the removal of {version}", forget)
        registry.files.delete(version)
    return leftovers


def _lost_rows(registry: ModelRegistry, known: set[str]) -> Iterator[pl.DataFrame]:
    """Rows of versions that the ledger and their folders know and the table does not."""
    for version, verdict in registry.ledger.registered().items():
        if version in known or version not in registry.files.versions():
            continue
        try:
            card = card_from_json(json.loads(registry.files.read(version)[MANIFEST_FILE]))
        except (StorageError, KeyError, TypeError, ValueError):
            continue  # A card that cannot be read has no row; a night that needs the version raises the alert.
        if card.model_version == version:
            yield _model_row(card, verdict, None)


def _restore_predictions(store: TableStore, registry: ModelRegistry, version: str) -> None:
    """Put a version's own walk-forward predictions back, after a roll-back to it."""
    predictions = trained_predictions(registry, version)
    if predictions.height:
        store.replace(WALK_FORWARD_PREDICTIONS, predictions, "model_version = ?", [version])


def trained_predictions(registry: ModelRegistry, version: str) -> pl.DataFrame:
    """A version's walk-forward predictions as its training left them in its folder; no rows where they are lost."""
    content = registry.files.read(version).get(PREDICTIONS_FILE)
    return WALK_FORWARD_PREDICTIONS.empty() if content is None else pl.read_parquet(io.BytesIO(content))


def _files(trained: TrainedModel) -> dict[str, bytes]:
    card = trained.model.card
    buffer = io.BytesIO()
    _named(trained.predictions, card).write_parquet(buffer)
    figures = [asdict(figure) for figure in trained.figures]
    folds = [asdict(fold) for fold in trained.result.folds]
    return {
        **trained.model.files(),
        PREDICTIONS_FILE: buffer.getvalue(),
        "metrics.json": json.dumps(figures, indent=1).encode(),
        "folds.json": json.dumps(folds, indent=1, default=str).encode(),
        "importance.svg": importance_chart(card).encode(),
        "calibration.svg": calibration_chart(trained.figures, card.model_version).encode(),
    }


def _named(predictions: pl.DataFrame, card: ModelCard) -> pl.DataFrame:
    named = predictions.with_columns(model=pl.lit(card.model), model_version=pl.lit(card.model_version))
    return named.select(WALK_FORWARD_PREDICTIONS.column_names)


def _parameters(card: ModelCard) -> dict[str, str]:
    spec = card.spec.to_json()
    flat = {f"{part}.{name}": value for part in ("label", "split", "boosting") for name, value in spec[part].items()}
    plain = {name: spec[name] for name in ("calibration", "inner_folds", "tuning_trials", "lookback_sessions", "seed")}
    told = {"rounds_used": card.rounds, "rows": card.rows, "features": len(card.features)}
    return {name: str(value) for name, value in (flat | plain | told).items()}


def _metrics(figures: tuple[Figure, ...]) -> dict[str, float]:
    """Figures of the whole sample and of the opponents, with the baselines, as MLflow names them."""
    found: dict[str, float] = {}
    for figure in figures:
        if figure.slice in _RECORDED_SLICES:
            where = "" if figure.slice == "all" else f".{figure.slice.replace(':', '_')}"
            named = {"": figure.value, ".baseline": figure.baseline, ".low": figure.low, ".high": figure.high}
            found |= {f"{figure.metric}{where}{end}": value for end, value in named.items() if math.isfinite(value)}
    return found


def _tags(card: ModelCard, trained: TrainedModel) -> dict[str, str]:
    return {
        "quant.model": card.model,
        "quant.event": card.spec.label.words,
        "quant.feature_version": str(card.feature_version),
        "quant.trained_from": str(card.trained_from),
        "quant.trained_to": str(card.trained_to),
        "quant.git_revision": card.git_revision,
        "quant.verdict": trained.verdict.reason,
    }


def _model_row(card: ModelCard, verdict: str, run_id: str | None) -> pl.DataFrame:
    parameters = card.spec.to_json() | {"rounds": card.rounds}
    row = {
        "model": card.model,
        "model_version": card.model_version,
        "alias": None,
        "created_at": card.created_at,
        "trained_from": card.trained_from,
        "trained_to": card.trained_to,
        "known_on": card.known_on,
        "feature_version": card.feature_version,
        "features": json.dumps(card.features),
        "parameters": json.dumps(parameters),
        "git_revision": card.git_revision,
        "seed": card.spec.seed,
        "horizon_days": card.spec.label.horizon_days,
        "threshold": card.spec.label.threshold,
        "rows": card.rows,
        "verdict": verdict,
        "mlflow_run_id": run_id,
    }
    return pl.DataFrame([row], schema=MODELS.polars_schema)
