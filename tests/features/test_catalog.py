from __future__ import annotations

import datetime as dt
import inspect
import re
import textwrap

import polars as pl
import pytest
import yaml

from quant_assets.features import reference, return_shape
from quant_assets.features.catalog import feature_catalog
from quant_assets.features.consumers import FeatureConsumer, check_consumers, read_features, reuse_share
from quant_assets.features.dbt_project import load_project
from quant_assets.features.lineage import column_parents
from quant_assets.features.tables import FEATURE_CATALOG, feature_store
from quant_assets.features.versions import check_versions, stored_versions
from quant_assets.foundation.errors import DataError
from resources.warehouse import Warehouse

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def catalog_of(*consumers, known=None, now=NOW):
    empty = FEATURE_CATALOG.empty()
    return feature_catalog(
        load_project().manifest, stored_versions(), consumers, known=empty if known is None else known, now=now
    )


def rows_of(catalog, version=2):
    return {row["feature"]: row for row in catalog.filter(version=version).iter_rows(named=True)}


@pytest.fixture(scope="module")
def catalog():
    return catalog_of()


def test_the_catalogue_lists_every_feature_of_every_version(catalog):
    """Each column of each version's contract but the key and the bars is a row, with formula, unit and source."""
    for version in stored_versions():
        columns = feature_store(version).column_names[7:]
        assert sorted(rows_of(catalog, version)) == sorted(columns)
    told = pl.col("description", "formula", "logic", "unit", "reference")
    assert catalog.filter(pl.any_horizontal(told == "")).height == 0


def test_dependencies_are_read_from_the_code(catalog):
    """What a feature is made of comes from its SQL and its functions, down to other features or the bars."""
    found = {name: row["depends_on"] for name, row in rows_of(catalog).items()}
    assert found["rsi_14"] == "close"
    assert found["macd_hist"] == "close, ema_26, macd_signal"
    assert found["natr_14"] == "close, high, low"
    assert found["volatility_term_ratio"] == "realised_volatility_ann_20, realised_volatility_ann_60"
    assert found["market_beta_252"] == "close, market_close"
    assert found["momentum_12_1_rank"] == "momentum_12_1"
    assert found["symbol_p_bullish"] == "symbol_regimes.p_bullish"
    assert found["is_month_end"] == "date"


def test_logic_is_the_code_that_runs(catalog):
    """SQL of the mart first, then each function between it and other features."""
    rows = rows_of(catalog)
    assert rows["volume_ratio"]["logic"] == "volume / nullif(volume_sma_20, 0)"
    assert rows["sma_5"]["logic"] == "sma_5: return rolling_mean(close, 5, rows)"
    assert rows["rsi_14"]["logic"].splitlines()[0] == (
        "CASE WHEN average_gain + average_loss > 1e-12 * close "
        "THEN 100 * average_gain / (average_gain + average_loss) END"
    )
    assert "average_loss: return wilder_mean(" in rows["rsi_14"]["logic"]
    assert rows["drawdown_252d_rank"]["logic"] == "cross_sectional_rank(drawdown_252d)"


def test_logic_shows_the_values_of_parameters(catalog):
    """Where the code names a parameter, the catalogue shows what it is: spans, multiples and the sessions of a year."""
    rows = rows_of(catalog)
    averaged = "average_gain: return wilder_mean(np.maximum(close - lag(close, 1, rows), 0.0), 14, rows, previous)"
    assert averaged in rows["rsi_14"]["logic"].splitlines()
    assert "bb_distance: return 2.0 * rolling_std(close, 20, 0, rows)" in rows["bb_upper"]["logic"].splitlines()
    volatility = f"return {252**0.5!r} * rolling_std(log_return, 20, 1, rows)"
    assert volatility in rows["realised_volatility_ann_20"]["logic"]
    named = catalog.filter(pl.col("logic").str.contains(r"\b(p\.[A-Z]|_[A-Z]|[A-Z]+_[A-Z])"))
    assert named["feature"].to_list() == []


def without_version(versions, number):
    return {known: version for known, version in versions.items() if known != number}


def test_a_version_that_only_one_side_knows_is_refused():
    """A mart without a stored version, a stored version without a mart, and a mart of another table are named."""
    manifest, versions = load_project().manifest, stored_versions()
    check_versions(manifest, versions)
    following = max(versions) + 1
    with pytest.raises(DataError, match=r"dbt builds feature_store_v2, which stored_versions\(\) .* does not list"):
        check_versions(manifest, without_version(versions, 2))
    with pytest.raises(DataError, match=f"lists version {following}, which"):
        check_versions(manifest, {**versions, following: versions[2]})
    with pytest.raises(DataError, match="feature_store_v2 does not read int_bars_averaged"):
        check_versions(manifest, {**versions, 2: versions[1]})


def test_the_catalogue_of_unlisted_versions_is_not_made():
    """Cataloguing stops where a version would be left out."""
    known = FEATURE_CATALOG.empty()
    with pytest.raises(DataError, match="dbt builds feature_store_v1"):
        feature_catalog(load_project().manifest, without_version(stored_versions(), 1), (), known=known, now=NOW)


def test_a_feature_keeps_its_first_instant(catalog):
    """created_at stays what it was when the catalogue is made again later; a new feature gets the later one."""
    later = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    again = catalog_of(known=catalog.filter(pl.col("feature") != "adx_14"), now=later)
    assert rows_of(again)["rsi_14"]["created_at"] == NOW
    assert rows_of(again)["adx_14"]["created_at"] == later


def test_reuse_counts_declared_consumers():
    """The share of used features that more than one consumer of that version declares; versions count apart."""
    one = FeatureConsumer("signals.direction", 2, ("rsi_14", "adx_14", "natr_14"))
    two = FeatureConsumer("strategies.trend", 2, ("rsi_14", "adx_14"))
    old = FeatureConsumer("regimes.old", 1, ("rsi_14",))
    catalog = catalog_of(one, two, old)
    assert rows_of(catalog)["rsi_14"]["used_by"] == "signals.direction, strategies.trend"
    assert rows_of(catalog, 1)["rsi_14"]["used_by"] == "regimes.old"
    assert reuse_share(catalog) == 0.5
    assert reuse_share(catalog_of()) is None


@pytest.mark.parametrize(
    ("consumers", "message"),
    [
        ([FeatureConsumer("a.b", 1, ("adx_14",))], "a.b asks for adx_14, which feature_store_v1 does not have"),
        (
            [FeatureConsumer("a.b", 1, ("obv",)), FeatureConsumer("a.b", 2, ("obv",))],
            "two feature consumers are called a.b",
        ),
    ],
)
def test_a_wrong_declaration_is_refused(consumers, message):
    """A consumer of a feature that does not exist, or with another's name, is named."""
    with pytest.raises(DataError, match=message):
        check_consumers(consumers)


def test_a_consumer_is_served_its_features_only(built_warehouse):
    """Reading for a consumer gives the key and the declared columns, filtered and sorted."""
    consumer = FeatureConsumer("signals.direction", 2, ("rsi_14", "close"))
    found = read_features(Warehouse(built_warehouse), consumer, "symbol IN (?, ?)", ["M", "A"])
    assert found.columns == ["symbol", "date", "rsi_14", "close"]
    assert found["symbol"].unique(maintain_order=True).to_list() == ["A", "M"]
    assert found["date"].is_sorted() is False
    assert found.filter(symbol="A")["date"].is_sorted()


def test_lineage_names_the_parents_columns():
    """Each column of each model is traced to columns of its direct parents."""
    manifest = load_project().manifest

    def parents(model, column):
        return column_parents(manifest, f"model.dbt_features.{model}", stored_versions().values())[column]

    assert parents("int_bars_traded", "dollar_volume") == {
        ("stg_market_data__daily_prices", "close"),
        ("stg_market_data__daily_prices", "volume"),
    }
    assert parents("int_bars_averaged", "macd_signal") == {("stg_market_data__adjusted_prices", "close")}
    assert parents("int_bars_measured", "mfi_14") == {
        ("int_bars_traded", name) for name in ("high", "low", "close", "volume")
    }
    assert parents("factor_exposures", "momentum_exposure") == {
        ("feature_store_v2", "momentum_12_1"),
        ("stg_ops__instruments", "is_index"),
    }
    assert parents("stg_ops__instruments", "is_market") == {("ops.instruments", "is_market")}
    assert parents("int_symbols_ranked", "market_beta_252_rank") == {("int_bars_measured", "market_beta_252")}


def test_the_page_of_features_is_current():
    """docs/features.md shows the tables that the code gives now: version 2 tells what it adds, and nothing twice."""
    page = reference.PAGE.read_text(encoding="utf-8")
    assert reference.feature_reference(page, load_project().manifest, stored_versions()) == page
    assert page.count("\n| `rsi_14` | Relative strength") == 1
    assert page.count("\n| `adx_14` | Average directional") == 1


def test_a_version_without_a_place_on_the_page_is_named():
    """A page that has no marks for a version is refused with what to add."""
    page = reference.PAGE.read_text(encoding="utf-8").replace("<!-- version 2 -->", "")
    with pytest.raises(DataError, match="has no table of version 2"):
        reference.feature_reference(page, load_project().manifest, stored_versions())


def test_the_example_of_a_new_feature_is_the_real_one():
    """docs/adding-a-feature.md shows the function and the contract of its example as they are."""
    page = (reference.PAGE.parent / "adding-a-feature.md").read_text(encoding="utf-8")
    code, _, _ = (textwrap.dedent(block) for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    assert code.strip() == inspect.getsource(return_shape.drawdown_252d).strip()
    (shown,) = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0])
    column = load_project().manifest["nodes"]["model.dbt_features.feature_store.v2"]["columns"][shown["name"]]
    assert {key: column[key] for key in ("name", "data_type", "description")} == {
        key: shown[key] for key in ("name", "data_type", "description")
    }
    assert column["config"]["meta"] == shown["config"]["meta"]
