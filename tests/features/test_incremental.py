from __future__ import annotations

import dataclasses
import datetime as dt

import duckdb
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quant_assets.features.changes import find_changes
from quant_assets.features.incremental import changed_rows
from quant_assets.features.panel import computed
from quant_assets.features.versions import stored_versions
from quant_assets.foundation.errors import DataError

LAST = dt.date(2011, 6, 24)


@pytest.fixture
def night(aligned):
    """Runs nights over a bars table that the test changes in between, keeping the stored table as dbt's macro does."""
    with duckdb.connect() as connection:

        def run(version, bars):
            inputs = aligned(bars)
            connection.register("bars_of_tonight", inputs)
            connection.execute("CREATE OR REPLACE TABLE bars AS FROM bars_of_tonight")
            exists = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'stored'").fetchone()[
                0
            ]
            stored = "stored" if exists else None
            reader = changed_rows(connection, version, bars="SELECT * FROM bars", stored=stored)
            new = pl.from_arrow(reader.read_all())
            whole = replaced(connection.execute("FROM stored").pl() if exists else None, new)
            connection.register("whole", whole)
            connection.execute("CREATE OR REPLACE TABLE stored AS FROM whole")
            return new, whole.sort("symbol", "date")

        yield run


def until(bars, date):
    return bars.filter(pl.col("date") <= date)


def rescaled(bars, symbol, before, factor):
    """A split or dividend of one symbol: everything before it is multiplied."""
    hit = (pl.col("symbol") == symbol) & (pl.col("date") < before)
    return bars.with_columns(
        pl.when(hit).then(pl.col(name) * factor).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    )


@pytest.fixture(params=[1, 2])
def version(request):
    return stored_versions()[request.param]


@pytest.fixture
def bars(make_bars):
    return make_bars(("A", "B", "M"), count=385)


def test_a_new_session_computes_that_session_only(night, version, bars):
    """The night after computes one row per symbol, and the table is the one that a full build gives."""
    dates = bars["date"].unique().sort()
    night(version, until(bars, dates[-2]))
    new, whole = night(version, bars)
    assert new.select("symbol", "date").rows() == [(symbol, dates[-1]) for symbol in ("A", "B", "M")]
    assert whole.equals(computed(version, with_inputs(night, bars)))


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
def test_two_values_that_change_places_are_a_change(night, version, bars, name):
    """Whatever column it is in, a swap of two bars' values is computed from the first of them on."""
    night(version, bars)
    dates = bars["date"].unique().sort()
    first, second = (
        bars.filter((pl.col("symbol") == "A") & (pl.col("date") == date))[name].item()
        for date in (dates[40], dates[90])
    )
    is_a = pl.col("symbol") == "A"
    swapped = bars.with_columns(
        pl.when(is_a & (pl.col("date") == dates[40]))
        .then(second)
        .when(is_a & (pl.col("date") == dates[90]))
        .then(first)
        .otherwise(name)
        .alias(name)
    )
    new, whole = night(version, swapped)
    assert new["date"].drop_nulls().min() <= dates[40]
    assert new["symbol"].unique().to_list() == ["A"]
    assert whole.equals(computed(version, with_inputs(night, swapped)))


def test_a_night_without_news_computes_nothing(night, version, bars):
    """Nothing new gives no row."""
    night(version, bars)
    new, _ = night(version, bars)
    assert new.height == 0


def test_a_split_computes_the_whole_symbol_again(night, version, bars):
    """A rescaled history is computed from its first bar on; other symbols are left alone."""
    night(version, bars)
    split = rescaled(bars, "A", LAST - dt.timedelta(days=20), 0.5)
    new, whole = night(version, split)
    assert new["symbol"].unique().to_list() == ["A"]
    assert new["date"].count() == 385
    assert whole.equals(computed(version, with_inputs(night, split)))


def test_a_revision_computes_from_the_revised_session_on(night, version, bars):
    """A restated bar of last month is computed again from there on, not from the start."""
    night(version, bars)
    dates = bars["date"].unique().sort()
    revised = bars.with_columns(
        close=pl.when((pl.col("symbol") == "B") & (pl.col("date") == dates[-15])).then(pl.col("low")).otherwise("close")
    )
    new, whole = night(version, revised)
    assert new.select("symbol", "date").rows() == [("B", date) for date in dates[-15:]]
    assert whole.equals(computed(version, with_inputs(night, revised)))


def test_a_late_bar_of_the_market_computes_the_sessions_that_read_it(night, bars):
    """A market bar that arrives a night late changes what others of that session read, and only that session."""
    version = stored_versions()[2]
    dates = bars["date"].unique().sort()
    late = bars.filter(~((pl.col("symbol") == "M") & (pl.col("date") == dates[-1])))
    night(version, late)
    new, whole = night(version, bars)
    assert new.select("symbol", "date").rows() == [(symbol, dates[-1]) for symbol in ("A", "B", "M")]
    assert whole.equals(computed(version, with_inputs(night, bars)))


def test_symbols_may_come_and_go(night, version, bars):
    """A symbol that leaves the prices leaves the store, one that comes back is computed whole."""
    night(version, bars)
    without = bars.filter(pl.col("symbol") != "B")
    new, whole = night(version, without)
    assert new.select("symbol", "date").rows() == [("B", None)]
    assert whole.equals(computed(version, with_inputs(night, without)))
    new, whole = night(version, bars)
    assert new["symbol"].unique().to_list() == ["B"]
    assert whole.equals(computed(version, with_inputs(night, bars)))


def test_a_withheld_newest_bar_leaves_the_store(night, version, bars):
    """A stored newest bar that is withheld the night after disappears with its features."""
    night(version, bars)
    dates = bars["date"].unique().sort()
    withheld = bars.filter(~((pl.col("symbol") == "A") & (pl.col("date") == dates[-1])))
    _, whole = night(version, withheld)
    assert whole.equals(computed(version, with_inputs(night, withheld)))


def test_a_symbol_without_enough_context_is_read_whole(night, version, bars):
    """A symbol that was halted for years still gets windows over its own last bars."""
    dates = bars["date"].unique().sort()
    moved = bars.with_columns(
        date=pl.when((pl.col("symbol") == "A") & (pl.col("date") < dates[300]))
        .then(pl.col("date") - pl.duration(days=365 * 9))
        .otherwise("date")
    ).sort("symbol", "date")
    night(version, until(moved, dates[-2]))
    new, whole = night(version, moved)
    assert new.height == 3
    assert whole.equals(computed(version, with_inputs(night, moved)))


def test_rows_of_older_code_are_computed_again(night, version, bars):
    """A change of the column functions computes everything again, whatever the bars say."""
    older = dataclasses.replace(version, columns=dataclasses.replace(version.columns, revision=1))
    night(older, bars)
    new, whole = night(version, bars)
    assert new["date"].count() == bars.height
    assert whole["revision"].unique().to_list() == [version.columns.revision]


def test_changes_name_where_to_begin(night, bars):
    """An unchanged symbol is absent; the others say their first session and how many bars are kept."""
    version = stored_versions()[1]
    dates = bars["date"].unique().sort()
    with duckdb.connect() as connection:
        connection.register("kept", computed(version, until(bars, dates[-2])))
        connection.execute("CREATE TABLE stored AS FROM kept")
        connection.register("bars", bars.filter((pl.col("symbol") != "B") | (pl.col("date") < dates[-1])))
        found = find_changes(connection, version, bars="SELECT * FROM bars", stored="stored")
    assert [(c.symbol, c.first_date, c.bars_before, c.is_gone) for c in found] == [
        ("A", dates[-1], 384, False),
        ("M", dates[-1], 384, False),
    ]


def test_a_repeated_bar_stops_the_night(night, version, bars):
    """A symbol with two bars for one session is refused, and nothing is stored."""
    with pytest.raises(DataError, match="has two bars for"):
        night(version, pl.concat([bars, bars.tail(1)]))


def with_inputs(night, bars):
    """Bars as the night saw them, with the inputs of version 2."""
    closes = bars.filter(pl.col("symbol") == "M").select("date", pl.col("close").alias("market_close"))
    return bars.join(closes, on="date", how="left").with_columns(dollar_volume=pl.col("close") * pl.col("volume"))


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["session", "split", "revision", "withheld", "import"]), st.integers(0, 2), st.integers(1, 370)
    ),
    min_size=1,
    max_size=5,
)


@example(number=2, events=[("import", 0, 1), ("import", 2, 40)], seed=0)
@settings(max_examples=12, deadline=None)
@given(number=st.sampled_from([1, 2]), events=EVENTS, seed=st.integers(0, 5))
def test_any_history_of_nights_ends_in_the_full_build(make_bars, aligned, number, events, seed):
    """After any sequence of sessions, splits, revisions, withheld and imported bars the table is the full build's."""
    version = stored_versions()[number]
    bars = make_bars(("A", "B", "M"), count=385, seed=seed)
    dates = bars["date"].unique().sort()
    known = 380
    with duckdb.connect() as connection:
        stored: pl.DataFrame | None = None
        for kind, which, place in [("session", 0, 1), *events]:
            symbol, date = ("A", "B", "M")[which], dates[place]
            if kind == "session":
                known = min(known + 1, 384)
            elif kind == "split":
                bars = rescaled(bars, symbol, date, 0.25)
            elif kind == "revision":
                hit = (pl.col("symbol") == symbol) & (pl.col("date") == date)
                bars = bars.with_columns(high=pl.when(hit).then(pl.col("high") * 1.01).otherwise("high"))
            elif kind == "withheld":
                bars = bars.filter(~((pl.col("symbol") == symbol) & (pl.col("date") == date)))
            else:
                older = bars.filter(pl.col("symbol") == symbol).head(30)
                bars = pl.concat([bars, older.with_columns(pl.col("date") - pl.duration(days=400 + place))])
                bars = bars.unique(["symbol", "date"], keep="first").sort("symbol", "date")
            tonight = aligned(until(bars, dates[known]))
            connection.register("tonight", tonight)
            if stored is not None:
                connection.register("kept", stored)
                connection.execute("CREATE OR REPLACE TABLE stored AS FROM kept")
            name = None if stored is None else "stored"
            new = pl.from_arrow(changed_rows(connection, version, bars="FROM tonight", stored=name).read_all())
            stored = replaced(stored, new)
        assert stored.sort("symbol", "date").equals(computed(version, tonight))


def replaced(stored, new):
    """What is stored, with each symbol's rows from its first new date on replaced by the new ones."""
    if stored is None:
        return new
    cleared = set(new.filter(pl.col("date").is_null())["symbol"])
    first = dict(new.group_by("symbol").agg(pl.col("date").min()).rows())
    keep = [
        symbol not in first or (symbol not in cleared and date < first[symbol])
        for symbol, date in stored.select("symbol", "date").rows()
    ]
    return pl.concat([stored.filter(pl.Series(keep, dtype=pl.Boolean)), new.drop_nulls("date")])
