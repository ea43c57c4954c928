"""The server over real HTTP."""

import concurrent.futures
import datetime as dt
import json
import socket
import time

import httpx
import pytest

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.replay.application import CLOCK_HEADER, SOURCE_HEADER
from quant_assets.replay.clock import ReplayClock
from quant_assets.replay.packaged import packaged_history
from quant_assets.replay.server import ReplayServer
from tests.support.replay import KEY, bars_frame, call, one_symbol_history

DAILY, ADJUSTED = "TIME_SERIES_DAILY", "TIME_SERIES_DAILY_ADJUSTED"
FUNCTIONS = (DAILY, ADJUSTED, "SPLITS", "DIVIDENDS", "GLOBAL_QUOTE")
PREMIUM = "https://www.alphavantage.co/premium/"
SERIES = "Time Series (Daily)"
INVALID_CALL = (
    "Invalid API call. Please retry or visit the documentation (https://www.alphavantage.co/documentation/) for "
)
KEY_MISSING = (
    "the parameter apikey is invalid or missing. Please claim your free API key on "
    "(https://www.alphavantage.co/support/#api-key). It should take less than 20 seconds."
)
DEMO_KEY = (
    "The **demo** API key is for demo purposes only. Please claim your free API key at "
    "(https://www.alphavantage.co/support/#api-key) to explore our full API offerings. It takes fewer than 20 seconds."
)
PREMIUM_FUNCTION = (
    "Thank you for using Alpha Vantage! This is a premium endpoint. You may subscribe to any of the premium plans at "
    f"{PREMIUM} to instantly unlock all premium endpoints"
)
DAY_SPENT = (
    f"We have detected your API key as {KEY} and our standard API rate limit is 25 requests per day. Please subscribe "
    f"to any of the premium plans at {PREMIUM} to instantly remove all daily rate limits."
)


@pytest.fixture
def server():
    with ReplayServer(packaged_history()) as running:
        yield running


def notice(response):
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    ((field, text),) = response.json().items()
    return field, text


@pytest.mark.parametrize("function", FUNCTIONS)
def test_data_comes_with_the_vendors_content_types(server, function):
    """JSON by default, a download for CSV, both with status 200."""
    as_json = call(server, function, symbol="AAPL")
    as_csv = call(server, function, symbol="AAPL", datatype="csv")
    assert as_json.headers["content-type"] == "application/json"
    assert as_json.json()
    assert as_csv.headers["content-type"] == "application/x-download"
    assert as_csv.content.count(b"\r\n") == as_csv.content.count(b"\n") > 1
    assert {as_json.status_code, as_csv.status_code} == {200}


def test_every_response_names_source_and_clock(server):
    """Data, errors and unknown paths alike."""
    responses = [
        call(server, DAILY, symbol="IBM"),
        call(server, "NOPE"),
        httpx.get(server.url),
        httpx.get(server.url.replace("/query", "/elsewhere")),
    ]
    for response in responses:
        assert response.headers[SOURCE_HEADER] == "packaged"
        assert response.headers[CLOCK_HEADER] == "2013-03-02T11:00:00+00:00"
    assert responses[-1].status_code == 404


def test_compact_is_the_default_and_full_is_everything(server):
    """A hundred bars or all of them."""
    assert len(call(server, DAILY, symbol="IBM").json()[SERIES]) == 100
    assert len(call(server, DAILY, symbol="IBM", outputsize="full").json()[SERIES]) == 3270
    assert len(call(server, DAILY, symbol="FB", outputsize="full", datatype="csv").text.splitlines()) == 197


@pytest.mark.parametrize(
    ("function", "parameters", "expected"),
    [
        (DAILY, {"symbol": "NOPE"}, ("Error Message", f"{INVALID_CALL}TIME_SERIES_DAILY.")),
        (
            ADJUSTED,
            {"symbol": "IBM", "outputsize": "huge", "datatype": "csv"},
            ("Error Message", f"{INVALID_CALL}TIME_SERIES_DAILY_ADJUSTED."),
        ),
        ("TIME_SERIES_HOURLY", {}, ("Error Message", "This API function (TIME_SERIES_HOURLY) does not exist.")),
        ("GLOBAL_QUOTE", {"symbol": "NOPE"}, ("Global Quote", {})),
        ("SYMBOL_SEARCH", {"keywords": "zzz"}, ("bestMatches", [])),
        (DAILY, {"symbol": "IBM", "apikey": ""}, ("Error Message", KEY_MISSING)),
        (DAILY, {"symbol": "MSFT", "apikey": "demo"}, ("Information", DEMO_KEY)),
    ],
)
def test_what_cannot_be_answered_gets_the_vendors_text_with_status_200(server, function, parameters, expected):
    """The body decides, never the status, and an error to a CSV call is JSON."""
    assert notice(call(server, function, **parameters)) == expected


def test_events_of_an_unknown_symbol_are_an_empty_object(server):
    """Two bytes, as fundamentals answer."""
    assert call(server, "SPLITS", symbol="NOPE").content == b"{}"


def test_search_finds_by_symbol_and_by_name(server):
    """The best match comes first."""
    matches = call(server, "SYMBOL_SEARCH", keywords="IBM").json()["bestMatches"]
    assert matches[0]["1. symbol"] == "IBM"
    assert matches[0]["9. matchScore"] == "1.0000"
    assert call(server, "SYMBOL_SEARCH", keywords="apple").json()["bestMatches"][0]["1. symbol"] == "AAPL"


def test_a_free_plan_refuses_premium_functions_and_full_history():
    """Both refusals have the recorded text; what is free is answered."""
    with ReplayServer(packaged_history(), plan="free") as server:
        assert call(server, DAILY, symbol="IBM").json()[SERIES]
        time.sleep(1.0)
        assert notice(call(server, ADJUSTED, symbol="IBM")) == ("Information", PREMIUM_FUNCTION)
        time.sleep(1.0)
        field, text = notice(call(server, DAILY, symbol="IBM", outputsize="full"))
        assert field == "Information"
        assert text.startswith(
            "Thank you for using Alpha Vantage! The outputsize=full parameter value is a premium feature for the "
            "TIME_SERIES_DAILY endpoint. You may subscribe"
        )


def test_a_free_plan_spends_its_day_and_the_next_day_of_the_clock_brings_another():
    """25 calls, throttled ones among them; then the daily text, which repeats the key; then a new day."""
    with ReplayServer(packaged_history(), plan="free") as server:
        for _ in range(25):
            call(server, "SPLITS", symbol="AAPL")
        assert {request.outcome for request in server.requests} == {"data", "free_throttle"}
        assert notice(call(server, "SPLITS", symbol="AAPL", datatype="csv")) == ("Information", DAY_SPENT)
        time.sleep(1.0)
        server.clock.move_to(dt.date(2013, 3, 4))
        assert call(server, "DIVIDENDS", symbol="IBM").json()["symbol"] == "IBM"


def test_a_premium_plan_refuses_a_burst():
    """Forty calls at once are more than thirty a second; unless the machine is very slow, ten are refused."""
    with (
        ReplayServer(packaged_history(), plan="1200") as server,
        httpx.Client() as client,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        query = {"function": "SPLITS", "symbol": "IBM", "apikey": KEY}
        bodies = [r.text for r in pool.map(lambda _: client.get(server.url, params=query), range(40))]
    assert 1 <= sum("Burst pattern detected" in body for body in bodies) <= 10


def test_moving_the_clock_moves_the_newest_bar_and_rebases(server):
    """A day back there was one dividend less, so the whole adjusted history has another base."""

    def adjusted(when):
        server.clock.move_to(when)
        series = call(server, ADJUSTED, symbol="MSFT", outputsize="full").json()[SERIES]
        newest = max(series)
        assert series[newest]["5. adjusted close"] == series[newest]["4. close"]
        return newest, float(series["2013-01-02"]["5. adjusted close"])

    (before, plain), (after, rebased) = adjusted(dt.date(2013, 2, 18)), adjusted(dt.date(2013, 2, 19))
    assert (before, after) == ("2013-02-15", "2013-02-19")
    assert rebased == pytest.approx(plain * 28.045 / (28.045 + 0.23), rel=1e-13)
    server.clock.move_to(dt.date(2013, 2, 18))
    assert "2013-02-19" not in call(server, "DIVIDENDS", symbol="MSFT").text


def test_a_clock_before_a_listing_does_not_know_the_symbol(server):
    """Facebook does not exist in 2010, in no function."""
    server.clock.move_to(dt.date(2010, 1, 4))
    assert notice(call(server, DAILY, symbol="FB"))[0] == "Error Message"
    assert call(server, "DIVIDENDS", symbol="FB").content == b"{}"
    assert "FB" not in call(server, "LISTING_STATUS").text
    server.clock.move_to(dt.date(1990, 1, 1))
    assert notice(call(server, DAILY, symbol="IBM"))[0] == "Error Message"


def test_the_clock_can_be_read_and_moved_over_http(server):
    """For a replay run by hand; a bad date is refused and changes nothing."""
    address = server.url.replace("/query", "/clock")
    assert httpx.get(address).json()["newest_session"] == "2013-03-01"
    moved = httpx.put(address, params={"today": "2012-06-01"})
    assert moved.headers[CLOCK_HEADER] == "2013-03-02T11:00:00+00:00"
    assert server.now() == dt.datetime(2012, 6, 2, 10, tzinfo=dt.UTC)
    assert httpx.put(address, params={"today": "tomorrow"}).status_code == 400
    assert httpx.get(address).json() == {
        "source": "packaged",
        "clock": "2012-06-02T10:00:00+00:00",
        "newest_session": "2012-06-01",
    }
    assert server.requests == []


def test_a_running_session_shows_its_unfinished_bar_where_asked_for():
    """The first row is today's, and the refresh stamp has a time."""
    noon = ReplayClock(dt.datetime(2013, 3, 1, 17, tzinfo=dt.UTC))
    with ReplayServer(packaged_history(), clock=noon, partial_bars=True) as server:
        content = call(server, DAILY, symbol="IBM").json()
    assert content["Meta Data"]["3. Last Refreshed"] == "2013-03-01 12:00:00"
    assert next(iter(content[SERIES])) == "2013-03-01"
    assert len(content[SERIES]) == 100


NOTICE_MARKS = {
    "free_throttle": "spreading out your free API requests",
    "daily_quota": "We have detected your API key as",
    "daily_quota_2024": "remove all daily rate limits",
    "old_minute_limit": "API call frequency is 5 calls per minute",
    "premium_function": "This is a premium endpoint. You may",
    "premium_parameter": "outputsize=full parameter value is a premium feature for the TIME_SERIES_DAILY endpoint",
    "premium_sample": "ARTIFICIAL AND FOR ILLUSTRATION PURPOSES ONLY",
    "burst": "Burst pattern detected",
    "minute_cap": "Minute-level rate limit exceed",
    "key_missing": "apikey is invalid or missing",
    "key_missing_as_information": "apikey is invalid or missing",
    "invalid_call": "Invalid API call",
    "unknown_function": "This API function (TIME_SERIES_DAILY) does not exist",
    "demo_key": "The **demo** API key",
    "demo_rate": "no more than 2 requests per second",
    "accept_header": "Could not satisfy the request Accept header.",
    "unknown_wording": "Scheduled maintenance",
    "empty": "{}",
    "empty_quote": '"Global Quote": {}',
    "no_matches": '"bestMatches": []',
}


@pytest.mark.parametrize("kind", NOTICE_MARKS)
@pytest.mark.parametrize("datatype", ["json", "csv"])
def test_every_notice_can_be_ordered(server, kind, datatype):
    """As JSON with status 200, once; the next call is answered."""
    server.faults.add(kind, symbol="IBM")
    spoilt = call(server, DAILY, symbol="IBM", datatype=datatype)
    assert spoilt.status_code == 200
    assert spoilt.headers["content-type"] == "application/json"
    assert NOTICE_MARKS[kind] in spoilt.text
    json.loads(spoilt.text)
    assert "2013-03-01" in call(server, DAILY, symbol="IBM", datatype=datatype).text


def test_the_artificial_sample_looks_like_data(server):
    """It has a plausible list, which must never be stored."""
    server.faults.add("premium_sample")
    sample = call(server, ADJUSTED, symbol="IBM").json()
    assert sample["endpoint"] == ADJUSTED
    assert sample["data"][0]["close"]


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_status_fault_is_a_web_page(server, status):
    """No JSON, no data."""
    server.faults.add("http_status", status=status)
    response = call(server, DAILY, symbol="IBM")
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html")


def test_a_dropped_connection_sends_nothing(server):
    """The client sees a reset, and the server lives on."""
    server.faults.add("dropped", times=2)
    for _ in range(2):
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            call(server, DAILY, symbol="IBM")
    assert call(server, DAILY, symbol="IBM").status_code == 200


def test_a_truncated_body_ends_early_on_the_wire(server):
    """The declared length is not reached."""
    server.faults.add("truncated")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        call(server, DAILY, symbol="IBM", outputsize="full")


def test_a_body_cut_short_ends_early_with_a_fitting_length(server):
    """Only its content can tell."""
    whole = call(server, DAILY, symbol="IBM").content
    server.faults.add("cut_short")
    assert call(server, DAILY, symbol="IBM").content == whole[: len(whole) // 2]


def test_slow_and_dribbled_replies_take_their_time(server):
    """Both are right in the end; a read time-out catches the slow one alone."""
    whole = call(server, DAILY, symbol="IBM").content
    server.faults.add("slow", seconds=1.0)
    with pytest.raises(httpx.ReadTimeout):
        call(server, DAILY, symbol="IBM", timeout=0.5)
    server.faults.add("trickle", seconds=1.0)
    started = time.monotonic()
    assert call(server, DAILY, symbol="IBM", timeout=0.5).content == whole
    assert time.monotonic() - started > 0.9


def test_bytes_that_are_no_text(server):
    """Neither JSON nor CSV nor UTF-8."""
    server.faults.add("garbage")
    with pytest.raises(UnicodeDecodeError):
        call(server, DAILY, symbol="IBM", datatype="csv").content.decode()


def test_wrong_content_type_and_web_page(server):
    """Right data under a wrong name, and wrong data under the status of success."""
    server.faults.add("wrong_content_type")
    server.faults.add("html_page")
    right, page = call(server, DAILY, symbol="IBM"), call(server, DAILY, symbol="IBM")
    assert right.headers["content-type"] == page.headers["content-type"] == "text/html"
    assert right.json()[SERIES]
    assert page.text.startswith("<html>")


def test_an_empty_series_is_well_formed(server):
    """A meta block and no row, or a header alone."""
    server.faults.add("empty_series", times=2)
    assert call(server, DAILY, symbol="IBM").json()[SERIES] == {}
    assert call(server, ADJUSTED, symbol="IBM", datatype="csv").text.count("\r\n") == 1


def test_an_unfinished_bar_can_be_ordered(server):
    """It is dated the clock's New York date and comes on top of the hundred newest."""
    server.faults.add("partial_bar")
    content = call(server, DAILY, symbol="IBM").json()
    assert next(iter(content[SERIES])) == "2013-03-02"
    assert content["Meta Data"]["3. Last Refreshed"].startswith("2013-03-02 ")
    assert next(iter(call(server, DAILY, symbol="IBM").json()[SERIES])) == "2013-03-01"


def test_a_dead_symbol_stays_dead_and_the_others_live(server):
    """For every function and call."""
    server.faults.kill("IBM")
    assert {notice(call(server, function, symbol="IBM"))[0] for function in FUNCTIONS} == {"Error Message"}
    assert call(server, DAILY, symbol="MSFT").json()[SERIES]


def test_the_log_tells_every_call_and_never_the_key(server):
    """Function, symbol, size, type, both clocks, and how it ended."""
    server.faults.add("dropped", symbol="MSFT")
    call(server, DAILY, symbol="ibm", outputsize="full", datatype="csv")
    call(server, "NOPE")
    with pytest.raises(httpx.TransportError):
        call(server, "SPLITS", symbol="MSFT")
    log = server.requests
    assert [(r.function, r.symbol, r.outputsize, r.datatype, r.outcome) for r in log] == [
        (DAILY, "IBM", "full", "csv", "data"),
        ("NOPE", "", "compact", "json", "unknown_function"),
        ("SPLITS", "MSFT", "compact", "json", "dropped"),
    ]
    assert log[0].clock_at == server.now()
    assert abs(log[0].received_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert KEY not in repr(log)


def test_a_port_in_use_is_one_plain_sentence():
    """Not a traceback of the socket module."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} on 127.0.0.1 is in use; stop"):
            ReplayServer(packaged_history(), port=port).start()


def test_only_loopback_is_listened_on_unless_asked_for():
    """There is no authentication, so other machines are kept out."""
    with pytest.raises(ConfigurationError, match="loopback"):
        ReplayServer(packaged_history(), host="0.0.0.0")  # noqa: S104 - the case under test
    with pytest.raises(ConfigurationError, match="cannot listen"):
        ReplayServer(packaged_history(), host="203.0.113.7", allow_remote=True).start()


def test_a_stopped_server_can_be_followed_by_another_on_its_port():
    """Stopping closes connections at once, even one that waits for a slow reply."""
    history = one_symbol_history(bars_frame({dt.date(2020, 1, 2): 10.0}))
    with ReplayServer(history) as first, concurrent.futures.ThreadPoolExecutor(1) as pool:
        first.faults.add("slow", seconds=60)
        waiting = pool.submit(call, first, DAILY, symbol="TEST")
        while not first.requests:
            time.sleep(0.005)
        port = int(first.url.split(":")[2].split("/")[0])
        first.stop()
        with pytest.raises(httpx.TransportError):
            waiting.result(timeout=5)
    with ReplayServer(history, port=port) as second:
        assert call(second, DAILY, symbol="TEST").json()[SERIES]


def test_many_connections_are_served_at_once(server):
    """A slow reply holds nobody else up, and every client gets its own symbol."""
    symbols = ["AAPL", "GOOG", "IBM", "MSFT"] * 10
    server.faults.add("slow", symbol="FB", seconds=1.5)
    with httpx.Client() as client, concurrent.futures.ThreadPoolExecutor(16) as pool:
        slow = pool.submit(call, server, DAILY, symbol="FB")
        bodies = pool.map(
            lambda symbol: client.get(server.url, params={"function": DAILY, "symbol": symbol, "apikey": KEY}).json(),
            symbols,
        )
        assert [body["Meta Data"]["2. Symbol"] for body in bodies] == symbols
        assert not slow.done()
        assert slow.result().status_code == 200
