from __future__ import annotations

import pickle
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from quant_assets.foundation.errors import StorageError
from quant_assets.signals.feature_list import FEATURES
from quant_assets.signals.ledger import CHALLENGER, CHAMPION
from quant_assets.signals.registration import follow_ledger, register, remove_leftovers
from quant_assets.signals.score_night import score_night
from quant_assets.signals.tables import MODEL_METRICS, MODELS, SIGNALS, WALK_FORWARD_PREDICTIONS
from resources.model_registry import MlflowRecords, ModelFolders
from tests.support.signal_home import SESSIONS, SignalHome


def client_of(home: SignalHome) -> MlflowClient:
    return MlflowClient(tracking_uri=home.records.location, registry_uri=home.records.location)


def test_the_record_tells_everything_about_a_version(first_night):
    """MLflow holds parameters, figures with baselines, the data interval, files, a signature and the alias."""
    home = first_night[0]
    row = home.warehouse.read(MODELS, where="model_version = 'jump-1'").row(0, named=True)
    client = client_of(home)
    run = client.get_run(row["mlflow_run_id"])
    assert run.data.params["label.threshold"] == "0.02"
    assert run.data.params["seed"] == str(row["seed"])
    skill = home.warehouse.read(MODEL_METRICS, where="model_version = 'jump-1' AND metric = 'brier_skill'")
    value = dict(zip(skill["slice"], skill["value"], strict=True))["all"]
    assert run.data.metrics["brier_skill"] == pytest.approx(value)
    assert {"brier_skill.low", "auc.baseline", "brier_skill.against_logistic"} <= set(run.data.metrics)
    assert run.data.tags["quant.trained_from"] == str(row["trained_from"])
    files = {Path(one.path).name for one in client.list_artifacts(run.info.run_id, "files")}
    assert {"model.txt", "model.json", "importance.svg", "calibration.svg", "walk_forward.parquet"} <= files
    version = client.get_model_version_by_alias("jump", CHAMPION)
    assert version.tags["quant.model_version"] == "jump-1"
    signature = client.download_artifacts(run.info.run_id, "model/MLmodel")
    assert FEATURES[0] in Path(signature).read_text(encoding="utf-8")


def test_artifacts_lie_inside_the_home(first_night):
    """The place of the artifacts is stated, not left to the folder that a run happened to start in."""
    home = first_night[0]
    experiment = client_of(home).get_experiment_by_name("signals")
    # Where the first night ran; each test process has a copy of that home.
    assert experiment.artifact_location.endswith("/signals_home/mlflow/artifacts")


def test_a_copied_home_writes_nothing_into_the_first_one(first_night, retrained):
    """A version that is registered in a copy of a home leaves its files in the copy alone."""
    original = first_night[0].path / "mlflow" / "artifacts"
    assert len(list(original.iterdir())) == 2
    assert len(list((retrained.path / "mlflow" / "artifacts").iterdir())) == 3


def test_a_retraining_that_learned_nothing_new_does_not_replace_the_champion(retrained, jump_2):
    """A coarser retraining on the same history stays challenger, with the figures of the comparison in its verdict."""
    assert "the champion stays" in jump_2.verdict.reason
    rows = retrained.warehouse.read(MODELS, where="model = 'jump'")
    assert dict(zip(rows["model_version"], rows["alias"], strict=True)) == {"jump-1": CHAMPION, "jump-2": CHALLENGER}
    assert rows["verdict"][1] == jump_2.verdict.reason
    against = retrained.warehouse.read(MODEL_METRICS, where="model_version = 'jump-2' AND slice = 'against:champion'")
    assert {"brier", "brier_skill", "rank_ic", "auc"} <= set(against["metric"])
    client = client_of(retrained)
    assert client.get_model_version_by_alias("jump", CHALLENGER).tags["quant.model_version"] == "jump-2"


def unreachable(home: SignalHome) -> MlflowRecords:
    return MlflowRecords(home.path / "mlflow", "http://127.0.0.1:9")


def damaged(home: SignalHome) -> MlflowRecords:
    (home.path / "mlflow" / "mlflow.db").write_bytes(b"this is no database, it only has its name" * 100)
    return home.records


@pytest.mark.parametrize("fault", [unreachable, damaged])
def test_without_its_record_a_version_is_kept_and_scores(home, jump_2, fault):
    """With MLflow unreachable or damaged a training ends, its version is kept, the night scores, and an alert tells."""
    records = fault(home)
    assert register(home.warehouse, home.registry(records), jump_2, actor="test") == CHALLENGER
    follow_ledger(home.warehouse, home.registry(records))
    row = home.warehouse.read(MODELS, where="model_version = 'jump-2'").row(0, named=True)
    assert (row["alias"], row["mlflow_run_id"]) == (CHALLENGER, None)
    subjects = [subject for subject, _ in home.alerts()]
    assert "MLflow could not record jump-2" in subjects
    as_of = home.advance_to(SESSIONS + 1)
    score_night(home.warehouse, home.registry(records))
    signals = home.warehouse.read(SIGNALS, where="date = ? AND model = 'jump'", parameters=[as_of])
    assert set(signals["model_version"]) == {"jump-1"}


def test_a_locked_record_is_one_sentence(home):
    """A store that another process holds is an error that says so and what goes on, not a hanging night."""
    path = home.path / "mlflow" / "mlflow.db"
    impatient = MlflowRecords(home.path / "mlflow", f"{home.records.location}?timeout=0.2")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(impatient.assign_alias, "jump", CHAMPION, "jump-1")
            with pytest.raises(StorageError, match="models go on scoring from their own folders"):
                waiting.result(timeout=60)
    finally:
        holder.close()


KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from quant_assets.signals.registration import register
from resources.model_registry import MlflowRecords
from tests.support.signal_home import SignalHome

class Killed(MlflowRecords):
    def record(self, **_):
        os.kill(os.getpid(), signal.SIGKILL)

home = SignalHome(Path(sys.argv[1]))
trained = pickle.loads(Path(sys.argv[2]).read_bytes())
register(home.warehouse, home.registry(Killed(home.path / "mlflow")), trained, actor="test")
"""


def test_a_training_killed_half_way_leaves_no_half_of_a_model(home, jump_2, tmp_path):
    """Killed between its folder and its rows, a version is not known to anything, and the next training clears it."""
    (tmp_path / "trained").write_bytes(pickle.dumps(jump_2))
    arguments = [sys.executable, "-W", "ignore", "-c", KILLED, str(home.path), str(tmp_path / "trained")]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    registry = home.registry()
    assert registry.files.versions() == ("direction-1", "jump-1", "jump-2")
    assert home.warehouse.read(MODELS)["model_version"].to_list() == ["direction-1", "jump-1"]
    as_of = home.advance_to(SESSIONS + 1)
    score_night(home.warehouse, registry)
    signals = home.warehouse.read(SIGNALS, where="date = ? AND model = 'jump'", parameters=[as_of])
    assert set(signals["model_version"]) == {"jump-1"}
    assert remove_leftovers(home.warehouse, registry) == ("jump-2",)
    assert registry.files.versions() == ("direction-1", "jump-1")


def test_rolling_back_and_deleting_keep_tables_in_step(retrained, tmp_path):
    """Tables follow the ledger: the aliases, the events, and the predictions of alias holders alone."""
    home = retrained.copy(tmp_path / "home")
    registry = home.registry()
    registry.ledger.note("jump", "jump-2", "promoted", actor="Ann", reason="trial", alias=CHAMPION)
    follow_ledger(home.warehouse, registry)

    def predicted() -> set[str]:
        return set(home.warehouse.read(WALK_FORWARD_PREDICTIONS)["model_version"])

    assert predicted() == {"direction-1", "jump-2"}
    registry.ledger.note("jump", "jump-1", "rolled_back", actor="Ann", reason="worse", alias=CHAMPION)
    registry.ledger.note("jump", "jump-2", "deleted", actor="Ann", reason="tidy")
    registry.files.delete("jump-2")
    follow_ledger(home.warehouse, registry)
    assert predicted() == {"direction-1", "jump-1"}
    assert home.warehouse.read(MODELS)["model_version"].to_list() == ["direction-1", "jump-1"]
    assert registry.next_version("jump", home.warehouse) == "jump-3"


def test_folders_are_written_whole_or_not_at_all(tmp_path):
    """A version is never overwritten, a draft is no version, a name that is no version is refused."""
    folders = ModelFolders(tmp_path / "models")
    folders.write("jump-1", {"model.txt": b"one"})
    with pytest.raises(StorageError, match="never overwritten"):
        folders.write("jump-1", {"model.txt": b"two"})
    (tmp_path / "models" / ".jump-2.draft").mkdir()
    assert folders.versions() == ("jump-1",)
    assert folders.read("jump-1") == {"model.txt": b"one"}
    with pytest.raises(StorageError, match="is no model version"):
        folders.read("../secrets")
    folders.delete("jump-1")
    folders.delete("jump-1")
    with pytest.raises(StorageError, match="roll back to another version"):
        folders.read("jump-1")
