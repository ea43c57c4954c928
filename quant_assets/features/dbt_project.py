"""The dbt project in this process: its parsed manifest and its commands, without Dagster and without a subprocess.

Parsing takes about two seconds and depends on the files of ``dbt_features/`` alone, so its result is kept under their
digest in ``dbt_features/target/`` (ignored by git): nothing can be stale, and processes that start together at worst
parse twice. Neither a database nor a network is needed. A command reads that result and skips parsing.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from quant_assets.foundation.errors import DataError

__all__ = ["NodeResult", "ParsedProject", "load_project", "run_dbt"]

PROJECT_DIR: Final = Path(__file__).resolve().parents[2] / "dbt_features"
_SOURCES = ("dbt_project.yml", "models", "macros", "tests")
_PARSED = "partial_parse.msgpack"
_KEPT_PARSES = 3
_PROFILE = """\
# Written by quant_assets/features/dbt_project.py before each command.
dbt_features:
  target: warehouse
  outputs:
    warehouse:
      type: duckdb
      path: {path}
      database: warehouse
      schema: features
      threads: 1
"""


@dataclass(frozen=True, slots=True)
class ParsedProject:
    """A parsed project.

    Parameters
    ----------
    directory : Path
        Folder of ``dbt_project.yml``.
    folder : Path
        Folder of what was parsed, named after the digest of the project's files.
    manifest : mapping
        dbt's manifest.
    """

    directory: Path
    folder: Path
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What dbt did with one model or test.

    Parameters
    ----------
    unique_id, status, message : str
        As dbt names them; ``status`` is ``success``, ``pass``, ``warn``, ``fail``, ``error`` or ``skipped``, and
        ``unchanged`` where dbt was not asked because nothing had changed.
    seconds : float
    failures : int
        Rows that a test returned.
    rows_written : int, optional
        Rows that a stored model changed; None where it was built whole, and for what stores nothing.
    """

    unique_id: str
    status: str
    message: str
    seconds: float
    failures: int
    rows_written: int | None = None

    @property
    def is_good(self) -> bool:
        """Whether a model was built, or a test passed or only warned."""
        return self.status in ("success", "pass", "warn", "no-op", "unchanged")


def load_project(directory: Path = PROJECT_DIR) -> ParsedProject:
    """Parse the project, or read what an earlier process parsed from the same files.

    Raises
    ------
    DataError
        Where the project cannot be parsed, with dbt's words.
    """
    cache = _cache_folder(directory)
    folder = cache / f"parsed-{_digest(directory)}"
    if not (folder / "manifest.json").exists():
        _parse_into(folder, directory)
        stale = sorted(cache.glob("parsed-*"), key=lambda path: path.stat().st_mtime)[:-_KEPT_PARSES]
        for old in stale:
            shutil.rmtree(old, ignore_errors=True)
    return ParsedProject(directory, folder, json.loads((folder / "manifest.json").read_bytes()))


def _cache_folder(directory: Path) -> Path:
    folder = directory / "target"
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        folder = Path(tempfile.gettempdir()) / "quant_dbt_features"
        folder.mkdir(exist_ok=True)
        return folder


def _digest(directory: Path) -> str:
    digest = hashlib.sha256()
    for package in ("dbt-core", "dbt-duckdb"):
        digest.update(importlib.metadata.version(package).encode())
    for source in _SOURCES:
        path = directory / source
        files = sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        for file in files or [path]:
            digest.update(f"\0{file.relative_to(directory)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _parse_into(folder: Path, directory: Path) -> None:
    """Parse in a folder of our own, then rename it: other processes see all of it or nothing."""
    scratch = Path(tempfile.mkdtemp(prefix=".parse-", dir=folder.parent))
    try:
        _write_profile(scratch, scratch / "warehouse.duckdb")
        _invoke(["parse", "--target-path", str(scratch)], directory=directory, profiles=scratch, logs=scratch)
        with suppress(OSError):
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_profile(folder: Path, warehouse: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profiles.yml").write_text(_PROFILE.format(path=json.dumps(str(warehouse))), encoding="utf-8")


def run_dbt(arguments: Sequence[str], *, warehouse: Path, project: ParsedProject | None = None) -> list[NodeResult]:
    """Run a dbt command on a warehouse file, whose handle is given back before returning.

    Parameters
    ----------
    arguments : sequence of str
        Such as ``["build", "--select", "feature_store"]``.
    warehouse : Path
        The DuckDB file; its name is ``warehouse`` before the dot.
    project : ParsedProject, optional
        Default the current one.

    Returns
    -------
    list of NodeResult
        In the order of execution; a failed node does not raise.

    Raises
    ------
    DataError
        Where dbt could not run at all.
    """
    from dbt.contracts.graph.manifest import Manifest  # noqa: PLC0415 - dbt takes a second to import

    project = project or load_project()
    folder = warehouse.parent / "dbt"
    _write_profile(folder, warehouse)
    # A manifest is changed by the command that uses it, so each one gets a fresh copy.
    manifest = Manifest.from_msgpack((project.folder / _PARSED).read_bytes())
    recorder = _RowRecorder()
    arguments = [*arguments, "--no-write-json", "--target-path", str(folder / "target")]
    found = _invoke(
        arguments,
        directory=project.directory,
        profiles=folder,
        logs=folder / "logs",
        manifest=manifest,
        recorder=recorder,
    )
    return [
        NodeResult(
            unique_id=result.node.unique_id,
            status=str(result.status),
            message=str(result.message or ""),
            seconds=float(result.execution_time),
            failures=int(result.failures or 0),
            rows_written=recorder.rows.get(result.node.unique_id),
        )
        for result in getattr(found, "results", ())
    ]


@dataclass
class _RowRecorder:
    """Collects the row counts that the macro ``changed_rows`` logs."""

    rows: dict[str, int] = field(default_factory=dict)

    def __call__(self, event: Any) -> None:
        if event.info.name == "JinjaLogInfo" and event.info.msg.startswith("rows written: "):
            self.rows[event.data.node_info.unique_id] = int(event.info.msg.removeprefix("rows written: "))


def _invoke(
    arguments: Sequence[str],
    *,
    directory: Path,
    profiles: Path,
    logs: Path,
    manifest: Any = None,
    recorder: Callable[[Any], None] | None = None,
) -> Any:
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - dbt takes a second to import

    common = ["--project-dir", str(directory), "--profiles-dir", str(profiles), "--log-path", str(logs)]
    with _released_handle():
        outcome = dbtRunner(manifest=manifest, callbacks=[recorder] if recorder else []).invoke(
            [*arguments, *common, "--log-level", "none", "--log-level-file", "info", "--no-use-colors", "--quiet"]
        )
    if outcome.exception is not None:
        text = " ".join(str(outcome.exception).split())
        raise DataError(f"dbt could not run ({text}); mend dbt_features and run again.") from outcome.exception
    return outcome.result


@contextmanager
def _released_handle() -> Iterator[None]:
    """Close dbt-duckdb's connection afterwards; it would keep the file to this process."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415

    try:
        yield
    finally:
        environment = DuckDBConnectionManager._ENV  # noqa: SLF001 - dbt-duckdb has no public way to close its handle
        if environment is not None:
            environment.close()
