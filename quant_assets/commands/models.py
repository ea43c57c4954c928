"""``quant models``: list versions, promote one, roll back, delete one. Changes count at once and say who and why."""

from __future__ import annotations

import math
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from quant_assets.foundation.errors import StorageError, UsageError
from quant_assets.foundation.home import Home
from quant_assets.ops.store import OperationsStore
from quant_assets.runtime import prepare_environment
from quant_assets.settings import load_settings
from quant_assets.signals.challenger import LiveComparison
from quant_assets.signals.ledger import CHALLENGER, CHAMPION, ModelLedger, roll_back
from quant_assets.signals.registration import ModelRegistry
from resources.model_registry import MlflowRecords, ModelFolders

__all__ = ["delete_model", "list_models", "open_registry", "promote_model", "roll_back_model"]


def open_registry() -> ModelRegistry:
    """The registry of the home that the environment names."""
    settings = load_settings()
    home = prepare_environment(settings)
    operations = OperationsStore(home.operations)
    records = MlflowRecords(home.path / "mlflow", settings.mlflow_tracking_uri)
    return ModelRegistry(ModelFolders(home.path / "models"), records, ModelLedger(operations), operations)


def promote_model(registry: ModelRegistry, model_version: str, *, actor: str, reason: str) -> str:
    """Make a version champion; returns what happened in one line.

    Raises
    ------
    UsageError
        Where the version is not there or is champion already.
    """
    model = _known(registry, model_version)
    if registry.ledger.holder(model, CHAMPION) == model_version:
        raise UsageError(f"{model_version} is the champion already.")
    registry.load(model_version)
    registry.ledger.note(model, model_version, "promoted", actor=actor, reason=reason, alias=CHAMPION)
    return f"{model_version} is champion of {model} from the next run on.{_recorded(registry, model, model_version)}"


def roll_back_model(registry: ModelRegistry, model: str, *, actor: str, reason: str) -> str:
    """Make the champion before the present one champion again; returns what happened in one line."""
    version = roll_back(registry.ledger, model, registry.files.versions(), actor=actor, reason=reason)
    return f"{version} is champion of {model} again from the next run on.{_recorded(registry, model, version)}"


def delete_model(registry: ModelRegistry, model_version: str, *, actor: str, reason: str) -> str:
    """Delete a version's files and record; returns what happened in one line.

    Raises
    ------
    UsageError
        Where it is champion, or not there.
    """
    model = _known(registry, model_version)
    if registry.ledger.holder(model, CHAMPION) == model_version:
        raise UsageError(
            f"{model_version} is the champion and cannot be deleted; promote another version or roll back first."
        )
    registry.ledger.release(model_version)
    registry.ledger.note(model, model_version, "deleted", actor=actor, reason=reason)
    registry.files.delete(model_version)
    try:
        registry.records.discard(model, model_version)
    except StorageError as error:
        return f"{model_version} is deleted, but not from MLflow: {error}"
    return f"{model_version} is deleted."


def list_models() -> None:
    """Print versions, the alias that each holds, how it did out of sample, and challengers beside champions live."""
    registry = open_registry()
    aliases = {holder.model_version: holder.alias for holder in registry.ledger.holders()}
    skills = _published_skills(registry)
    table = Table(box=None)
    for name in ("version", "alias", "Brier skill [95 %]", "AUC", "rank IC (t)"):
        table.add_column(name)
    for version in registry.files.versions():
        table.add_row(version, aliases.get(version, ""), *skills.get(version, ("", "", "")))
    console = Console()
    console.print(table if table.row_count else "No model has been trained yet: run 'make run'.")
    for version, live in _published_live(registry).items():
        if aliases.get(version) == CHALLENGER:
            console.print(f"{version}, challenger: {live.words}.", soft_wrap=True)
    console.print(f"MLflow: mlflow ui --backend-store-uri {registry.records.location}", soft_wrap=True)


def _known(registry: ModelRegistry, model_version: str) -> str:
    """Model of a version that is there."""
    versions = registry.files.versions()
    if model_version not in versions:
        raise UsageError(f"there is no version {model_version!r}; choose one of {', '.join(versions) or 'none yet'}.")
    return model_version.rpartition("-")[0]


def _recorded(registry: ModelRegistry, model: str, model_version: str) -> str:
    """Tell MLflow; a word where that failed."""
    try:
        registry.records.assign_alias(model, CHAMPION, model_version)
    except StorageError as error:
        return f" MLflow could not be told: {error}"
    return ""


def _published(registry: ModelRegistry, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the last publication; none where there is none, or one from before this room existed."""
    database = Home(registry.operations.path.parent).readers_database
    if not database.exists():
        return []
    with duckdb.connect(str(database), read_only=True) as connection:
        try:
            return connection.execute(sql).fetchall()
        except duckdb.CatalogException:
            return []


def _published_live(registry: ModelRegistry) -> dict[str, LiveComparison]:
    """Challengers beside their opponents on the sessions since their training, by version."""
    return {
        version: LiveComparison(opponent, int(sessions), rows, *(math.nan if one is None else one for one in figures))
        for version, opponent, sessions, rows, *figures in _published(registry, _LIVE)
    }


def _published_skills(registry: ModelRegistry) -> dict[str, tuple[str, str, str]]:
    """Figures of the last publication, by version."""
    return {
        version: (
            f"{skill:.2%} [{low:.2%}, {high:.2%}]",
            f"{area:.3f}",
            f"{ic:.3f} ({t:.1f})" if ic is not None else "",
        )
        for version, skill, low, high, area, ic, t in _published(registry, _SKILLS)
    }


_SKILLS = """
SELECT
    model_version,
    max(value) FILTER (metric = 'brier_skill'), max(low) FILTER (metric = 'brier_skill'),
    max(high) FILTER (metric = 'brier_skill'), max(value) FILTER (metric = 'auc'),
    max(value) FILTER (metric = 'rank_ic'), max(value) FILTER (metric = 'rank_ic_t')
FROM signals.model_metrics
WHERE slice = 'all'
GROUP BY model_version
"""
_LIVE = """
SELECT
    model_version, coalesce(max(baseline_name) FILTER (metric = 'brier'), ''),
    max(value) FILTER (metric = 'live_sessions'), max(rows) FILTER (metric = 'live_sessions'),
    max(value) FILTER (metric = 'brier'), max(baseline) FILTER (metric = 'brier'),
    max(value) FILTER (metric = 'brier_skill'),
    max(value) FILTER (metric = 'rank_ic'), max(baseline) FILTER (metric = 'rank_ic')
FROM signals.model_metrics
WHERE slice = 'live'
GROUP BY model_version
ORDER BY model_version
"""
