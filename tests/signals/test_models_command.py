"""``quant models`` as people run it: in processes of their own, or by the same command line in this one."""

from __future__ import annotations

import shutil

import pytest

from quant_assets.cli import app
from quant_assets.commands.models import delete_model, promote_model, roll_back_model
from quant_assets.foundation.errors import UsageError
from quant_assets.foundation.home import Home
from quant_assets.signals.challenger_review import compare_challengers
from quant_assets.signals.score_night import score_night
from tests.signals.test_registration import client_of
from tests.support.pipeline import Installation
from tests.support.signal_home import SESSIONS, SignalHome


@pytest.fixture(scope="module")
def two_versions(retrained, tmp_path_factory) -> SignalHome:
    """A home with a champion and a challenger of ``jump``; the tests below change it one after the other."""
    return retrained.copy(tmp_path_factory.mktemp("models") / "home")


@pytest.fixture(scope="module")
def quant(two_versions):
    """Run ``quant models`` on that home."""
    installation = Installation(two_versions.path, two_versions.path / "universe.yaml")

    def run(*arguments: str):
        return installation.quant("models", *arguments)

    return run


@pytest.fixture
def quant_here(monkeypatch, capsys):
    """Run ``quant models`` on a home in this process, which saves the seconds of another one's imports."""

    def run(home: SignalHome, *arguments: str) -> str:
        for name, value in Installation(home.path, home.path / "universe.yaml").environment().items():
            monkeypatch.setenv(name, value)
        app(args=["models", *arguments], prog_name="quant", standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_the_list_shows_how_a_challenger_does_live(two_versions, quant_here, tmp_path):
    """Versions with their skill, and each challenger beside the champion on the sessions since, as last published."""
    home = two_versions.copy(tmp_path / "home")
    home.advance_to(SESSIONS + 6)
    score_night(home.warehouse, home.registry())
    live = compare_challengers(home.warehouse, home.registry())
    shutil.copy(home.warehouse.path, Home(home.path).readers_database)
    shown = quant_here(home, "list")
    assert f"jump-2, challenger: live sessions: 5, Brier {live['jump-2'].brier:.5f} against" in shown
    assert "of the champion, rank IC" in shown
    assert "direction-1, challenger: live sessions: 1, Brier" in shown
    assert "of the base rate, rank IC" in shown


def test_versions_are_promoted_rolled_back_and_deleted_by_people(quant, quant_here, two_versions):
    """Every change counts at once, says who and why, and reaches MLflow; a champion cannot be deleted."""
    listed = quant_here(two_versions, "list")
    aliases = {line.split()[0]: line.split()[1] for line in listed.splitlines() if "-" in line.split()[0]}
    assert aliases == {"direction-1": "challenger", "jump-1": "champion", "jump-2": "challenger"}
    assert "mlflow ui --backend-store-uri" in listed

    promoted = quant("promote", "jump-2", "--why", "trial", "--by", "Ann")
    assert promoted.returncode == 0
    assert promoted.stdout.strip() == "jump-2 is champion of jump from the next run on."
    with pytest.raises(UsageError, match="is the champion and cannot be deleted"):
        delete_model(two_versions.registry(), "jump-2", actor="Ann", reason="tidy")
    back = quant_here(two_versions, "rollback", "jump", "--why", "worse", "--by", "Bob")
    assert back.strip() == "jump-1 is champion of jump again from the next run on."
    deleted = quant_here(two_versions, "delete", "jump-2", "--why", "worse", "--by", "Bob")
    assert deleted.strip() == "jump-2 is deleted."

    events = two_versions.registry().ledger.events().sort("event_id").tail(3)
    assert events.select("event", "model_version", "actor", "reason").rows() == [
        ("promoted", "jump-2", "Ann", "trial"),
        ("rolled_back", "jump-1", "Bob", "worse"),
        ("deleted", "jump-2", "Bob", "worse"),
    ]
    assert two_versions.registry().files.versions() == ("direction-1", "jump-1")
    client = client_of(two_versions)
    assert client.get_model_version_by_alias("jump", "champion").tags["quant.model_version"] == "jump-1"
    recorded = {one.tags["quant.model_version"] for one in client.search_model_versions("name='jump'")}
    assert recorded == {"jump-1"}


def test_wrong_usage_is_one_sentence(quant):
    """What cannot be done exits with 2 and one plain sentence, without a traceback."""
    done = quant("promote", "jump-9", "--why", "x")
    assert done.returncode == 2
    assert "there is no version 'jump-9'; choose one of direction-1, jump-1" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "name", "sentence"),
    [
        (promote_model, "jump-1", "jump-1 is the champion already"),
        (promote_model, "../../etc", "there is no version"),
        (delete_model, "jump-1", "cannot be deleted"),
        (roll_back_model, "nothing", "nothing has no former champion"),
    ],
)
def test_what_cannot_be_done_changes_nothing(first_night, command, name, sentence):
    """A refused change raises one sentence and leaves ledger and files as they were."""
    registry = first_night[0].registry()
    before = (registry.ledger.holders(), registry.ledger.events().height, registry.files.versions())
    with pytest.raises(UsageError, match=sentence):
        command(registry, name, actor="test", reason="test")
    assert (registry.ledger.holders(), registry.ledger.events().height, registry.files.versions()) == before
