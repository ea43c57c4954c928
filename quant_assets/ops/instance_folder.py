"""Dagster's instance folder inside the home: local SQLite storage, no telemetry, one run at a time."""

from __future__ import annotations

from quant_assets.foundation.errors import StorageError
from quant_assets.foundation.home import Home

__all__ = ["prepare_instance_folder"]

_INSTANCE_YAML = """\
# Written by quant; change it here only to move Dagster's storage to another database.
telemetry:
  enabled: false
concurrency:
  runs:
    # Keeps the UI tidy; what guarantees one writer is the run lock.
    max_concurrent_runs: 1
nux:
  enabled: false
"""


def prepare_instance_folder(home: Home) -> None:
    """Write ``dagster.yaml`` where it is missing; an existing one belongs to the operator.

    Raises
    ------
    StorageError
        Where the folder cannot be written.
    """
    home.prepare()
    target = home.dagster / "dagster.yaml"
    try:
        if not target.exists():
            target.write_text(_INSTANCE_YAML, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"{target} cannot be written ({error.strerror}); check permissions and free space."
        ) from None
