"""Signal models as assets: trained versions, tonight's signals, drift."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from quant_assets.features.tables import feature_store
from quant_assets.foundation.errors import UsageError
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.ops.store import OperationsStore
from quant_assets.signals.challenger import LEAST_LIVE_SESSIONS, LiveComparison
from quant_assets.signals.challenger_review import compare_challengers
from quant_assets.signals.code_revision import code_revision
from quant_assets.signals.drift import ALL
from quant_assets.signals.drift_night import NightDrift, report_drift
from quant_assets.signals.evaluation import Figure
from quant_assets.signals.feature_list import FEATURE_VERSION
from quant_assets.signals.ledger import ModelLedger
from quant_assets.signals.model_spec import LabelRule, ModelSpec
from quant_assets.signals.registration import ModelRegistry, follow_ledger
from quant_assets.signals.score_night import NightScores, score_night, scored_models
from quant_assets.signals.tables import (
    CHALLENGER_SCORES,
    CONTRIBUTIONS,
    DRIFT_REPORTS,
    MODEL_EVENTS,
    MODEL_METRICS,
    MODELS,
    SIGNALS,
    WALK_FORWARD_PREDICTIONS,
)
from quant_assets.signals.training_run import (
    TrainingOutcome,
    named_spec,
    read_training_inputs,
    requested_spec,
    retrain,
    untrained,
)
from resources.model_registry import MlflowRecords, ModelFolders
from resources.warehouse import Warehouse, asset_key, table_metadata, table_spec

__all__ = ["TrainingConfig", "drift_reports", "models", "signals"]

_FEATURES = asset_key(feature_store(FEATURE_VERSION))
_TRAINED = (MODELS, MODEL_METRICS, MODEL_EVENTS)
_SCORED = (SIGNALS, CONTRIBUTIONS, CHALLENGER_SCORES, WALK_FORWARD_PREDICTIONS)


class TrainingConfig(dg.Config):
    """What an operator may ask for in the launchpad; left alone, only models that were never trained are."""

    retrain: bool = Field(default=False, description="Train every known model again.")
    model: str = Field(
        default="", description="Train this one only: direction, jump, or a name of your own with its event below."
    )
    horizon_days: int = Field(default=0, ge=0, le=252, description="Sessions in which the event may happen.")
    threshold: float = Field(default=0.0, ge=-0.9, le=0.9, description="Return that the event exceeds, such as 0.02.")
    symbols: list[str] = Field(default=[], description="Train on these symbols only; empty means all.")
    lookback_sessions: int = Field(default=0, ge=0, description="Use the newest so many sessions; 0 means all.")
    test_months: int = Field(default=0, ge=0, le=12, description="Months per tested fold: 1, 2, 3, 4, 6 or 12; 0 is 6.")
    rounds: int = Field(default=0, ge=0, le=5000, description="Most boosting rounds; 0 means 200.")
    calibration: str = Field(default="", description="platt or isotonic; empty means platt.")
    tuning_trials: int = Field(default=0, ge=0, le=1000, description="Parameter search trials inside each fold.")
    keep_challenger: bool = Field(
        default=False,
        description=f"Leave a challenger of the same making in place until it has {LEAST_LIVE_SESSIONS} live sessions.",
    )
    actor: str = Field(default="", description="Who asks, for the record; empty means the job.")

    def spec(self, registry: ModelRegistry) -> ModelSpec:
        """The specification of the one model that is named."""
        label = LabelRule(self.horizon_days, self.threshold) if self.horizon_days else None
        start = named_spec(registry, self.model) or requested_spec(registry, self.model, label)
        return requested_spec(
            registry,
            self.model,
            label,
            symbols=tuple(self.symbols) or None,
            lookback_sessions=self.lookback_sessions or None,
            calibration=self.calibration or None,
            tuning_trials=self.tuning_trials or None,
            split=replace(start.split, test_months=self.test_months) if self.test_months else None,
            boosting=replace(start.boosting, rounds=self.rounds) if self.rounds else None,
        )

    def _refuse_what_would_be_ignored(self) -> None:
        """UsageError where a field would change nothing."""
        if self.threshold and not self.horizon_days:
            raise UsageError("threshold is given without horizon_days; give both, or neither for a known model.")
        of_one = set(type(self).model_fields) - {"retrain", "model", "actor", "keep_challenger"}
        given = sorted(name for name in of_one if getattr(self, name) != type(self).model_fields[name].default)
        if given and not self.model:
            raise UsageError(f"{', '.join(given)} would be ignored; name the one model to train in model.")

    def specs(self, registry: ModelRegistry) -> tuple[ModelSpec, ...]:
        """Everything that is asked for."""
        self._refuse_what_would_be_ignored()
        if self.model:
            return (self.spec(registry),)
        if self.retrain:
            found = [named_spec(registry, name) for name in scored_models(registry)]
            return tuple(spec for spec in found if spec is not None)
        return untrained(registry)


def _registry(folders: ModelFolders, records: MlflowRecords, operations: OperationsStore) -> ModelRegistry:
    return ModelRegistry(folders, records, ModelLedger(operations), operations)


@dg.multi_asset(name="train_models", specs=[table_spec(table, deps=[_FEATURES, ADJUSTED_PRICES]) for table in _TRAINED])
def models(  # noqa: PLR0917 - Dagster hands over resources by name
    context: dg.AssetExecutionContext,
    config: TrainingConfig,
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[OperationsStore],
    model_folders: dg.ResourceParam[ModelFolders],
    model_records: dg.ResourceParam[MlflowRecords],
) -> Iterator[dg.MaterializeResult[None]]:
    """Judge held challengers again, train what is asked for or was never trained; promote only what proved better."""
    registry = _registry(model_folders, model_records, operations)
    follow_ledger(warehouse, registry)
    outcomes: tuple[TrainingOutcome, ...] = ()
    if specs := config.specs(registry):
        inputs, actor = read_training_inputs(warehouse), config.actor or context.run.job_name
        outcomes = retrain(
            warehouse,
            registry,
            inputs,
            specs,
            keep_challengers=config.keep_challenger,
            actor=actor,
            revision=code_revision(),
            report=context.log.info,
        )
    live = compare_challengers(warehouse, registry)
    figures = {MODELS.name: _trained(outcomes, live, registry), MODEL_METRICS.name: _measured(outcomes)}
    for table in _TRAINED:
        yield dg.MaterializeResult(
            asset_key=asset_key(table), metadata=table_metadata(warehouse, table, **figures.get(table.name, {}))
        )


@dg.multi_asset(
    name="score_signals",
    specs=[table_spec(table, deps=[_FEATURES, ADJUSTED_PRICES, MODELS]) for table in _SCORED],
)
def signals(
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[OperationsStore],
    model_folders: dg.ResourceParam[ModelFolders],
    model_records: dg.ResourceParam[MlflowRecords],
) -> Iterator[dg.MaterializeResult[None]]:
    """Score every symbol's newest session with champion and challenger; the heuristic stands in, saying why."""
    scored = score_night(warehouse, _registry(model_folders, model_records, operations))
    for table in _SCORED:
        figures = _signal_figures(scored) if table is SIGNALS else {}
        yield dg.MaterializeResult(asset_key=asset_key(table), metadata=table_metadata(warehouse, table, **figures))


@dg.multi_asset(
    name="report_drift", specs=[table_spec(DRIFT_REPORTS, deps=[_FEATURES, MODELS, WALK_FORWARD_PREDICTIONS])]
)
def drift_reports(
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[OperationsStore],
    model_folders: dg.ResourceParam[ModelFolders],
    model_records: dg.ResourceParam[MlflowRecords],
) -> dg.MaterializeResult[None]:
    """Compare the newest 60 sessions with what each champion was trained on."""
    reports = report_drift(warehouse, _registry(model_folders, model_records, operations))
    return dg.MaterializeResult(
        asset_key=asset_key(DRIFT_REPORTS), metadata=table_metadata(warehouse, DRIFT_REPORTS, **_drift_figures(reports))
    )


def _trained(
    outcomes: Sequence[TrainingOutcome], live: Mapping[str, LiveComparison], registry: ModelRegistry
) -> dict[str, Any]:
    """Aliases, challengers beside champions, what came of tonight's trainings, and the pictures of new versions."""
    figures: dict[str, Any] = {f"{h.model} {h.alias}": h.model_version for h in registry.ledger.holders()}
    figures |= {f"{version} comparison": comparison.words for version, comparison in live.items()}
    figures |= {"trained": len(outcomes), "mlflow": registry.records.location}
    for outcome in outcomes:
        if outcome.review is not None:
            figures[f"{outcome.review.card.model_version} review"] = outcome.review.reason
        figures[f"{outcome.model} verdict"] = outcome.reason
        if outcome.card is None:
            continue
        folder = registry.files.folder(outcome.card.model_version)
        figures[f"{outcome.model} folder"] = dg.MetadataValue.path(folder)
        for picture in ("importance", "calibration"):
            figures[f"{outcome.model} {picture}"] = _shown((folder / f"{picture}.svg").read_text(encoding="utf-8"))
    return figures


def _measured(outcomes: Sequence[TrainingOutcome]) -> dict[str, Any]:
    """The figures of new versions beside their baselines."""
    return {
        f"{outcome.card.model_version} out of sample": dg.MetadataValue.table(_records(outcome.figures))
        for outcome in outcomes
        if outcome.card is not None
    }


def _records(figures: Sequence[Figure]) -> list[dg.TableRecord]:
    shown = [f for f in figures if f.slice == "all" or f.slice.startswith("against:")]
    frame = pl.DataFrame(shown).with_columns(pl.col(pl.Float64).round(4))
    rows = frame.select("metric", "slice", "value", "baseline", "baseline_name", "low", "high", "rows").to_dicts()
    return [
        dg.TableRecord({name: "" if value != value else value for name, value in row.items()})  # noqa: PLR0124 - NaN
        for row in rows
    ]


def _signal_figures(scored: Sequence[NightScores]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for night in scored:
        counts = ", ".join(f"{count} {word}" for word, count in night.recommendations.items())
        figures[night.model] = f"{night.champion or 'heuristic'}: {counts or 'no symbol'}"
        if night.note:
            figures[f"{night.model} heuristic"] = f"{night.by_heuristic} of {night.symbols} symbols: {night.note}"
    return figures


def _drift_figures(reports: Sequence[NightDrift]) -> dict[str, Any]:
    figures: dict[str, Any] = {"reports": len(reports)}
    for report in reports:
        share = next((m.value for m in report.measures if (m.measure, m.feature) == ("drifted_importance", ALL)), 0.0)
        moved = ", ".join(report.moved) or "none"
        figures[f"{report.model} drifted"] = f"{share:.0%} of the importance; features: {moved}"
        figures[f"{report.model} strikes"] = (
            f"{report.strikes} sessions{', a retraining is asked for' if report.is_confirmed else ''}"
        )
        if report.chart is not None:
            figures[f"{report.model} what moved"] = _shown(report.chart)
    return figures


def _shown(svg: str) -> dg.MarkdownMetadataValue:
    encoded = base64.b64encode(svg.encode()).decode()
    return dg.MetadataValue.md(f"![chart](data:image/svg+xml;base64,{encoded})")
