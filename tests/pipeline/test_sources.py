from __future__ import annotations

import pytest

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.quota import SqliteQuotaLedger
from quant_assets.ops.store import OperationsStore
from quant_assets.replay.clock import ReplayClock
from quant_assets.replay.faults import Faults
from quant_assets.replay.notices import Notice
from quant_assets.replay.server import ReplayServer
from quant_assets.replay.synthetic.market import SyntheticHistory
from quant_assets.replay.synthetic.parameters import EventRates
from tests.support.pipeline import PRICES_AND_FEATURES, installation

SYMBOLS = ("SYM000", "SYM001", "SYM002")
HISTORY = SyntheticHistory(seed=11, symbols=4, years=3, rates=EventRates.none())
LAST = HISTORY.last_session


@pytest.fixture
def premium():
    with ReplayServer(HISTORY, plan="1200") as server:
        yield server


def vendor(tmp_path, server, symbols=SYMBOLS, **variables):
    """An installation that takes the server for the vendor."""
    return installation(
        tmp_path,
        symbols,
        ALPHA_VANTAGE_BASE_URL=server.url,
        ALPHA_VANTAGE_API_KEY="not-a-real-key",
        **({"ALPHA_VANTAGE_PLAN": "1200"} | variables),
    )


def metadata(result, asset="market_data/daily_prices"):
    return next(one for one in result.assets if one.asset == asset).metadata


def test_any_server_of_the_protocol_serves_a_night(tmp_path, premium):
    """With a base URL, a key and other symbols the whole night runs on that server's data, one call a symbol."""
    made = vendor(tmp_path, premium)
    result = made.run(rooms=PRICES_AND_FEATURES)
    assert result.is_success, result.first_error
    prices = [request for request in premium.requests if request.function.startswith("TIME_SERIES")]
    assert [(request.function, request.outputsize) for request in prices] == [
        ("TIME_SERIES_DAILY_ADJUSTED", "full")
    ] * 3
    stored = made.read("SELECT symbol, count(*), max(date) FROM market_data.daily_prices GROUP BY 1 ORDER BY 1")
    assert stored == [(symbol, HISTORY.bars(symbol).height, LAST) for symbol in SYMBOLS]


def test_dead_symbol_degrades_itself_alone(tmp_path, premium):
    """A symbol that the vendor does not know is listed with its reason, and can be asked for alone."""
    made = vendor(tmp_path, premium, (*SYMBOLS, "GONE"))
    result = made.run(rooms=PRICES_AND_FEATURES)
    assert result.is_success
    assert metadata(result)["symbols_failed"] == 1
    assert metadata(result)["failed"][0].startswith("GONE: bad_symbol")
    assert made.read("SELECT count(DISTINCT symbol) FROM features.feature_store_v1") == [(3,)]
    premium.requests.clear()
    again = made.run(rooms=PRICES_AND_FEATURES, symbols=["GONE"])
    assert again.is_success
    assert {request.symbol for request in premium.requests} == {"GONE"}
    assert made.read("SELECT count(*) FROM market_data.fetch_log WHERE symbol = 'GONE'")[0][0] >= 2


def test_next_session_costs_one_compact_call_a_symbol(tmp_path):
    """A session later each symbol is asked once, compact, and exactly one bar a symbol is new."""
    calendar = new_york_calendar()
    clock = ReplayClock.after(calendar.shift(LAST, -1))
    with ReplayServer(HISTORY, plan="1200", clock=clock) as server:
        made = vendor(tmp_path, server)
        assert made.run(rooms=PRICES_AND_FEATURES).is_success
        server.requests.clear()
        clock.move_to(LAST)
        result = made.run(rooms=PRICES_AND_FEATURES)
        assert {(r.function, r.outputsize) for r in server.requests} == {("TIME_SERIES_DAILY_ADJUSTED", "compact")}
    assert metadata(result)["rows_new"] == 3
    assert metadata(result)["rows_changed"] == 0
    assert made.read("SELECT max(date) FROM features.feature_store_v1") == [(LAST,)]


def test_free_key_takes_compact_and_names_the_hole(tmp_path):
    """On a free plan full history is refused once, compact is taken, and the hole is told with the way to fill it."""
    with ReplayServer(HISTORY, plan="free") as server:
        made = vendor(tmp_path, server, SYMBOLS[:1], ALPHA_VANTAGE_PLAN="free")
        result = made.run(rooms=PRICES_AND_FEATURES)
        asked = [(request.function, request.outputsize) for request in server.requests]
    assert result.is_success, result.first_error
    assert ("TIME_SERIES_DAILY", "compact") in asked
    assert asked.count(("TIME_SERIES_DAILY_ADJUSTED", "full")) == 1
    assert made.read("SELECT count(*) FROM market_data.daily_prices") == [(100,)]
    assert "quant import-prices" in metadata(result)["holes"][0]
    ((events,),) = made.read("SELECT count(*) FROM market_data.fetch_log WHERE function IN ('SPLITS', 'DIVIDENDS')")
    assert events == 2


def test_spent_quota_leaves_the_rest_for_tomorrow(tmp_path):
    """A ledger with one call left makes one call; the rest is listed as deferred and nothing fails."""
    with ReplayServer(HISTORY, plan="1200") as server:
        made = vendor(tmp_path, server, ALPHA_VANTAGE_PLAN="free")
        made.home.prepare()
        ledger = SqliteQuotaLedger(OperationsStore(made.home.operations))
        from resources.alpha_vantage.limits import quota_day
        from resources.alpha_vantage.secrecy import fingerprint

        day = quota_day(server.now())
        for _ in range(22):
            assert ledger.reserve(fingerprint("not-a-real-key"), day, 25)
        result = made.run(rooms=PRICES_AND_FEATURES)
        assert len(server.requests) == 1
    assert result.is_success, result.first_error
    assert metadata(result)["symbols_deferred"] >= 2


def test_rejected_key_fails_the_run_and_says_so(tmp_path):
    """A key that the vendor rejects fails the run with the variable to set, and the key appears nowhere."""
    faults = Faults()
    faults.add(Notice.KEY_MISSING, times=None)
    with ReplayServer(HISTORY, plan="1200", faults=faults) as server:
        made = vendor(tmp_path, server)
        done = made.quant("run")
    assert done.returncode == 1
    assert "set ALPHA_VANTAGE_API_KEY right" in done.stdout
    assert "not-a-real-key" not in done.stdout + done.stderr
    for path in made.path.rglob("*"):
        if path.is_file():
            assert b"not-a-real-key" not in path.read_bytes(), path


def test_home_belongs_to_its_first_source(tmp_path, premium, filled):
    """A home filled from the embedded source is refused to another source, with the fix and exit code 2."""
    other = vendor(tmp_path, premium)
    mixed = type(other)(filled.path, other.universe, other.variables)
    done = mixed.quant("run")
    assert done.returncode == 2
    assert "was filled from replay-packaged" in done.stderr
    assert "set QUANT_HOME to another folder" in done.stderr


def test_restatement_becomes_a_revision(tmp_path):
    """A value that the vendor changes later is updated, and the old one is kept in price_revisions."""
    faults = Faults()
    calendar = new_york_calendar()
    clock = ReplayClock.after(calendar.shift(LAST, -1))
    history = SyntheticHistory(seed=11, symbols=1, years=1, rates=EventRates.none())
    with ReplayServer(history, plan="1200", clock=clock, faults=faults) as server:
        made = vendor(tmp_path, server, SYMBOLS[:1])
        assert made.run(rooms=PRICES_AND_FEATURES).is_success
        before = made.read("SELECT date, close FROM market_data.daily_prices ORDER BY date DESC LIMIT 1")[0]
        import duckdb

        with duckdb.connect(str(made.home.warehouse)) as connection:
            connection.execute("UPDATE market_data.daily_prices SET close = close + 1 WHERE date = ?", [before[0]])
        clock.move_to(LAST)
        result = made.run(rooms=PRICES_AND_FEATURES)
    assert metadata(result)["rows_changed"] == 1
    revisions = made.read("SELECT date, field, old_value, new_value FROM market_data.price_revisions")
    assert revisions == [(before[0], "close", before[1] + 1, before[1])]
    assert made.read("SELECT close FROM market_data.daily_prices WHERE date = ?", [before[0]]) == [(before[1],)]
