from __future__ import annotations

import datetime as dt
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from quant_assets.foundation.home import Home
from quant_assets.foundation.tables import Table
from quant_assets.ops.instance_folder import prepare_instance_folder
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import RUN_STATE
from quant_assets.ops.tables import TABLES as OPS_TABLES
from quant_assets.quality.tables import ANOMALY_EVENTS
from quant_assets.regimes.tables import REGIME_CHANGES
from quant_assets.serving.publish import publish
from quant_assets.settings import Settings
from quant_assets.signals.tables import DRIFT_REPORTS
from resources.warehouse import Warehouse
from tests.support.slack_receiver import TOKEN, SlackReceiver

AS_OF = dt.date(2013, 3, 1)
CLOCK = dt.datetime(2013, 3, 2, 11, tzinfo=dt.UTC)
TABLES = (*OPS_TABLES, ANOMALY_EVENTS, REGIME_CHANGES, DRIFT_REPORTS)


def complete(table: Table, *rows: dict[str, object]) -> pl.DataFrame:
    """Rows of a table with the columns that a test does not care about filled by something that fits."""
    filler = {"VARCHAR": "x", "DATE": AS_OF, "TIMESTAMPTZ": CLOCK, "BOOLEAN": False, "DOUBLE": 0.5}
    filled = [{c.name: None if c.nullable else filler.get(c.type, 1) for c in table.columns} | row for row in rows]
    return pl.DataFrame(filled, schema=table.polars_schema)


class Installation:
    """A home to which a test publishes."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        self.home.prepare()
        prepare_instance_folder(self.home)
        self.store = OperationsStore(self.home.operations)
        self._warehouse = Warehouse(self.home.warehouse, run_id="run-1")
        self._published = 0

    def publish(
        self,
        *tables: tuple[Table, pl.DataFrame],
        as_of: dt.date = AS_OF,
        clock: dt.datetime = CLOCK,
        source: str = "replay-packaged",
    ) -> None:
        self._warehouse.ensure(TABLES)
        values = {"as_of": as_of, "source": source, "source_clock": clock}
        self._warehouse.replace(RUN_STATE, complete(RUN_STATE, values))
        for table, frame in tables:
            self._warehouse.replace(table, frame)
        self._published += 1
        now = dt.datetime(2030, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=self._published)
        with self._warehouse.transaction() as connection:
            connection.execute("UPDATE ops.table_changes SET changed_at = ?", [now])
        publish(
            self.home,
            self._warehouse,
            run_id="run-1",
            outcome="success",
            assets={},
            tables=TABLES,
            git_revision="",
            now=now,
        )

    def alerts(self) -> list[tuple[str, str, str]]:
        """Kind, severity and subject of every alert."""
        rows = self.store.query("SELECT kind, severity, subject FROM alerts ORDER BY created_at, alert_id")
        return [tuple(row) for row in rows]


@pytest.fixture
def receiver():
    with SlackReceiver() as running:
        yield running


@pytest.fixture
def installed(tmp_path, monkeypatch, receiver):
    """An empty home named by the environment, with Slack set to a local receiver."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("SLACK_CHANNEL", "#alerts")
    monkeypatch.setenv("SLACK_API_URL", receiver.api_url)
    return Installation(tmp_path / "home")


@pytest.fixture
def instance(installed):
    with dg.DagsterInstance.from_config(str(installed.home.dagster)) as found:
        yield found


def tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None = None):
    """Evaluate a sensor once; returns what it answered and its cursor."""
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        answer = sensor(context)
        return answer, context.cursor
