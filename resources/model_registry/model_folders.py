"""One folder per model version, written whole or not at all.

A folder is first written under a hidden name and then renamed, so that a kill in the middle leaves nothing that could
be taken for a model. Everything needed to score lies inside, so that a home can be moved.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from quant_assets.foundation.errors import StorageError

__all__ = ["ModelFolders"]

_VERSION = re.compile(r"[a-z][a-z0-9_]*-[0-9]+")


class ModelFolders:
    """Files of model versions under one folder.

    Parameters
    ----------
    path : Path
        Created at the first write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def folder(self, model_version: str) -> Path:
        """Folder of a version, existing or not.

        Raises
        ------
        StorageError
            Where the text is no version, so that no path outside can be named.
        """
        if not _VERSION.fullmatch(model_version):
            raise StorageError(f"{model_version!r} is no model version; they look like jump-3.")
        return self.path / model_version

    def versions(self) -> tuple[str, ...]:
        """Versions that are complete, by model and number."""
        found = [entry.name for entry in self.path.glob("*") if entry.is_dir() and _VERSION.fullmatch(entry.name)]
        return tuple(sorted(found, key=lambda name: (name.rpartition("-")[0], int(name.rpartition("-")[2]))))

    def write(self, model_version: str, files: Mapping[str, bytes]) -> Path:
        """Keep a new version.

        Raises
        ------
        StorageError
            Where it exists already, or the disk does not take it; nothing is left behind then.
        """
        target = self.folder(model_version)
        if target.exists():
            raise StorageError(f"{target} exists already; a version is never overwritten.")
        draft = self.path / f".{model_version}.draft"
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            for name, content in files.items():
                _write_durably(draft / name, content)
            draft.rename(target)
            _sync(self.path)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise StorageError(f"{target} cannot be written ({error.strerror}); check free space.") from error
        return target

    def read(self, model_version: str) -> dict[str, bytes]:
        """Every file of a version.

        Raises
        ------
        StorageError
            Where it is not there or cannot be read.
        """
        target = self.folder(model_version)
        try:
            return {entry.name: entry.read_bytes() for entry in sorted(target.iterdir()) if entry.is_file()}
        except OSError as error:
            raise StorageError(
                f"model {model_version} cannot be read from {target} ({error.strerror}); restore the folder from a "
                "backup, or roll back to another version."
            ) from error

    def delete(self, model_version: str) -> None:
        """Remove a version; nothing happens where there is none."""
        target = self.folder(model_version)
        hidden = self.path / f".{model_version}.deleted"
        try:
            if target.exists():
                target.rename(hidden)
            shutil.rmtree(hidden, ignore_errors=True)
        except OSError as error:
            raise StorageError(f"{target} cannot be removed ({error.strerror}); check its permissions.") from error


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
