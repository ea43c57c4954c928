"""Where things lie inside ``QUANT_HOME``, and making sure that the folder can be used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from quant_assets.foundation.errors import StorageError

__all__ = ["Home"]


@dataclass(frozen=True, slots=True)
class Home:
    """Paths of one installation's data folder.

    Parameters
    ----------
    path : Path
        Absolute path of ``QUANT_HOME``.
    """

    path: Path

    @property
    def warehouse(self) -> Path:
        """The database that runs write, one at a time."""
        return self.path / "warehouse.duckdb"

    @property
    def readers_database(self) -> Path:
        """Symlink to the newest publication; everybody but runs opens this one."""
        return self.path / "quant.duckdb"

    @property
    def published(self) -> Path:
        """Folder of the last publications."""
        return self.path / "published"

    @property
    def operations(self) -> Path:
        """The operations store (SQLite)."""
        return self.path / "operations.sqlite"

    @property
    def run_lock(self) -> Path:
        """File whose OS lock a run holds while it may write the warehouse."""
        return self.path / "run.lock"

    @property
    def live_runs(self) -> Path:
        """Folder with one locked marker file for each run whose process is alive."""
        return self.path / "live_runs"

    @property
    def dagster(self) -> Path:
        """Dagster's instance folder."""
        return self.path / "dagster"

    def prepare(self) -> None:
        """Create the folder where it is missing and check that it can be written.

        Raises
        ------
        StorageError
            One sentence with the fix.
        """
        try:
            for folder in (self.path, self.published, self.live_runs, self.dagster):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"QUANT_HOME {self.path} cannot be created ({error.strerror}); set QUANT_HOME to a folder of yours."
            ) from None
        for folder in (self.path, self.published, self.live_runs, self.dagster):
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise StorageError(
                    f"{folder} cannot be read and written; change its permissions or set QUANT_HOME to another folder."
                )
