"""What this room asks of the outside: a place for model files and a record of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

__all__ = ["ModelRecords", "ModelStore"]


class ModelStore(Protocol):
    """Files of model versions; ``resources.model_registry.ModelFolders`` is the one in use."""

    def versions(self) -> tuple[str, ...]:
        """Versions that are complete."""
        ...

    def folder(self, model_version: str) -> Path:
        """Folder of a version, existing or not."""
        ...

    def write(self, model_version: str, files: Mapping[str, bytes]) -> Path:
        """Keep a new version, whole or not at all."""
        ...

    def read(self, model_version: str) -> dict[str, bytes]:
        """Every file of a version; StorageError where it is not there."""
        ...

    def delete(self, model_version: str) -> None:
        """Remove a version; nothing happens where there is none."""
        ...


class ModelRecords(Protocol):
    """The record of models for people; ``resources.model_registry.MlflowRecords`` is the one in use.

    Every call may raise StorageError; the pipeline goes on without the record then.
    """

    location: str

    def record(
        self,
        *,
        model: str,
        model_version: str,
        folder: Path,
        features: Sequence[str],
        parameters: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> str:
        """Record a version; returns the record's id."""
        ...

    def assign_alias(self, model: str, alias: str, model_version: str | None) -> None:
        """Give an alias to a version, or take it from whoever holds it."""
        ...

    def discard(self, model: str, model_version: str) -> None:
        """Forget a version; nothing happens where it is not recorded."""
        ...
