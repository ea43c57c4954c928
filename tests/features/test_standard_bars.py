from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
import pytest

from quant_assets.features.dbt_project import load_project
from quant_assets.features.lineage import column_parents, compiled_sql
from quant_assets.features.session_position import is_month_end, is_week_end
from quant_assets.features.versions import stored_versions

VIEWS = [("weekly_bars", "week_start", "1w"), ("monthly_bars", "month_start", "1mo")]


@pytest.fixture(scope="module")
def gappy_bars(real_bars):
    """Two years of three symbols in which some bars are missing: halts, also over the ends of weeks and months."""
    bars = real_bars.filter(pl.col("date").dt.year().is_in([2006, 2007]))
    kept = np.random.default_rng(5).random(bars.height) > 0.15
    return bars.filter(pl.Series(kept))


def standard_bars(view, bars):
    """The view's own SQL over some bars."""
    manifest = load_project().manifest
    node = manifest["nodes"][f"model.dbt_features.{view}"]
    days = bars["date"].to_physical().to_numpy()
    marked = bars.with_columns(is_week_end=is_week_end(days), is_month_end=is_month_end(days)).fill_nan(None)
    with duckdb.connect() as connection:
        connection.register("marked", marked)
        sql = compiled_sql(manifest, node, instead_of={"model.dbt_features.int_bars_measured": "marked"})
        return connection.execute(sql).pl().sort("symbol", "date")


@pytest.mark.parametrize(("view", "start", "every"), VIEWS)
def test_a_complete_row_was_known_on_its_date(gappy_bars, view, start, every):
    """On every session, exactly the rows whose known_on has come are complete, and they never change afterwards."""
    whole = standard_bars(view, gappy_bars)
    for session in gappy_bars["date"].unique().sort().gather_every(11):
        seen = standard_bars(view, gappy_bars.filter(pl.col("date") <= session)).filter("is_complete")
        assert seen.equals(whole.filter(pl.col("known_on") <= session)), session
    assert whole.filter(pl.col("known_on") < pl.col("date")).height == 0
    assert whole.filter(pl.col("is_complete") != pl.col("known_on").is_not_null()).height == 0
    grouped = gappy_bars.group_by("symbol", pl.col("date").dt.truncate(every).alias(start)).agg(
        last=pl.col("date").max(), sessions=pl.len(), low=pl.col("low").min()
    )
    joined = whole.join(grouped, on=["symbol", start])
    assert joined.height == whole.height == grouped.height
    assert joined.filter(
        (pl.col("last") != pl.col("date"))
        | (pl.col("sessions") != pl.col("sessions_right"))
        | (pl.col("low") != pl.col("low_right"))
    ).is_empty()


@pytest.mark.parametrize(("view", "start", "every"), VIEWS)
def test_a_row_is_known_with_the_exchanges_last_session_or_the_next_one(gappy_bars, view, start, every):
    """Known on the exchange's last session of the period where the symbol traded, else on the first session after."""
    sessions = gappy_bars["date"].unique().sort()
    for row in standard_bars(view, gappy_bars).iter_rows(named=True):
        first_after = pl.Series([row[start]]).dt.offset_by(every)[0]
        after = sessions.filter(sessions >= first_after)
        if row["known_on"] != row["date"]:
            assert row["known_on"] == (after[0] if after.len() else None)
    halted = standard_bars(view, gappy_bars).filter(pl.col("known_on") > pl.col("date"))
    assert halted.height > 0


@pytest.mark.parametrize(("view", "start", "every"), VIEWS)
def test_an_unknown_volume_makes_the_sum_unknown(gappy_bars, view, start, every):
    """A period in which one session has no volume has none, and the others keep theirs."""
    chosen = gappy_bars["date"].unique().sort()[100]
    holed = gappy_bars.with_columns(volume=pl.when(pl.col("date") != chosen).then("volume"))
    before, after = standard_bars(view, gappy_bars), standard_bars(view, holed)
    period = pl.Series([chosen]).dt.truncate(every)[0]
    is_hit = (pl.col(start) == period) & pl.Series(
        [symbol in gappy_bars.filter(date=chosen)["symbol"].to_list() for symbol in before["symbol"]]
    )
    assert after.equals(before.with_columns(volume=pl.when(~is_hit).then("volume")))
    assert after["volume"].null_count() == before.filter(is_hit).height > 0


def test_the_grouped_views_are_traced_to_the_bars():
    """Lineage leads from the columns of the views to those of the stored bars."""
    manifest = load_project().manifest

    def parents(view, column):
        return column_parents(manifest, f"model.dbt_features.{view}", stored_versions().values())[column]

    assert parents("weekly_bars", "volume") == {("int_bars_measured", "volume")}
    assert parents("weekly_bars", "known_on") == {("int_bars_measured", "is_week_end"), ("int_bars_measured", "date")}
    assert parents("monthly_bars", "is_complete") >= {("int_bars_measured", "is_month_end")}
