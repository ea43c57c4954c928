"""How long after its session each stage was ready."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.home import Home
from quant_assets.foundation.tables import Column, Table
from quant_assets.market_data.tables import DAILY_PRICES
from quant_assets.ops.status import read_status
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import RUN_STATE
from quant_assets.ops.tables import TABLES as OPS_TABLES
from quant_assets.serving.publish import publish
from quant_assets.serving.service_levels import STAGES, lag_hours
from resources.warehouse import Warehouse

FRIDAY, MONDAY = dt.date(2013, 3, 1), dt.date(2013, 3, 4)
CLOSE = dt.datetime(2013, 3, 1, 21, tzinfo=dt.UTC)
"""16:00 in New York, in winter."""
ASKED = dt.datetime(2030, 1, 1, 11, tzinfo=dt.UTC)
"""Wall clock at which the run settled its session."""

STAGE_TABLES = tuple(
    Table(*name.split("."), (Column("date", "DATE", "Session."),), ("date",), "One row per session.")
    for name in STAGES.values()
)
TABLES = (*OPS_TABLES, DAILY_PRICES, *STAGE_TABLES)


def test_lag_of_a_live_source_is_the_wall_clock_s():
    """Where the source's clock goes with the wall's, the lag is the time from the close to readiness."""
    ready = CLOSE + dt.timedelta(hours=14, minutes=3)
    lag = lag_hours(FRIDAY, source_clock=CLOSE, asked_at=CLOSE, ready_at=ready, calendar=new_york_calendar())
    assert lag == pytest.approx(14.05)


def test_lag_of_a_standing_clock_is_its_time_and_the_run_s():
    """A replay's clock stands 14 hours after the close; the minutes that the run took are added."""
    lag = lag_hours(
        FRIDAY,
        source_clock=CLOSE + dt.timedelta(hours=14),
        asked_at=ASKED,
        ready_at=ASKED + dt.timedelta(minutes=3),
        calendar=new_york_calendar(),
    )
    assert lag == pytest.approx(14.05)


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def live(home: Home, session: dt.date, **minutes: int) -> None:
    """One night: the stages named are ready so many minutes after the session was settled."""
    warehouse = Warehouse(home.warehouse, run_id="run")
    warehouse.ensure(TABLES)
    clock = new_york_calendar().close_at(session) + dt.timedelta(hours=14)
    state = {"as_of": session, "source": "demo", "dividend_adjustment": "vendor", "source_clock": clock}
    warehouse.replace(RUN_STATE, pl.DataFrame([state], schema=RUN_STATE.polars_schema))
    day = dt.timedelta(days=(session - FRIDAY).days)
    with warehouse.transaction() as connection:
        connection.execute("UPDATE ops.table_changes SET changed_at = ?", [ASKED + day])
    for stage, after in minutes.items():
        (table,) = [one for one in STAGE_TABLES if one.qualified_name == STAGES[stage]]
        frame = pl.DataFrame({"date": [session]}, schema=table.polars_schema)
        warehouse.replace(table, frame)
        with warehouse.transaction() as connection:
            stamp = [ASKED + day + dt.timedelta(minutes=after), table.qualified_name]
            connection.execute("UPDATE ops.table_changes SET changed_at = ? WHERE table_name = ?", stamp)
    now = ASKED + day + dt.timedelta(hours=1)
    publish(
        home, warehouse, run_id="run", outcome="failed", assets={}, tables=TABLES, git_revision="", now=now
    )  # a failed run publishes always


def levels(home: Home) -> dict[str, tuple[float | None, int, float | None]]:
    status = read_status(home, OperationsStore(home.operations), now=ASKED, quota_day=FRIDAY)
    return {row[0]: row[1:] for row in status.service_levels.iter_rows()}


def test_each_stage_is_noted_once_per_session(home):
    """The first readiness counts; a second run of the same session changes nothing; a stage that failed is null."""
    live(home, FRIDAY, features=6, regimes=3)
    found = levels(home)
    assert found["features"] == (pytest.approx(14.1), 1, pytest.approx(14.1))
    assert found["regimes"] == (pytest.approx(14.05), 1, pytest.approx(14.05))
    assert found["signals"] == (None, 0, None)
    live(home, FRIDAY, features=30, signals=12)
    assert levels(home) == found | {"signals": (pytest.approx(14.2), 1, pytest.approx(14.2))}


def test_status_has_the_newest_session_and_the_median(home):
    """The newest night is shown beside the median of the nights."""
    for session, minutes in ((FRIDAY, 6), (MONDAY, 12)):
        live(home, session, features=minutes, regimes=minutes, signals=minutes)
    expected = (pytest.approx(14.2), 2, pytest.approx(14.15))
    assert levels(home) == dict.fromkeys(("features", "regimes", "signals"), expected)
