"""Backing a home up into one file, and restoring it to a path of choice.

The caller holds the run lock, so the warehouse stands still; SQLite files, which other commands may write meanwhile,
are copied by SQLite itself. The archive is a plain tar file that ends with ``backup.json``: what it holds and each
file's checksum. What the next run makes anew (caches, dbt's target, locks) stays out, and so do replays of the past,
which are homes of their own.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

from quant_assets.foundation.errors import CorruptDatabaseError, StorageError, UsageError
from quant_assets.foundation.home import Home

__all__ = ["BackupContents", "restore_home", "write_backup"]

_FORMAT = 1
_MANIFEST = "backup.json"
_LEFT_OUT = {"cache", "dbt", "live_runs", "replays", "run.lock", "alerts.lock"}
"""Names at the top of a home that a backup does not need."""
_SQLITE_MAGIC = b"SQLite format 3\x00"
_SQLITE_COMPANIONS = ("-wal", "-shm", "-journal")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class BackupContents:
    """What a backup holds: its files, their bytes, when it was made, and the home it was made from."""

    files: int
    bytes_held: int
    made_at: dt.datetime
    home: Path


def write_backup(home: Home, target: Path, *, now: dt.datetime) -> BackupContents:
    """Write the home into ``target``, which appears only when it is whole.

    Parameters
    ----------
    home : Home
        The caller holds its run lock.
    target : Path
        A file that does not exist yet, outside of the home.
    now : datetime
        Wall clock (aware).

    Raises
    ------
    UsageError
        Where there is nothing to back up, or ``target`` cannot be its file.
    StorageError
        Where it cannot be written; nothing is left behind.
    """
    if not home.path.is_dir() or not any(home.path.iterdir()):
        raise UsageError(f"{home.path} is empty; there is nothing to back up.")
    if target.exists():
        raise UsageError(f"{target} exists already; name another file.")
    if target.resolve().is_relative_to(home.path):
        raise UsageError(f"{target} lies inside the home; name a file outside of it, at best on another disk.")
    partial = target.with_name(f".{target.name}.partial")
    try:
        with partial.open("wb") as stream:
            contents = _write_archive(home, stream, now)
            stream.flush()
            os.fsync(stream.fileno())
        partial.rename(target)
    except OSError as error:
        raise StorageError(
            f"{target} cannot be written ({error.strerror or error}); free space there or name another place."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return contents


def _write_archive(home: Home, stream: object, now: dt.datetime) -> BackupContents:
    entries: dict[str, dict[str, object]] = {}
    links: dict[str, str] = {}
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]  # a binary stream
        for path in _worth_keeping(home):
            name = path.relative_to(home.path).as_posix()
            if path.is_symlink():
                links[name] = path.readlink().as_posix()
                archive.add(path, name)
            elif path.is_dir():
                archive.add(path, name, recursive=False)
            else:
                with _still_copy(path) as copy:
                    entries[name] = {"bytes": copy.stat().st_size, "sha256": _digest(copy)}
                    archive.add(copy, name)
        manifest = {
            "format": _FORMAT,
            "made_at": now.astimezone(dt.UTC).isoformat(),
            "home": str(home.path),
            "files": entries,
            "links": links,
        }
        text = json.dumps(manifest, indent=1).encode()
        information = tarfile.TarInfo(_MANIFEST)
        information.size = len(text)
        archive.addfile(information, BytesIO(text))
    return _contents(manifest)


def _worth_keeping(home: Home) -> Iterator[Path]:
    """Files, links and folders of the home in order; of the publications only the one that readers open."""
    newest = home.readers_database.resolve() if home.readers_database.exists() else None
    for path in sorted(home.path.rglob("*")):
        first = path.relative_to(home.path).parts[0]
        is_old = path.parent == home.published and path != newest
        if first in _LEFT_OUT or is_old or _is_companion(path):
            continue
        if path.is_symlink() or path.is_dir() or path.is_file():
            yield path


def _is_companion(path: Path) -> bool:
    """Whether SQLite keeps the file beside a database: its copy does not need it."""
    for suffix in _SQLITE_COMPANIONS:
        if path.name.endswith(suffix) and _is_sqlite(path.with_name(path.name.removesuffix(suffix))):
            return True
    return False


def _is_sqlite(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC


@contextmanager
def _still_copy(path: Path) -> Iterator[Path]:
    """The file itself, or a consistent copy of an SQLite database that others may be writing."""
    if not _is_sqlite(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        try:
            with closing(sqlite3.connect(path, timeout=30)) as source, closing(sqlite3.connect(copy)) as sink:
                source.backup(sink)
                (verdict,) = sink.execute("PRAGMA quick_check(1)").fetchone()
                if verdict != "ok":
                    raise sqlite3.DatabaseError(verdict)  # noqa: TRY301 - told as the damage it is, just below
        except sqlite3.DatabaseError as error:
            raise CorruptDatabaseError(f"{path} is damaged ({error}); mend it before backing the home up.") from error
        yield copy


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _contents(manifest: dict[str, object]) -> BackupContents:
    files = manifest["files"]
    assert isinstance(files, dict)  # noqa: S101 - written so above, checked on reading below
    return BackupContents(
        files=len(files),
        bytes_held=sum(entry["bytes"] for entry in files.values()),
        made_at=dt.datetime.fromisoformat(str(manifest["made_at"])),
        home=Path(str(manifest["home"])),
    )


def restore_home(archive_path: Path, target: Path) -> BackupContents:
    """Restore a backup to ``target``, which appears only when every file of it is whole.

    Parameters
    ----------
    archive_path : Path
    target : Path
        A folder that does not exist yet or is empty. Paths that MLflow wrote down are changed to it.

    Raises
    ------
    UsageError
        Where the archive is no backup, or the target is in use.
    StorageError
        Where a file is damaged or cannot be written; the target is left as it was.
    """
    target = target.expanduser().absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not empty; name a folder that does not exist yet.")
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        manifest = _unpack(archive_path, beside)
        _verify(archive_path, manifest, beside)
        contents = _contents(manifest)
        _move_mlflow(beside / "mlflow" / "mlflow.db", contents.home, target)
        beside.chmod(0o755)
        if target.exists():
            target.rmdir()
        beside.rename(target)
    except OSError as error:
        raise StorageError(
            f"{target} cannot be written ({error.strerror or error}); free space there or name another place."
        ) from error
    finally:
        if beside.exists():
            shutil.rmtree(beside, ignore_errors=True)
    return contents


def _unpack(archive_path: Path, folder: Path) -> dict[str, object]:
    """Unpack within ``folder`` whatever the archive says of paths and owners; returns its manifest."""
    try:
        with tarfile.open(archive_path) as archive:
            for member in archive:
                _extract(archive, member, folder)
    except FileNotFoundError:
        raise UsageError(f"{archive_path} does not exist; name the file that 'quant backup' wrote.") from None
    except (tarfile.TarError, EOFError) as error:
        raise UsageError(
            f"{archive_path} is no whole backup ({error}); name a file that 'quant backup' wrote."
        ) from None
    described = folder / _MANIFEST
    if not described.is_file():
        raise UsageError(f"{archive_path} is no whole backup (its end is missing); name another one.")
    manifest = json.loads(described.read_text(encoding="utf-8"))
    described.unlink()
    if manifest.get("format") != _FORMAT:
        raise UsageError(f"{archive_path} was written by another version; restore it with that one.")
    return dict(manifest)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write a file, folder or link within ``folder``; ``extractall`` refuses others only from Python 3.11.4 on."""
    path = folder / member.name
    if not _leads_inside(member.name) or (member.issym() and not _leads_inside(member.linkname)):
        raise tarfile.TarError(f"{member.name} leads out of it")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = archive.extractfile(member) if member.isfile() else None
    if member.issym():
        path.symlink_to(member.linkname)
    elif content is not None:
        with content, path.open("xb") as file:
            shutil.copyfileobj(content, file)
        path.chmod(member.mode & 0o755 | 0o600)
    elif member.isdir():
        path.mkdir(exist_ok=True)
    else:
        raise tarfile.TarError(f"{member.name} is neither a file nor a folder")


def _leads_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _verify(archive_path: Path, manifest: dict[str, object], folder: Path) -> None:
    files = manifest["files"]
    assert isinstance(files, dict)  # noqa: S101 - of format 1
    for name, entry in files.items():
        path = folder / PurePosixPath(name)
        if not path.is_file() or path.stat().st_size != entry["bytes"] or _digest(path) != entry["sha256"]:
            raise StorageError(
                f"{archive_path} is damaged: {name} differs from what was backed up; use another backup."
            )


def _move_mlflow(database: Path, former: Path, target: Path) -> None:
    """Change the paths that MLflow stores in full from the former home to the new one."""
    if not database.is_file() or former == target:
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
            for _, column, kind, *_ in columns:
                if kind.upper().startswith(("VARCHAR", "TEXT")):
                    _replace_prefix(connection, table, column, former, target)


def _replace_prefix(connection: sqlite3.Connection, table: str, column: str, former: Path, target: Path) -> None:
    for scheme in ("", "file:", "file://"):
        begins = f"{scheme}{former}/"
        connection.execute(
            f'UPDATE "{table}" SET "{column}" = ? || substr("{column}", ?) '  # noqa: S608 - names from the database's own schema
            f'WHERE substr("{column}", 1, ?) = ?',
            (f"{scheme}{target}/", len(begins) + 1, len(begins), begins),
        )
