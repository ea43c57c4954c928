from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from tests.conftest import EMBEDDED
from tests.support.pipeline import PRICES_AND_FEATURES, installation

CONTRACT = {
    "market_data.daily_prices": (
        "symbol date open high low close volume adjusted_close dividend_amount split_coefficient source first_seen_at "
        "updated_at"
    ),
    "market_data.adjusted_prices": "symbol date open high low close volume",
    "market_data.corporate_actions": "symbol effective_date kind value source first_seen_at",
    "market_data.price_revisions": "symbol date field seen_at old_value new_value",
    "market_data.fetch_log": (
        "request_id run_id symbol function requested_at outcome rows_received rows_new rows_changed latency_ms attempts"
    ),
    "features.feature_store_v1": (
        "symbol date open high low close volume rsi_14 macd macd_signal macd_hist bb_upper bb_middle bb_lower bb_width "
        "bb_position sma_5 sma_10 sma_20 sma_50 ema_12 ema_26 volume_sma_20 volume_ratio obv price_change_1d "
        "price_change_5d price_change_20d high_low_range market_regime"
    ),
    "ops.alerts": "alert_id kind severity subject body created_at delivered_at attempts last_error",
    "ops.publications": "published_at run_id outcome as_of source git_revision tables",
    "quality.quarantined_prices": "symbol date open high low close volume reason quarantined_at released_at",
}


@pytest.mark.parametrize("table", CONTRACT)
def test_promised_columns_are_published(filled, table):
    """Each promised table has its promised columns in the readers' database."""
    columns = {row[0] for row in filled.read(f"SELECT column_name FROM (DESCRIBE {table})")}
    assert set(CONTRACT[table].split()) <= columns


def test_dates_and_instants_have_the_promised_types(filled):
    """Dates are DATE, instants are TIMESTAMP WITH TIME ZONE."""
    types = dict(filled.read("SELECT column_name, column_type FROM (DESCRIBE market_data.daily_prices)"))
    assert types["date"] == "DATE"
    assert types["first_seen_at"] == types["updated_at"] == "TIMESTAMP WITH TIME ZONE"


def test_embedded_night_covers_its_history(filled):
    """The packaged history is there whole: first and last sessions and row counts are those of the packages."""
    rows = filled.read(
        "SELECT symbol, min(date), max(date), count(*) FROM market_data.daily_prices GROUP BY 1 ORDER BY 1"
    )
    start, listing, end = dt.date(2000, 3, 1), dt.date(2012, 5, 18), dt.date(2013, 3, 1)
    assert [row[:3] for row in rows] == [
        ("AAPL", start, end),
        ("FB", listing, end),
        ("IBM", start, end),
        ("MSFT", start, end),
        ("SPX", dt.date(1999, 1, 4), end),
    ]
    assert {row[0]: row[3] for row in rows if row[0] != "SPX"} == {"AAPL": 3270, "FB": 196, "IBM": 3270, "MSFT": 3270}


def test_clock_of_the_source_dates_the_rows(filled):
    """first_seen_at is the replay's clock, not the wall clock."""
    ((seen,),) = filled.read("SELECT DISTINCT first_seen_at::DATE FROM market_data.daily_prices")
    assert seen == dt.date(2013, 3, 2)


def test_adjusted_close_equals_the_vendors(filled):
    """Our adjusted close equals the vendor's own on every bar, to 1e-12."""
    ((worst, rows),) = filled.read(
        "SELECT max(abs(adjusted.close / raw.adjusted_close - 1)), count(*) "
        "FROM market_data.adjusted_prices AS adjusted JOIN market_data.daily_prices AS raw USING (symbol, date)"
    )
    ((withheld,),) = filled.read("SELECT count(*) FROM quality.quarantined_prices WHERE released_at IS NULL")
    assert rows == 3270 * 3 + 196 + 3562 - withheld
    assert worst < 1e-12


def test_known_corporate_actions_are_found(filled):
    """Splits and the special dividend of the packaged history carry their known dates and sizes."""
    rows = filled.read(
        "SELECT symbol, effective_date::VARCHAR, kind, round(value, 4) FROM market_data.corporate_actions "
        "WHERE kind <> 'dividend' ORDER BY 1, 2"
    )
    assert rows == [
        ("AAPL", "2000-06-21", "split", 2.0),
        ("AAPL", "2005-02-28", "split", 2.0),
        ("MSFT", "2003-02-18", "split", 2.0),
        ("MSFT", "2004-11-15", "special_dividend", 3.08),
    ]


def test_publication_tells_what_the_run_did(filled):
    """The publication's row names the source, the as-of date and each table's state."""
    ((outcome, as_of, source, tables),) = filled.read("SELECT outcome, as_of, source, tables FROM ops.publications")
    assert (outcome, as_of, source) == ("success", dt.date(2013, 3, 1), "replay-packaged")
    assert json.loads(tables)["market_data.daily_prices"]["state"] == "updated"


def test_second_night_asks_nothing_and_publishes_nothing(copied):
    """With nothing new to fetch no call is made, no file is written, and nothing changes."""
    before, target = copied.contents(), copied.home.readers_database.resolve()
    result = copied.run()
    assert result.is_success
    prices = next(asset for asset in result.assets if asset.asset == "market_data/daily_prices")
    assert prices.metadata["calls_made"] == 0
    assert copied.home.readers_database.resolve() == target
    assert copied.contents() == before


def test_night_after_night_equals_one_night(tmp_path):
    """Nights added one at a time leave the same tables as one night on the whole, but for when bars were seen."""
    nights = installation(tmp_path / "nights", EMBEDDED)
    for as_of in ("2013-02-06", "2013-02-08", "2013-03-01"):
        result = nights.run(tags={"quant/as_of": as_of}, rooms=PRICES_AND_FEATURES)
        assert result.is_success, result.first_error
    once = installation(tmp_path / "once", EMBEDDED)
    assert once.run(rooms=PRICES_AND_FEATURES).is_success
    for table in ("market_data.adjusted_prices", "features.feature_store_v1", "market_data.adjustment_factors"):
        sql = f"SELECT * FROM {table} ORDER BY ALL"
        assert nights.read(sql) == once.read(sql), table
    # AAPL went ex-dividend on 2013-02-07: the second night had to adjust its whole history.
    sql = "SELECT count(*) FROM market_data.corporate_actions WHERE symbol = 'AAPL' AND effective_date >= '2013-02-07'"
    assert nights.read(sql) == [(1,)]


def test_future_changes_nothing_before_it(tmp_path):
    """Scale-free features computed as of a date equal today's rows up to it."""
    earlier, whole = installation(tmp_path / "earlier", EMBEDDED), installation(tmp_path / "whole", EMBEDDED)
    assert whole.run(rooms=PRICES_AND_FEATURES).is_success
    assert earlier.run(tags={"quant/as_of": "2012-06-29"}, rooms=PRICES_AND_FEATURES).is_success
    scale_free = "rsi_14, bb_position, bb_width, volume_ratio, price_change_20d, high_low_range"
    sql = f"SELECT {scale_free} FROM features.feature_store_v1 WHERE date <= '2012-06-29' ORDER BY symbol, date"
    then, now = (np.array(one.read(sql), dtype=float) for one in (earlier, whole))
    assert len(then) > 10_000
    np.testing.assert_allclose(then, now, rtol=1e-9, atol=1e-12)
    assert earlier.read("SELECT max(date) FROM market_data.daily_prices") == [(dt.date(2012, 6, 29),)]
