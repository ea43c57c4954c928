"""Which files of a replay are not awaited, and for how long."""

from __future__ import annotations

import dagster as dg
import sqlalchemy

from quant_assets.commands.kept_open import events_not_awaited
from quant_assets.foundation.home import Home
from quant_assets.ops.instance_folder import prepare_instance_folder

NORMAL, FULL = 1, 2


def synchronous(path) -> int:
    """What a connection that SQLAlchemy opens to a file waits for."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("PRAGMA synchronous")).scalar_one()
    engine.dispose()
    return found


def test_only_event_logs_of_this_home_are_not_awaited(tmp_path):
    """Inside the block event logs are written without waiting; runs and MLflow's store, and all after it, with."""
    home = Home(tmp_path / "home")
    prepare_instance_folder(home)
    with events_not_awaited(home), dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        assert instance.get_runs() == []
        (index,) = (home.dagster / "history" / "runs").glob("index.db")
        assert synchronous(index) == NORMAL
        for other in (home.dagster / "history" / "runs.db", home.path / "mlflow.db"):
            assert synchronous(other) == FULL
    assert synchronous(index) == FULL
