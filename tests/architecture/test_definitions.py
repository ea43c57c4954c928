from __future__ import annotations

import dagster as dg
import pytest

ROOMS = ("market_data", "quality", "features", "regimes", "signals", "forecasts", "backtests", "serving", "ops")


@pytest.fixture(scope="module")
def definitions(tmp_path_factory):
    from quant_assets.definitions import defs

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANT_HOME", str(tmp_path_factory.mktemp("home")))
        yield defs()


@pytest.fixture(scope="module")
def graph(definitions):
    return definitions.resolve_asset_graph()


def test_definitions_are_loadable(definitions):
    """Every job, schedule and sensor resolves."""
    dg.Definitions.validate_loadable(definitions)


def test_every_asset_is_described(graph):
    """Each asset has a group equal to its key prefix, an owner, a kind and a description."""
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.group_name == key.path[0], key
        assert key.path[0] in ROOMS, key
        assert node.owners, key
        assert node.kinds, key
        assert node.description, key


def test_no_asset_is_an_orphan(graph):
    """Each asset has something upstream or downstream."""
    lonely = [
        key
        for key in graph.materializable_asset_keys
        if not graph.get(key).parent_keys and not graph.get(key).child_keys
    ]
    assert lonely == []


def test_no_writer_lacks_the_run_lock(definitions, graph):
    """Each asset and each check requires the warehouse resource, which holds the run lock."""
    without = [
        assets.op.name
        for assets in {id(a): a for a in graph.assets_defs}.values()
        if assets.is_executable and "warehouse" not in assets.required_resource_keys
    ]
    assert without == []


def test_jobs_and_schedules_are_the_reviewed_ones(definitions):
    """The names and the cron line that people rely on."""
    jobs = {job.name for job in definitions.jobs}
    assert jobs >= {"nightly", "backfill_prices"}
    schedules = {schedule.name: schedule.cron_schedule for schedule in definitions.schedules}
    assert schedules["nightly_schedule"] == "0 6 * * 2-6"
    assert {schedule.execution_timezone for schedule in definitions.schedules} == {"America/New_York"}
