from __future__ import annotations

import fcntl
import os

import dagster as dg
import pytest

from quant_assets.signals import assets, checks
from quant_assets.signals.feature_list import FEATURES, REGIME_COLUMN
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.model_spec import DEFAULT_MODELS, BoostingParameters
from quant_assets.signals.registration import follow_ledger, register
from quant_assets.signals.tables import WALK_FORWARD_PREDICTIONS
from quant_assets.signals.training import Circumstances, TrainedModel, train_model
from quant_assets.signals.training_run import read_training_inputs
from quant_assets.signals.training_table import training_table
from tests.support.signal_home import SESSIONS, SignalHome, empty_home


def materialise(home: SignalHome, **config: object) -> dg.ExecuteInProcessResult:
    """The room's assets and checks on a home, as a run would."""
    return dg.materialize(
        [*dg.load_assets_from_modules([assets]), *dg.load_asset_checks_from_modules([checks])],
        resources={
            "warehouse": home.warehouse,
            "operations": home.operations,
            "model_folders": home.folders,
            "model_records": home.records,
        },
        run_config={
            "ops": {"train_models": {"config": config}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
    )


@pytest.fixture(scope="session")
def first_night(tmp_path_factory):
    """A home after its first night, and what that run did; None for the run where another process made the home."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    home, done, run = SignalHome(shared / "signals_home"), shared / "signals_home.done", None
    with (shared / "signals_home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            empty_home(home.path)
            home.advance_to(SESSIONS)
            run = materialise(home)
            assert run.success
            done.touch()
        # A DuckDB file is open in one process at a time, so each has a copy of its own.
        own = home.copy(tmp_path_factory.mktemp("signals") / "home")
    return own, run


@pytest.fixture
def home(first_night, tmp_path) -> SignalHome:
    """A copy of the trained home that a test may change."""
    return first_night[0].copy(tmp_path / "home")


@pytest.fixture(scope="session")
def jump_2(first_night) -> TrainedModel:
    """A coarser retraining of ``jump`` on the same history, judged against its champion, not registered."""
    store = first_night[0].warehouse
    inputs = read_training_inputs(store)
    (jump,) = (spec for spec in DEFAULT_MODELS if spec.name == "jump")
    spec = jump.with_changes(boosting=BoostingParameters(rounds=20, learning_rate=0.2), seed=8)
    labels = forward_labels(inputs.closes, spec.label, inputs.sessions)
    return train_model(
        training_table(inputs.features, labels, FEATURES, regime_column=REGIME_COLUMN),
        spec,
        Circumstances("jump-2", 2, inputs.clock, "abc"),
        champion=store.read(WALK_FORWARD_PREDICTIONS, where="model_version = 'jump-1'"),
    )


@pytest.fixture(scope="session")
def retrained(first_night, jump_2, tmp_path_factory) -> SignalHome:
    """The trained home with ``jump-2`` registered as challenger; read only."""
    home = first_night[0].copy(tmp_path_factory.mktemp("retrained") / "home")
    register(home.warehouse, home.registry(), jump_2, actor="test")
    follow_ledger(home.warehouse, home.registry())
    return home
