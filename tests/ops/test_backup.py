"""Backup and restore of a home, with publications, databases in use, a champion, and damage."""

from __future__ import annotations

import datetime as dt
import io
import json
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import duckdb
import lightgbm
import numpy as np
import pytest

from quant_assets.foundation.errors import CorruptDatabaseError, StorageError, UsageError
from quant_assets.foundation.home import Home
from quant_assets.ops.backup import restore_home, write_backup
from quant_assets.ops.store import OperationsStore
from quant_assets.signals.ledger import CHAMPION, ModelLedger
from resources.model_registry import MlflowRecords, ModelFolders

NOW = dt.datetime(2030, 1, 2, tzinfo=dt.UTC)


@pytest.fixture
def home(tmp_path):
    """A home with a warehouse, three publications, operations, Dagster's storage and things that need no backup."""
    made = Home(tmp_path / "home")
    made.prepare()
    for number in range(3):
        path = made.published / f"quant-2030010{number}.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE t AS SELECT ? AS n", [number])
        path.chmod(0o444)
    made.readers_database.symlink_to(path.relative_to(made.path))
    with duckdb.connect(str(made.warehouse)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 2 AS n")
    OperationsStore(made.operations).remember("source", "replay-packaged")
    (made.dagster / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (made.dagster / "empty").mkdir()
    for name in ("cache", "dbt", "replays"):
        (made.path / name).mkdir()
        (made.path / name / "big").write_bytes(b"x" * 1000)
    made.run_lock.write_text("{}")
    return made


def backed_up(home: Home, folder: Path) -> Path:
    target = folder / "backup.tar"
    write_backup(home, target, now=NOW)
    return target


def test_restored_home_has_what_counts_and_nothing_else(home, tmp_path):
    """The newest publication, warehouse, operations and Dagster's files come back; caches, locks and replays do not."""
    archive = backed_up(home, tmp_path)
    contents = restore_home(archive, tmp_path / "elsewhere" / "deep")
    restored = Home(tmp_path / "elsewhere" / "deep")
    names = {path.relative_to(restored.path).as_posix() for path in restored.path.rglob("*")}
    assert names == {
        "dagster",
        "dagster/dagster.yaml",
        "dagster/empty",
        "operations.sqlite",
        "published",
        "published/quant-20300102.duckdb",
        "quant.duckdb",
        "warehouse.duckdb",
    }
    assert (contents.files, contents.made_at, contents.home) == (4, NOW, home.path)
    with duckdb.connect(str(restored.readers_database), read_only=True) as connection:
        assert connection.execute("SELECT n FROM t").fetchall() == [(2,)]
    assert OperationsStore(restored.operations).fact("source") == "replay-packaged"
    assert restored.readers_database.resolve() == restored.published / "quant-20300102.duckdb"


def test_database_in_use_is_copied_whole(home, tmp_path):
    """What another process has committed to an SQLite file but not moved out of its log is in the backup."""
    with sqlite3.connect(home.operations) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("INSERT INTO facts VALUES ('late', 'yes')")
        writer.commit()
        writer.execute("INSERT INTO facts VALUES ('uncommitted', 'no')")
        archive = backed_up(home, tmp_path)
        writer.rollback()
    writer.close()
    restore_home(archive, tmp_path / "restored")
    store = OperationsStore(Home(tmp_path / "restored").operations)
    assert (store.fact("late"), store.fact("uncommitted")) == ("yes", None)


def test_champion_scores_the_same_in_the_restored_home(home, tmp_path):
    """A champion comes back with its files, its alias and its MLflow record, whose paths lie in the new home."""
    random = np.random.default_rng(0)
    matrix = random.normal(size=(200, 2))
    data = lightgbm.Dataset(matrix, label=(matrix[:, 0] > 0).astype(int), feature_name=["a", "b"])
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "seed": 0, "num_threads": 1}, data, 5)
    folders = ModelFolders(home.path / "models")
    folder = folders.write("jump-1", {"model.txt": booster.model_to_string().encode(), "card.json": b"{}"})
    records = MlflowRecords(home.path / "mlflow")
    records.record(
        model="jump",
        model_version="jump-1",
        folder=folder,
        features=["a", "b"],
        parameters={},
        metrics={"auc": 0.5},
        tags={},
    )
    ledger = ModelLedger(OperationsStore(home.operations))
    ledger.note("jump", "jump-1", "promoted", actor="test", reason="test", alias=CHAMPION)

    archive = backed_up(home, tmp_path)
    restored = Home(tmp_path / "restored")
    restore_home(archive, restored.path)
    home.path.rename(tmp_path / "gone")

    assert ModelLedger(OperationsStore(restored.operations)).holder("jump", CHAMPION) == "jump-1"
    again = lightgbm.Booster(model_str=ModelFolders(restored.path / "models").read("jump-1")["model.txt"].decode())
    assert np.array_equal(again.predict(matrix), booster.predict(matrix))
    with sqlite3.connect(restored.path / "mlflow" / "mlflow.db") as connection:
        paths = [path for (path,) in connection.execute("SELECT artifact_uri FROM runs")]
        everything = "\n".join(connection.iterdump())
    connection.close()
    assert paths
    for path in paths:
        assert Path(path.removeprefix("file://")).is_relative_to(restored.path)
    assert f"{home.path}/" not in everything


def test_backup_never_replaces_and_lies_outside_the_home(home, tmp_path):
    """An existing file, a file inside the home and an empty home are refused with what to do."""
    (tmp_path / "there.tar").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        write_backup(home, tmp_path / "there.tar", now=NOW)
    assert (tmp_path / "there.tar").read_bytes() == b"mine"
    with pytest.raises(UsageError, match="inside the home"):
        write_backup(home, home.path / "backup.tar", now=NOW)
    with pytest.raises(UsageError, match="nothing to back up"):
        write_backup(Home(tmp_path / "none"), tmp_path / "new.tar", now=NOW)


def test_restore_never_replaces(home, tmp_path):
    """A folder with files and a file are refused; an empty folder is used."""
    archive = backed_up(home, tmp_path)
    with pytest.raises(UsageError, match="is not empty"):
        restore_home(archive, home.path)
    with pytest.raises(UsageError, match="is not empty"):
        restore_home(archive, archive)
    (tmp_path / "empty").mkdir()
    restore_home(archive, tmp_path / "empty")
    assert Home(tmp_path / "empty").warehouse.exists()


@pytest.mark.parametrize("fate", ["missing", "cut short", "no tar", "another tar", "other format"])
def test_what_is_no_backup_is_refused(home, tmp_path, fate):
    """Anything but a whole backup is refused in one sentence, and nothing is left at the target."""
    archive = backed_up(home, tmp_path)
    if fate == "missing":
        archive.unlink()
    elif fate == "cut short":
        archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    elif fate == "no tar":
        archive.write_bytes(b"not a tar file")
    else:
        with tarfile.open(archive, "w") as tar:
            name, text = (
                ("other.txt", b"x") if fate == "another tar" else ("backup.json", json.dumps({"format": 9}).encode())
            )
            information = tarfile.TarInfo(name)
            information.size = len(text)
            tar.addfile(information, io.BytesIO(text))
    with pytest.raises(UsageError):
        restore_home(archive, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".restored")]


def test_damage_is_found_by_checksum(home, tmp_path):
    """One changed byte of a file is noticed, and the target does not appear."""
    archive = backed_up(home, tmp_path)
    content = archive.read_bytes()
    place = content.index(b"telemetry")
    archive.write_bytes(content[:place] + b"T" + content[place + 1 :])
    with pytest.raises(StorageError, match=r"dagster\.yaml differs"):
        restore_home(archive, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


@pytest.mark.parametrize("kind", ["parent", "absolute", "through a link", "link to the root", "hard link", "pipe"])
def test_archive_that_leads_out_of_the_target_is_refused(tmp_path, kind):
    """A made-up archive cannot write beside the target, nor leave anything but files, folders and links below it."""
    content = tarfile.TarInfo("../outside" if kind == "parent" else str(tmp_path / "outside"))
    content.size = 1
    members = [content]
    if kind in {"through a link", "link to the root", "hard link", "pipe"}:
        link = tarfile.TarInfo("link")
        kinds = {"hard link": tarfile.LNKTYPE, "pipe": tarfile.FIFOTYPE}
        link.type = kinds.get(kind, tarfile.SYMTYPE)
        link.linkname = "/" if kind == "link to the root" else ".."
        content.name = "link/outside"
        members = [link, content]
    archive = tmp_path / "evil.tar"
    with tarfile.open(archive, "w") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x") if member is content else None)
    with pytest.raises(UsageError, match=r"leads out of it|neither a file nor a folder"):
        restore_home(archive, tmp_path / "deep" / "restored")
    assert not (tmp_path / "deep" / "outside").exists()
    assert not (tmp_path / "outside").exists()


def test_damaged_database_is_named(home, tmp_path):
    """A home whose SQLite file is damaged is not backed up as if it were whole."""
    content = bytearray(home.operations.read_bytes())
    content[100:4000] = b"\xff" * 3900
    home.operations.write_bytes(bytes(content))
    for companion in home.path.glob("operations.sqlite-*"):
        companion.unlink()
    with pytest.raises(CorruptDatabaseError, match=r"operations\.sqlite is damaged"):
        write_backup(home, tmp_path / "backup.tar", now=NOW)
    assert not (tmp_path / "backup.tar").exists()


def test_full_disk_leaves_nothing_behind(home, tmp_path):
    """Where the archive cannot be written whole there is no archive, and one sentence."""
    script = (
        "import datetime as dt, resource, signal, sys\n"
        "from pathlib import Path\n"
        "from quant_assets.foundation.errors import StorageError\n"
        "from quant_assets.foundation.home import Home\n"
        "from quant_assets.ops.backup import write_backup\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "try:\n"
        "    write_backup(Home(Path(sys.argv[1])), Path(sys.argv[2]), now=dt.datetime(2030, 1, 2, tzinfo=dt.UTC))\n"
        "except StorageError as error:\n"
        "    print('StorageError', error)\n"
    )
    target = tmp_path / "backup.tar"
    done = subprocess.run(
        [sys.executable, "-c", script, str(home.path), str(target)], capture_output=True, text=True, check=False
    )
    assert "StorageError" in done.stdout, done.stderr
    assert "free space" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
