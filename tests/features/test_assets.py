from __future__ import annotations

import dagster as dg
import duckdb
import pytest

from quant_assets.features import checks
from quant_assets.features.assets import feature_catalog_asset
from quant_assets.features.consumers import FeatureConsumer, read_features
from quant_assets.features.dbt import FULL_REFRESH_TAG, feature_store_models, raise_first_error
from quant_assets.features.dbt_project import NodeResult, load_project
from quant_assets.features.tables import FEATURE_CATALOG, published_tables
from quant_assets.foundation.errors import DataError
from resources.warehouse import TABLE_CHANGES, UNFINISHED_TABLES, Warehouse

CONSUMERS = (
    FeatureConsumer("signals.direction", 2, ("rsi_14", "adx_14")),
    FeatureConsumer("strategies.trend", 2, ("rsi_14",)),
)
MARTS = {
    f"features.{name}"
    for name in ("feature_store_v1", "feature_store_v2", "weekly_bars", "monthly_bars", "factor_exposures")
}


@pytest.fixture
def warehouse(built_warehouse):
    return Warehouse(built_warehouse, run_id="a-run")


def run(warehouse, *assets, tags=None, raise_on_error=True):
    return dg.materialize(list(assets), resources={"warehouse": warehouse}, tags=tags, raise_on_error=raise_on_error)


def metadata(result, *key):
    events = result.asset_materializations_for_node("feature_store_models")
    (event,) = [event for event in events if event.asset_key == dg.AssetKey(list(key))]
    return {name: value.value for name, value in event.metadata.items()}


def changed_tables(warehouse):
    return dict(warehouse.read(TABLE_CHANGES).select("table_name", "changed_at").rows())


def test_the_assets_are_the_reviewed_ones():
    """Every model is an asset of the features group with an owner, a description and the sources' keys upstream."""
    specs = {spec.key.path[-1]: spec for spec in feature_store_models.specs}
    assert sorted(specs) == sorted(
        [
            *("stg_market_data__adjusted_prices", "stg_market_data__daily_prices", "stg_ops__instruments"),
            *("stg_regimes__market_regimes", "stg_regimes__symbol_regimes"),
            *("int_bars_averaged", "int_bars_aligned", "int_bars_traded", "int_bars_measured", "int_symbols_ranked"),
            *("feature_store_v1", "feature_store_v2", "weekly_bars", "monthly_bars", "factor_exposures"),
        ]
    )
    assert {spec.group_name for spec in specs.values()} == {"features"}
    assert all(spec.owners and spec.description and spec.kinds for spec in specs.values())
    upstream = {dep.asset_key.path[0] for spec in specs.values() for dep in spec.deps} - {"features"}
    assert upstream == {"market_data", "regimes", "ops"}


def test_the_models_need_no_environment_and_the_run_lock():
    """The op requires the warehouse resource and nothing else."""
    assert feature_store_models.required_resource_keys - {"io_manager"} == {"warehouse"}


def test_a_run_reports_rows_dates_columns_and_lineage(warehouse):
    """Each mart tells its rows, its dates, described columns, what each is made of, and a preview; tests are checks."""
    result = run(warehouse, feature_store_models)
    v2 = metadata(result, "features", "feature_store_v2")
    assert (v2["dagster/row_count"], v2["symbols"], v2["first_date"]) == (900, 3, "2010-01-04")
    described = {column.name: column.description for column in v2["dagster/column_schema"].columns}
    assert described["natr_14"].startswith("Average true range relative to the close. Unit: percent. Formula: 100 ATR")
    lineage = v2["dagster/column_lineage"].deps_by_column
    assert lineage["rsi_14"] == [
        dg.TableColumnDep(dg.AssetKey(["features", "int_bars_measured"]), "average_gain"),
        dg.TableColumnDep(dg.AssetKey(["features", "int_bars_measured"]), "average_loss"),
        dg.TableColumnDep(dg.AssetKey(["features", "int_bars_measured"]), "close"),
    ]
    assert len(v2["preview"].records) == 3
    assert metadata(result, "features", "int_bars_measured")["rows_written"] == 0
    found = {evaluation.check_name: evaluation.passed for evaluation in result.get_asset_check_evaluations()}
    assert set(found.values()) == {True}
    assert {"one_row_per_session_feature_store", "one_row_per_session_int_bars_measured"} <= set(found)


def test_a_second_run_without_news_does_not_call_dbt(warehouse):
    """Where no input changed since everything was built and tested, nothing is built, noted or tested again."""
    before = changed_tables(warehouse)
    result = run(warehouse, feature_store_models)
    assert {e.description for e in result.get_asset_check_evaluations()} == {"nothing changed since this passed"}
    assert metadata(result, "features", "feature_store_v1")["dagster/row_count"] == 900
    assert changed_tables(warehouse) == before


def test_news_are_built_and_noted(warehouse):
    """A new bar is built and every mart is noted as changed, so that the run publishes it."""
    before = changed_tables(warehouse)
    with warehouse.transaction() as connection:
        connection.execute(
            "INSERT INTO market_data.adjusted_prices BY NAME SELECT * REPLACE (date + 3 AS date) "
            "FROM market_data.adjusted_prices WHERE date = (SELECT max(date) FROM market_data.adjusted_prices)"
        )
        warehouse.note_change(connection, "market_data.daily_prices")
    result = run(warehouse, feature_store_models)
    assert metadata(result, "features", "int_bars_averaged")["rows_written"] == 3
    assert metadata(result, "features", "feature_store_v2")["dagster/row_count"] == 903
    after = changed_tables(warehouse)
    assert {name for name in after if after[name] != before.get(name)} >= MARTS


def test_regimes_alone_change_the_marts_that_show_them(warehouse):
    """New regimes write no feature again, and are noted as a change of the marts that join them."""
    before = changed_tables(warehouse)
    with warehouse.transaction() as connection:
        connection.execute("INSERT INTO regimes.market_regimes VALUES ('2010-06-01', 'bullish', 1, 0, 0, 0, 'm')")
        warehouse.note_change(connection, "regimes.market_regimes")
    result = run(warehouse, feature_store_models)
    assert metadata(result, "features", "int_bars_measured")["rows_written"] == 0
    after = changed_tables(warehouse)
    changed = {name for name in after if after[name] != before.get(name)}
    assert {"features.feature_store_v1", "features.feature_store_v2"} <= changed
    assert "features_intermediate.int_bars_measured" not in changed


def test_the_full_refresh_tag_builds_everything_again(warehouse):
    """A run tagged quant/full_refresh writes every row, also where nothing changed."""
    result = run(warehouse, feature_store_models, tags={FULL_REFRESH_TAG: "true"})
    assert metadata(result, "features", "int_bars_averaged")["rows_written"] == 900
    assert metadata(result, "features", "int_bars_measured")["rows_written"] == 900


def test_a_selection_builds_only_what_it_names(warehouse):
    """Selecting one mart builds that mart and runs its own tests, without touching the others."""
    result = dg.materialize(
        [feature_store_models], resources={"warehouse": warehouse}, selection=[dg.AssetKey(["features", "weekly_bars"])]
    )
    keys = {event.asset_key.path[-1] for event in result.asset_materializations_for_node("feature_store_models")}
    assert keys == {"weekly_bars"}


def test_a_failing_test_fails_its_check_and_stops_what_follows(warehouse):
    """Two regimes for one session fail the blocking check of that table; the catalogue after it is not made."""
    with warehouse.transaction() as connection:
        for _ in range(2):
            connection.execute("INSERT INTO regimes.market_regimes VALUES ('2010-06-01', 'bullish', 1, 0, 0, 0, 'm')")
        warehouse.note_change(connection, "regimes.market_regimes")
    result = run(warehouse, feature_store_models, feature_catalog_asset(()), raise_on_error=False)
    failed = {e.check_name for e in result.get_asset_check_evaluations() if not e.passed}
    assert "unique_stg_regimes__market_regimes_date" in failed
    assert not result.success
    assert warehouse.read(FEATURE_CATALOG).height == 0


def test_a_failed_build_leaves_nothing_behind_once_its_cause_is_gone(warehouse):
    """A build that fails half-way marks the marts, and going back to the inputs before it builds again, not skips."""
    run(warehouse, feature_store_models)
    stores = [warehouse.query(f"FROM features.feature_store_v{version} ORDER BY symbol, date") for version in (1, 2)]
    with warehouse.connect() as connection:
        connection.execute("CREATE TABLE spare_bars AS FROM market_data.adjusted_prices")
        connection.execute("CREATE TABLE spare_changes AS FROM ops.table_changes")
        connection.execute("UPDATE market_data.adjusted_prices SET close = close * 1.01 WHERE symbol = 'A'")
        for _ in range(2):
            connection.execute("INSERT INTO regimes.market_regimes VALUES ('2010-06-01', 'bullish', 1, 0, 0, 0, 'm')")
        warehouse.note_change(connection, "regimes.market_regimes")
    assert not run(warehouse, feature_store_models, raise_on_error=False).success
    assert set(warehouse.read(UNFINISHED_TABLES)["table_name"]) == MARTS
    with pytest.raises(DataError, match="of two makings since its rebuilding in run a-run failed"):
        read_features(warehouse, CONSUMERS[0])
    with warehouse.connect() as connection:
        for table, spare in (("market_data.adjusted_prices", "spare_bars"), ("ops.table_changes", "spare_changes")):
            connection.execute(f"DELETE FROM {table}")
            connection.execute(f"INSERT INTO {table} FROM {spare}")
        connection.execute("DELETE FROM regimes.market_regimes")
    assert run(warehouse, feature_store_models).success
    again = [warehouse.query(f"FROM features.feature_store_v{version} ORDER BY symbol, date") for version in (1, 2)]
    assert all(one.equals(other) for one, other in zip(stores, again, strict=True))
    assert warehouse.read(UNFINISHED_TABLES).is_empty()


def test_a_part_that_went_well_mends_no_failed_build(warehouse):
    """Building one mart alone does not take the marks away that a failed build of all left."""
    warehouse.begin_rebuilding(["features.feature_store_v1"])
    only_weeks = [dg.AssetKey(["features", "weekly_bars"])]
    with warehouse.transaction() as connection:
        warehouse.note_change(connection, "market_data.daily_prices")
    dg.materialize([feature_store_models], resources={"warehouse": warehouse}, selection=only_weeks)
    assert warehouse.read(UNFINISHED_TABLES)["table_name"].to_list() == ["features.feature_store_v1"]


def test_a_broken_contract_names_the_columns_first():
    """Of dbt's table of a broken contract the columns and what is wrong with them are left."""
    message = (
        "Compilation Error in model feature_store\n  This model has an enforced contract that failed.\n"
        "  Please ensure the name, data_type, and number of columns in your contract match the columns.\n\n"
        "  | column_name | definition_type | contract_type | mismatch_reason       |\n"
        "  | ----------- | --------------- | ------------- | --------------------- |\n"
        "  | adx_14      |                 | DOUBLE        | missing in definition |\n"
        "  | adx_14x     | DOUBLE          |               | missing in contract   |\n"
    )
    node = next(id_ for id_ in load_project().manifest["nodes"] if id_.endswith("feature_store.v2"))
    with pytest.raises(DataError) as raised:
        raise_first_error([NodeResult(node, "error", message, 0.1, 0)])
    assert str(raised.value) == (
        "the dbt model features.feature_store_v2 could not be built: its columns break the contract in its .yml file: "
        "adx_14 (missing in definition), adx_14x (missing in contract); mend one of the two."
    )


def test_causality_is_checked_on_what_was_stored(warehouse):
    """Both versions pass on an honest store; a stored value of another code fails, with the rows that differ."""
    result = run(warehouse, feature_store_models, checks.feature_store_is_causal)
    found = {(e.asset_key.path[-1], e.check_name): e for e in result.get_asset_check_evaluations()}
    for version in (1, 2):
        check = found[f"feature_store_v{version}", "does_not_look_ahead"]
        assert check.passed
        assert check.metadata["rows_compared"].value >= 3 * (299 + 240)
    with warehouse.transaction() as connection:
        connection.execute(
            "UPDATE features_intermediate.int_bars_measured SET adx_14 = adx_14 + 1e-9 WHERE symbol = 'A'"
        )
    result = run(warehouse, feature_store_models, checks.feature_store_is_causal, raise_on_error=False)
    failed = {(e.asset_key.path[-1], e.check_name) for e in result.get_asset_check_evaluations() if not e.passed}
    assert failed == {("feature_store_v2", "does_not_look_ahead")}


def test_the_catalogue_says_who_uses_what(warehouse):
    """The catalogue lists both versions and the declared consumers, and keeps the first instant of each feature."""
    catalog = feature_catalog_asset(CONSUMERS)
    result = run(warehouse, catalog)
    (event,) = result.asset_materializations_for_node("feature_catalog")
    assert event.metadata["reuse_share"].value == 0.5
    first = warehouse.read(FEATURE_CATALOG)
    used = dict(first.filter(version=2).select("feature", "used_by").rows())
    assert used["rsi_14"] == "signals.direction, strategies.trend"
    assert used["adx_14"] == "signals.direction"
    run(warehouse, catalog)
    assert warehouse.read(FEATURE_CATALOG).equals(first)


def test_published_tables_are_the_marts(warehouse):
    """Each declared mart exists with exactly the declared columns, types and key."""
    assert {table.qualified_name for table in published_tables()} == MARTS
    with duckdb.connect(str(warehouse.path)) as connection:
        for table in published_tables():
            found = connection.execute(f"DESCRIBE {table.qualified_name}").fetchall()
            assert [(name, kind) for name, kind, *_ in found] == [(c.name, c.type) for c in table.columns]
            keys = ", ".join(table.key)
            repeated = connection.execute(
                f"SELECT {keys} FROM {table.qualified_name} GROUP BY ALL HAVING count(*) > 1"
            ).fetchall()
            assert repeated == []
