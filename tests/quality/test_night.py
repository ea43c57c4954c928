"""The sentinel in the warehouse and as Dagster assets: from a bad bar to a person's decision."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import duckdb
import polars as pl
import pytest

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.tables import CORPORATE_ACTIONS, DAILY_PRICES
from quant_assets.market_data.tables import TABLES as MARKET_DATA
from quant_assets.ops.run_tags import FULL_REFRESH_TAG
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import ALERTS, RUN_STATE
from quant_assets.ops.tables import TABLES as OPS
from quant_assets.quality import assets, checks
from quant_assets.quality.bar_vintage import CHECKSUM_SQL, bar_checksum
from quant_assets.quality.decisions import decide_events, newest_decisions
from quant_assets.quality.scan import scan_bars
from quant_assets.quality.scan_state import ScanSettings
from quant_assets.quality.scan_storage import load_scan, store_scan
from quant_assets.quality.tables import (
    ANOMALY_EVENTS,
    BAR_SCORES,
    DAILY_SUMMARY,
    QUARANTINED_PRICES,
    TABLES,
)
from resources.warehouse import Warehouse
from tests.support.quality_panels import as_stored, changed, made_up_bars, no_actions

PRICES = ("open", "high", "low", "close")
ADA = {"by": "ada", "at": dt.datetime(2013, 3, 2, 9, 0, tzinfo=dt.UTC)}


@pytest.fixture(scope="module")
def bars():
    return made_up_bars(symbols=5, sessions=120)


@pytest.fixture(scope="module")
def dates(bars):
    return bars["date"].unique().sort().to_list()


@pytest.fixture
def warehouse(tmp_path):
    made = Warehouse(tmp_path / "warehouse.duckdb", run_id="test")
    made.ensure((*MARKET_DATA, *OPS, *TABLES))
    return made


@pytest.fixture
def operations(tmp_path):
    return OperationsStore(tmp_path / "operations.sqlite")


def fill(warehouse, bars, as_of, *, now=None):
    """What the fetch would leave: bars, actions, and the state of the run."""
    clock = now or dt.datetime.combine(as_of + dt.timedelta(days=1), dt.time(2), tzinfo=dt.UTC)
    warehouse.merge(DAILY_PRICES, as_stored(bars, seen_at=clock), ignore=("first_seen_at", "updated_at"))
    warehouse.replace(CORPORATE_ACTIONS, no_actions())
    row = {"as_of": [as_of], "source": ["test"], "dividend_adjustment": ["vendor"], "source_clock": [clock]}
    warehouse.replace(RUN_STATE, pl.DataFrame(row, schema=RUN_STATE.polars_schema))


def night(warehouse, operations, tags=None):
    """Materialise the sentinel's assets and their checks on real resources."""
    return dg.materialize(
        [assets.watched_bars, checks.prices_are_sane, checks.newest_session_is_sound, checks.events_are_seen],
        resources={"warehouse": warehouse, "operations": operations},
        run_config={"ops": {"watch_bars": {"config": {"prophet": False}}}},
        raise_on_error=False,
        tags=tags,
    )


def checked(result):
    return {item.check_name: item.passed for item in result.get_asset_check_evaluations()}


def shifted(bars, symbol, date):
    return changed(bars, symbol, date, **{name: pl.col(name) * 100 for name in PRICES})


def test_a_bad_bar_goes_from_fetch_to_alert_to_acknowledged(warehouse, operations, bars, dates):
    """Stored, withheld, alerted, acknowledged: each step shows in the tables, and nothing is deleted."""
    fill(warehouse, shifted(bars, "S1", dates[-1]), dates[-1])
    result = night(warehouse, operations)
    assert result.success
    assert checked(result) == {"prices_are_sane": False, "newest_session_is_sound": True, "events_are_seen": False}
    (event,) = warehouse.read(ANOMALY_EVENTS, None, "severity = 'HIGH'").iter_rows(named=True)
    (withheld,) = warehouse.read(QUARANTINED_PRICES).iter_rows(named=True)
    (alert,) = warehouse.read(ALERTS).iter_rows(named=True)
    assert (event["symbol"], event["date"], event["kind"]) == ("S1", dates[-1], "decimal_shift")
    assert (withheld["event_id"], withheld["released_at"]) == (event["event_id"], None)
    assert (alert["alert_id"], alert["delivered_at"]) == (f"anomaly-{event['event_id']}", None)
    decide_events(
        operations, [event["event_id"]], [event["event_id"]], status="acknowledged", **ADA, note="vendor told"
    )
    assert night(warehouse, operations).success
    (after,) = warehouse.read(ANOMALY_EVENTS, None, "severity = 'HIGH'").iter_rows(named=True)
    assert (after["status"], after["status_by"], after["note"]) == ("acknowledged", "ada", "vendor told")
    assert warehouse.read(QUARANTINED_PRICES, None, "released_at IS NULL").height == 1
    assert warehouse.read(DAILY_PRICES).height == len(bars)
    assert warehouse.read(ALERTS).height == 1


def test_withheld_bars_stay_out_of_adjusted_prices_until_released(warehouse, operations, bars, dates):
    """The view lacks the bar while it is withheld, and has it again after a dismissal."""
    fill(warehouse, shifted(bars, "S1", dates[-1]), dates[-1])
    night(warehouse, operations)
    adjusted = "SELECT count(*) AS n FROM market_data.adjusted_prices WHERE symbol = 'S1'"
    assert warehouse.query(adjusted)["n"].item() == len(dates) - 1
    known = warehouse.read(ANOMALY_EVENTS)["event_id"].to_list()
    (event,) = warehouse.read(ANOMALY_EVENTS, None, "severity = 'HIGH'")["event_id"]
    decide_events(operations, known, [event], status="dismissed", **ADA)
    night(warehouse, operations)
    assert warehouse.query(adjusted)["n"].item() == len(dates)
    assert warehouse.read(QUARANTINED_PRICES)["release_reason"].to_list() == ["dismissed by ada"]


def test_what_a_person_called_right_is_not_withheld_in_hindsight(warehouse, operations, bars, dates):
    """A dismissed jump stays in the adjusted prices also where the next bar takes it back."""
    wrong = shifted(bars, "S1", dates[-2])
    fill(warehouse, wrong.filter(pl.col("date") <= dates[-2]), dates[-2])
    night(warehouse, operations)
    (event,) = warehouse.read(ANOMALY_EVENTS, None, "severity = 'HIGH'")["event_id"]
    decide_events(operations, [event], [event], status="dismissed", **ADA)
    night(warehouse, operations)
    fill(warehouse, wrong, dates[-1])
    night(warehouse, operations)
    assert warehouse.read(QUARANTINED_PRICES)["release_reason"].to_list() == ["dismissed by ada"]


def test_a_bad_feed_stops_the_night_and_a_bad_bar_does_not(warehouse, operations, bars, dates):
    """Three of five bars of the newest session withheld fail the blocking check; one does not."""
    bad = bars
    for symbol in ("S0", "S1", "S2"):
        bad = changed(bad, symbol, dates[-1], high=pl.col("low") * 0.9)
    fill(warehouse, bad, dates[-1])
    result = night(warehouse, operations)
    assert checked(result)["newest_session_is_sound"] is False
    (evaluation,) = (e for e in result.get_asset_check_evaluations() if e.check_name == "newest_session_is_sound")
    assert evaluation.severity == dg.AssetCheckSeverity.ERROR
    assert "3 bars" in evaluation.description


def test_symbols_held_back_for_long_do_not_stop_the_rest(warehouse, operations, bars, dates):
    """Three of five symbols withheld since an event of last month: the night goes on, and a warning lists them."""
    bad = bars
    for symbol in ("S0", "S1", "S2"):
        for date in dates[-20:]:
            bad = shifted(bad, symbol, date)
    fill(warehouse, bad, dates[-1])
    result = night(warehouse, operations)
    assert warehouse.read(QUARANTINED_PRICES, None, "date = ? AND released_at IS NULL", [dates[-1]]).height == 3
    assert checked(result) == {"prices_are_sane": False, "newest_session_is_sound": True, "events_are_seen": False}


def test_nights_one_by_one_leave_the_tables_of_one_night(tmp_path, bars, dates):
    """The last sessions scanned night by night, or all at once: scores, events, quarantine and summary agree."""
    wrong = shifted(shifted(bars, "S1", dates[-4]), "S3", dates[-2])
    for place in range(-8, 0):  # a missed split, and inside its level a jump that holds
        factor = 0.5 if place < -3 else 0.5 * 1.17
        wrong = changed(wrong, "S2", dates[place], **{name: pl.col(name) * factor for name in PRICES})
    clock = dt.datetime(2013, 3, 2, 2, 0, tzinfo=dt.UTC)
    left = []
    for name, steps in (("whole", dates[-1:]), ("nightly", dates[-6:])):
        warehouse = Warehouse(tmp_path / f"{name}.duckdb", run_id="test")
        warehouse.ensure((*MARKET_DATA, *OPS, *TABLES))
        for last in steps:
            fill(warehouse, wrong.filter(pl.col("date") <= last), last, now=clock)
            loaded = load_scan(warehouse, newest_decisions(OperationsStore(tmp_path / "o.sqlite")), new_york_calendar())
            store_scan(warehouse, loaded, scan_bars(loaded.scan, loaded.state, ScanSettings(prophet=None)))
        left.append(
            [warehouse.read(table) for table in (BAR_SCORES, ANOMALY_EVENTS, QUARANTINED_PRICES, DAILY_SUMMARY)]
        )
    for whole, nightly in zip(*left, strict=True):
        assert whole.equals(nightly)
    held = left[0][2].filter(pl.col("symbol") == "S2", pl.col("released_at").is_null())
    assert held["date"].to_list() == dates[-8:]


def test_a_night_without_news_changes_nothing(warehouse, operations, bars, dates):
    """A second run on the same prices leaves every table of the room as it was."""
    fill(warehouse, shifted(bars, "S1", dates[-1]), dates[-1])
    night(warehouse, operations)
    before = [warehouse.read(table) for table in TABLES]
    assert night(warehouse, operations).success
    assert all(warehouse.read(table).equals(frame) for table, frame in zip(TABLES, before, strict=True))


def test_a_restatement_under_an_unmoved_clock_is_judged(warehouse, operations, bars, dates):
    """A bar replaced while the source's clock stands still, as by an import on a replay, is scored and withheld."""
    fill(warehouse, bars, dates[-1])
    night(warehouse, operations)
    fill(warehouse, shifted(bars, "S1", dates[-1]), dates[-1])
    night(warehouse, operations)
    assert warehouse.read(QUARANTINED_PRICES).select("symbol", "date").rows() == [("S1", dates[-1])]
    fill(warehouse, bars, dates[-1])
    night(warehouse, operations)
    assert warehouse.read(QUARANTINED_PRICES)["release_reason"].to_list() == ["restated by the vendor"]


def test_a_full_refresh_judges_every_bar_again(warehouse, operations, bars, dates):
    """Spoilt scores are made again; events, decisions and the instants of withheld bars stay.

    Of a dismissed bar the second judgement says that it is quiet, and by which dismissal.
    """
    wrong = shifted(shifted(bars, "S1", dates[-1]), "S3", dates[-3])
    fill(warehouse, wrong, dates[-1])
    night(warehouse, operations)
    known = warehouse.read(ANOMALY_EVENTS, None, "severity = 'HIGH'")["event_id"].to_list()
    decide_events(operations, known, [known[1]], status="dismissed", **ADA)
    night(warehouse, operations)
    before = [warehouse.read(table) for table in TABLES]
    with warehouse.connect() as connection:
        connection.execute("UPDATE quality.bar_scores SET volume_zscore = 99")
        connection.execute("DELETE FROM quality.thresholds")
    fill(warehouse, wrong, dates[-1], now=dt.datetime(2013, 3, 2, 2, 0, tzinfo=dt.UTC))
    assert night(warehouse, operations, tags={FULL_REFRESH_TAG: "true"}).success
    after = [warehouse.read(table) for table in TABLES]
    for table, old, new in zip(TABLES, before, after, strict=True):
        own = [name for name in old.columns if name not in {"bar_updated_at", "muted_by", "severity", "is_withheld"}]
        assert old.select(own).equals(new.select(own)), table.name


def test_sql_and_frames_agree_on_the_vintage_of_a_bar(warehouse, bars):
    """The checksum is the same to the last bit in DuckDB and in Polars, missing values included."""
    odd = changed(bars, "S1", bars["date"][5], open=None, volume=None, close=pl.col("close") / 3)
    warehouse.merge(DAILY_PRICES, as_stored(odd))
    stored = warehouse.query(f"SELECT prices.*, {CHECKSUM_SQL} AS by_sql FROM market_data.daily_prices AS prices")
    assert (stored["by_sql"] == stored.select(bar_checksum().alias("x"))["x"]).all()
    assert stored["by_sql"].n_unique() > 0.99 * len(bars)


def test_a_scan_that_cannot_be_stored_leaves_no_trace(warehouse, operations, bars, dates):
    """A failure in the middle of storing rolls everything back, and the next night does it all."""
    fill(warehouse, shifted(bars, "S1", dates[-1]), dates[-1])
    loaded = load_scan(warehouse, newest_decisions(operations), new_york_calendar())
    result = scan_bars(loaded.scan, loaded.state, ScanSettings(prophet=None))
    with warehouse.connect() as connection:
        connection.execute("ALTER TABLE quality.daily_summary RENAME TO daily_summary_elsewhere")
    with pytest.raises(duckdb.CatalogException):
        store_scan(warehouse, loaded, result)
    assert warehouse.read(BAR_SCORES).is_empty()
    with warehouse.connect() as connection:
        connection.execute("ALTER TABLE quality.daily_summary_elsewhere RENAME TO daily_summary")
    assert night(warehouse, operations).success
    assert warehouse.read(BAR_SCORES).height == len(bars)


def test_bars_after_the_runs_date_wait_for_their_night(warehouse, operations, bars, dates):
    """Bars between the as-of date and the source's clock are not scored yet; later ones are from the future."""
    clock = dt.datetime.combine(dates[-2], dt.time(23), tzinfo=dt.UTC)
    fill(warehouse, bars, dates[-4], now=clock)
    night(warehouse, operations)
    scored = warehouse.read(BAR_SCORES)["date"].unique().sort().to_list()
    assert scored == [*dates[:-3], dates[-1]]
    assert set(warehouse.read(ANOMALY_EVENTS, None, "severity = 'HIGH'")["kind"]) == {"future_date"}
