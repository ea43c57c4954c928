"""The client against a real server: what each reply becomes, what is tried again, what is no longer called."""

import datetime as dt
import hashlib
import logging
import threading

import pytest

from quant_assets.foundation.errors import ServerFaultError, TransportError
from quant_assets.market_data.ports import FetchOutcome, FetchRequest, VendorFunction
from quant_assets.market_data.quota import REFUSAL_LIFETIME, SqliteQuotaLedger
from quant_assets.ops.store import OperationsStore
from resources.alpha_vantage.breaker import FAILURES_TO_OPEN, SECONDS_TO_HALF_OPEN, VendorBreaker, breaker_statuses
from resources.alpha_vantage.parsing import PARSER_VERSION
from resources.alpha_vantage.retrying import ATTEMPTS
from resources.alpha_vantage.secrecy import fingerprint
from resources.alpha_vantage.wire import Timeouts
from tests.support.fake_time import FakeTime
from tests.support.vendor_notices import KEY, NOTICE_BODIES
from tests.support.vendor_server import Scripted, VendorServer, bars_csv, bars_json, notice
from tests.support.vendor_source import IMPATIENT, PATIENT, daily, fetch_all, source_of

ROWS = [
    ("2024-01-05", "160.5000", "161.1000", "158.7000", "159.1600", "4916778"),
    ("2024-01-04", "160.2100", "161.7300", "160.0800", "160.8600", "3212009"),
]
GOOD = Scripted(bars_csv(ROWS), content_type="application/x-download")
SPLITS = FetchRequest("IBM", VendorFunction.SPLITS)


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def store(tmp_path):
    return OperationsStore(tmp_path / "operations.sqlite")


def good_for(parameters) -> Scripted:
    """A good reply to any call, in the format asked for."""
    if parameters["datatype"] == "json":
        return Scripted(bars_json(parameters["symbol"], ROWS))
    return GOOD


@pytest.mark.parametrize("datatype", ["csv", "json"])
@pytest.mark.parametrize("condition", NOTICE_BODIES)
def test_each_notice_of_the_vendor_becomes_its_outcome(condition, datatype, time):
    """Whatever format was asked for, a notice is a failure with its reason, free of the key, and never data."""
    body, outcome = NOTICE_BODIES[condition]
    with VendorServer([Scripted(body)]) as server, source_of(server, time, datatype=datatype) as source:
        reply = fetch_all(source, daily())["IBM"]
    assert reply.outcome is outcome
    assert reply.frame is None
    assert reply.message
    assert KEY not in reply.message
    assert reply.attempts == len(server.calls) == ATTEMPTS.get(outcome, 1)
    assert {call["datatype"] for call in server.calls} == {datatype}


FAULTS = {
    "server fault": (Scripted(b"oops", status=500), FetchOutcome.SERVER_FAULT),
    "slow": (Scripted(GOOD.body, wait_s=0.5), FetchOutcome.TRANSPORT),
    "dropped": (Scripted(is_dropped=True), FetchOutcome.TRANSPORT),
    "truncated": (Scripted(GOOD.body, cut_at=50), FetchOutcome.TRANSPORT),
    "truncated without a length": (Scripted(GOOD.body[:70], has_length=False), FetchOutcome.TRANSPORT),
    "truncated with a wrong length": (Scripted(bars_json("IBM", ROWS)[:300]), FetchOutcome.TRANSPORT),
    "nothing at all": (Scripted(b""), FetchOutcome.EMPTY),
    "braces": (Scripted(b"{}"), FetchOutcome.EMPTY),
    "header alone": (Scripted(bars_csv([])), FetchOutcome.EMPTY),
    "garbage": (Scripted(b"\x8f\x00\xfe garbage \xff"), FetchOutcome.UNRECOGNISED),
    "a web page": (Scripted(b"<html>welcome to our hotel</html>"), FetchOutcome.UNRECOGNISED),
    "another symbol": (Scripted(bars_json("MSFT", ROWS)), FetchOutcome.UNRECOGNISED),
    "not found": (Scripted(b"nothing here", status=404), FetchOutcome.UNRECOGNISED),
    "too many requests": (Scripted(b"", status=429), FetchOutcome.THROTTLED),
}


def timeouts_for(fault: str) -> Timeouts:
    return IMPATIENT if fault == "slow" else PATIENT


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_becomes_its_outcome_and_only_named_ones_are_tried_again(fault, time):
    """Attempts are bounded, and a reply that makes no sense is final at once."""
    answer, outcome = FAULTS[fault]
    with VendorServer([answer]) as server, source_of(server, time, timeouts=timeouts_for(fault)) as source:
        reply = fetch_all(source, daily())["IBM"]
    assert reply.outcome is outcome
    assert reply.frame is None
    assert reply.attempts == len(server.calls) == ATTEMPTS.get(outcome, 1)


@pytest.mark.parametrize("fault", ["server fault", "slow", "dropped", "truncated", "braces", "too many requests"])
def test_a_fault_that_passes_leaves_no_trace_but_the_count(fault, time):
    """After a retry the reply is data, with the number of calls it took; pauses grow between them."""
    with (
        VendorServer([FAULTS[fault][0], GOOD]) as server,
        source_of(server, time, timeouts=timeouts_for(fault)) as source,
    ):
        reply = fetch_all(source, daily())["IBM"]
    assert reply.outcome is FetchOutcome.OK
    assert reply.attempts == len(server.calls) == 2
    assert reply.frame["close"].to_list() == [160.86, 159.16]
    assert max(time.pauses) >= 0.5


@pytest.mark.parametrize("content_type", ["text/html", "application/json", "image/png", "nonsense"])
def test_the_content_type_is_not_believed(content_type, time):
    """Data sent under a wrong name is data, in both formats."""
    bodies = [Scripted(bars_csv(ROWS), content_type=content_type), Scripted(bars_json("IBM", ROWS), content_type="a/b")]
    for answer in bodies:
        with VendorServer([answer]) as server, source_of(server, time) as source:
            assert fetch_all(source, daily())["IBM"].outcome is FetchOutcome.OK


def test_a_reply_can_be_traced(time):
    """A good reply says when it was asked for, how long it took, and which bytes and parser it came from."""
    with VendorServer([GOOD]) as server, source_of(server, time) as source:
        reply = fetch_all(source, daily())["IBM"]
    assert reply.requested_at == time.now()
    assert reply.latency_ms > 0
    assert reply.body_sha256 == hashlib.sha256(GOOD.body).hexdigest()
    assert reply.parser_version == PARSER_VERSION
    assert reply.message == ""
    assert server.calls[0] == {
        "function": "TIME_SERIES_DAILY",
        "symbol": "IBM",
        "outputsize": "compact",
        "datatype": "csv",
        "apikey": KEY,
    }


def test_no_events_is_an_answer_with_an_empty_frame(time):
    """A share without splits is no failure, and events are asked for as JSON."""
    with VendorServer([Scripted(b'{"symbol": "IBM", "data": []}')]) as server, source_of(server, time) as source:
        reply = fetch_all(source, SPLITS)["IBM"]
    assert reply.outcome is FetchOutcome.NO_EVENTS
    assert reply.frame.is_empty()
    assert server.calls[0]["datatype"] == "json"
    assert "outputsize" not in server.calls[0]


def test_the_unfinished_bar_of_the_running_session_is_left_out(time):
    """At noon in New York the day's bar is not stored, and the reply says so."""
    noon = FakeTime(dt.datetime(2024, 1, 5, 17, tzinfo=dt.UTC))
    with VendorServer([GOOD]) as server, source_of(server, noon) as source:
        reply = fetch_all(source, daily())["IBM"]
    assert reply.frame["date"].to_list() == [dt.date(2024, 1, 4)]
    assert "left out the bar of 2024-01-05" in reply.message


def test_a_csv_without_a_last_line_end_is_asked_for_as_json(time):
    """A server that does not end its last line cannot be told from a cut transfer; JSON shows that it is whole."""

    def unterminated(parameters):
        good = good_for(parameters)
        return good if parameters["datatype"] == "json" else Scripted(good.body.rstrip())

    with VendorServer(unterminated) as server, source_of(server, time) as source:
        replies = fetch_all(source, daily("IBM"), daily("MSFT"))
        later = fetch_all(source, daily("AAPL"))["AAPL"]
    assert {reply.outcome for reply in replies.values()} == {FetchOutcome.OK}
    assert later.attempts == 1
    assert server.calls[-1]["datatype"] == "json"


def test_one_bad_symbol_leaves_the_others_alone(time):
    """Every request has its own reply, whatever the others met."""

    def by_symbol(parameters):
        body = NOTICE_BODIES["unknown symbol"][0]
        return Scripted(body) if parameters["symbol"] == "NOPE" else good_for(parameters)

    with VendorServer(by_symbol) as server, source_of(server, time) as source:
        replies = fetch_all(source, *(daily(symbol) for symbol in ("IBM", "NOPE", "MSFT", "AAPL", "GE", "T")))
    assert {symbol for symbol, reply in replies.items() if reply.outcome is FetchOutcome.OK} == {
        "IBM",
        "MSFT",
        "AAPL",
        "GE",
        "T",
    }
    assert replies["NOPE"].outcome is FetchOutcome.BAD_SYMBOL


def test_calls_run_in_parallel_where_the_plan_lets_them(time):
    """Without a limit several calls are under way at once: four answers wait for each other."""
    together = threading.Barrier(4, timeout=5)
    with VendorServer(good_for, before_answer=together.wait) as server, source_of(server, time) as source:
        replies = fetch_all(source, *(daily(symbol) for symbol in "ABCD"))
    assert [reply.outcome for reply in replies.values()] == [FetchOutcome.OK] * 4


def test_a_reader_that_stops_early_stops_the_calls(time):
    """Closing the iterator makes no more calls than were already on their way."""
    with VendorServer(good_for) as server, source_of(server, time) as source:
        replies = source.fetch([daily(f"S{number}") for number in range(100)])
        next(replies)
        replies.close()
        assert len(server.calls) <= 20


def test_the_free_plan_keeps_its_distance_and_stops_before_the_limit(time, store):
    """23 calls, more than a second apart, then the rest is answered without a call; the next process knows."""
    requests = [daily(f"S{number}") for number in range(25)]
    with VendorServer(good_for) as server:
        with source_of(server, time, store, plan="free") as source:
            assert source.calls_left_today() == 23
            replies = fetch_all(source, *requests)
            assert source.calls_left_today() == 0
        with source_of(server, time, store, plan="free") as another:
            assert another.calls_left_today() == 0
            late = fetch_all(another, daily("LATE"))["LATE"]
    outcomes = [reply.outcome for reply in replies.values()]
    assert outcomes.count(FetchOutcome.OK) == len(server.calls) == 23
    assert outcomes.count(FetchOutcome.DAILY_QUOTA) == 2
    assert late.outcome is FetchOutcome.DAILY_QUOTA
    assert late.attempts == 0
    assert time.monotonic() > 22 * 1.0


def test_retries_cost_quota_too(time, store):
    """Every attempt is counted, the failed ones included, and none is made beyond the limit."""
    with (
        VendorServer([FAULTS["server fault"][0], GOOD]) as server,
        source_of(server, time, store, plan="free") as source,
    ):
        assert fetch_all(source, daily())["IBM"].attempts == 2
        assert source.calls_left_today() == 21


def test_a_failure_without_quota_for_a_retry_keeps_its_own_reason(time, store):
    """With one call left, a server fault is reported as one, not as a spent quota."""
    day = dt.date(2024, 1, 9)
    ledger = SqliteQuotaLedger(store)
    for _ in range(22):
        ledger.reserve(fingerprint(KEY), day, 25)
    with VendorServer([FAULTS["server fault"][0]]) as server, source_of(server, time, store, plan="free") as source:
        reply = fetch_all(source, daily())["IBM"]
    assert (reply.outcome, reply.attempts) == (FetchOutcome.SERVER_FAULT, 1)


@pytest.mark.parametrize("plan", ["free", "75"])
def test_the_daily_message_ends_the_day_for_every_process(plan, time, store):
    """The vendor's word counts more than our count; the next day calls are made again."""
    with VendorServer([Scripted(NOTICE_BODIES["daily quota"][0])]) as server:
        with source_of(server, time, store, plan=plan) as source:
            first = fetch_all(source, daily("A"))["A"]
            second = fetch_all(source, daily("B"))["B"]
        with source_of(server, time, store, plan=plan) as another:
            third = fetch_all(another, daily("C"))["C"]
            time.sleep(24 * 3600)
            fourth = fetch_all(another, daily("D"))["D"]
    assert {reply.outcome for reply in (first, second, third, fourth)} == {FetchOutcome.DAILY_QUOTA}
    assert [reply.attempts for reply in (first, second, third, fourth)] == [1, 0, 0, 1]


def test_a_rejected_key_is_not_shown_again(time):
    """After one rejection the remaining requests are answered without calls."""
    with (
        VendorServer([Scripted(NOTICE_BODIES["key missing"][0])]) as server,
        source_of(server, time, plan=30) as source,
    ):
        replies = fetch_all(source, *(daily(f"S{number}") for number in range(20)))
    assert {reply.outcome for reply in replies.values()} == {FetchOutcome.KEY_REJECTED}
    assert len(server.calls) == 1


def test_a_refused_function_is_remembered_and_asked_again_after_a_week(time, store):
    """One refusal answers all further requests of the function, in later processes as well, until it expires."""
    adjusted = [FetchRequest(symbol, VendorFunction.DAILY_ADJUSTED, "compact") for symbol in ("A", "B")]
    with VendorServer([Scripted(NOTICE_BODIES["premium function"][0])]) as server:
        with source_of(server, time, store, plan="75") as source:
            assert source.is_entitled(VendorFunction.DAILY_ADJUSTED, "compact")
            replies = fetch_all(source, adjusted[0]) | fetch_all(source, adjusted[1])
            assert not source.is_entitled(VendorFunction.DAILY_ADJUSTED, "compact")
            assert source.is_entitled(VendorFunction.DAILY, "compact")
        with source_of(server, time, store, plan="75") as another:
            assert not another.is_entitled(VendorFunction.DAILY_ADJUSTED)
        with source_of(server, time, store, plan="150") as upgraded:
            assert upgraded.is_entitled(VendorFunction.DAILY_ADJUSTED)
        time.sleep(REFUSAL_LIFETIME.total_seconds())
        with source_of(server, time, store, plan="75") as later:
            assert later.is_entitled(VendorFunction.DAILY_ADJUSTED)
    assert {reply.outcome for reply in replies.values()} == {FetchOutcome.FUNCTION_NOT_ENTITLED}
    assert [replies[symbol].attempts for symbol in "AB"] == [1, 0]
    assert len(server.calls) == 1


def test_a_refused_parameter_leaves_the_function_open(time, store):
    """Full history refused: compact is still asked for, full is not."""

    def compact_only(parameters):
        if parameters["outputsize"] == "full":
            return Scripted(NOTICE_BODIES["premium parameter"][0])
        return good_for(parameters)

    with VendorServer(compact_only) as server, source_of(server, time, store, plan="free") as source:
        refused = fetch_all(source, daily("A", "full"))["A"]
        again = fetch_all(source, daily("B", "full"))["B"]
        compact = fetch_all(source, daily("A"))["A"]
        assert not source.is_entitled(VendorFunction.DAILY, "full")
        assert source.is_entitled(VendorFunction.DAILY, "compact")
    assert refused.outcome is again.outcome is FetchOutcome.PARAMETER_NOT_ENTITLED
    assert (refused.attempts, again.attempts) == (1, 0)
    assert compact.outcome is FetchOutcome.OK


def test_the_circuit_opens_for_the_rest_and_closes_after_a_good_trial(time, store):
    """A server that is down is left alone after some calls; later one trial call brings everything back."""
    is_down = threading.Event()
    is_down.set()

    def flaky(parameters):
        return FAULTS["server fault"][0] if is_down.is_set() else good_for(parameters)

    with VendorServer(flaky) as server:
        breaker = VendorBreaker("test", store, clock=time.now)
        with source_of(server, time, store, plan="free", breaker=breaker) as source:
            replies = fetch_all(source, *(daily(f"S{number}") for number in range(6)))
            assert len(server.calls) == FAILURES_TO_OPEN
            assert breaker_statuses(store)[0].state == "open"
            is_down.clear()
            still_open = fetch_all(source, daily("EARLY"))["EARLY"]
            time.sleep(SECONDS_TO_HALF_OPEN)
            back = fetch_all(source, daily("A"), daily("B"))
    outcomes = [reply.outcome for reply in replies.values()]
    assert set(outcomes) == {FetchOutcome.SERVER_FAULT, FetchOutcome.CIRCUIT_OPEN}
    assert outcomes.count(FetchOutcome.CIRCUIT_OPEN) == 4
    assert still_open.outcome is FetchOutcome.CIRCUIT_OPEN
    assert still_open.attempts == 0
    assert {reply.outcome for reply in back.values()} == {FetchOutcome.OK}
    assert breaker_statuses(store)[0].state == "closed"


def test_notices_do_not_open_the_circuit(time, store):
    """A server that answers is not at fault, whatever it answers."""
    with VendorServer([Scripted(NOTICE_BODIES["unknown symbol"][0])]) as server:
        breaker = VendorBreaker("test", store, clock=time.now)
        with source_of(server, time, breaker=breaker) as source:
            fetch_all(source, *(daily(f"S{number}") for number in range(3 * FAILURES_TO_OPEN)))
    assert len(server.calls) == 3 * FAILURES_TO_OPEN
    assert breaker.status.failures == 0


def test_a_throttle_holds_back_all_workers(time):
    """After a throttle no other call starts before the pause is over."""
    arrivals = []

    def once(parameters):
        arrivals.append(time.monotonic())
        return Scripted(NOTICE_BODIES["premium key burst"][0]) if len(arrivals) == 1 else good_for(parameters)

    with VendorServer(once) as server, source_of(server, time, plan="60") as source:
        replies = fetch_all(source, *(daily(symbol) for symbol in "ABC"))
    assert {reply.outcome for reply in replies.values()} == {FetchOutcome.OK}
    assert max(time.pauses) >= 2.0


def test_the_next_process_keeps_the_distance_to_the_last_call(time, store):
    """Two runs one after the other do not make two calls within a second."""
    with VendorServer(good_for) as server:
        for _ in range(2):
            with source_of(server, time, store, plan="free") as source:
                fetch_all(source, daily())
    assert time.monotonic() >= 1.0


def test_an_unrecognised_notice_is_reported_loudly(time, caplog):
    """A notice of a new kind is logged as an error with its text."""
    caplog.set_level(logging.DEBUG)
    body = notice(f"Your key {KEY} has a new colour.")
    with VendorServer([Scripted(body)]) as server, source_of(server, time) as source:
        reply = fetch_all(source, daily())["IBM"]
    assert reply.outcome is FetchOutcome.UNRECOGNISED
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "has a new colour" in errors[0]
    assert not [record for record in caplog.records if KEY in record.getMessage()]


def test_the_source_does_not_show_its_key():
    """Neither its text nor an error of its making holds the key."""
    with VendorServer([GOOD]) as server, source_of(server, FakeTime()) as source:
        assert KEY not in repr(source)


def test_a_plan_with_a_daily_limit_needs_a_ledger(time):
    """Without one the count would be lost with the process."""
    with VendorServer([GOOD]) as server, pytest.raises(ValueError, match="ledger"):
        source_of(server, time, plan="free")


def test_the_vendor_s_address_is_known_without_asking(time):
    """At the vendor's own address the identity and the clock need no request."""
    with source_of("https://www.alphavantage.co/query", time) as source:
        assert source.identity == "alpha_vantage"
        assert source.now() == time.now()


def test_another_server_is_named_by_its_host(time):
    """A server that is no replay is the vendor's protocol at another host, whatever its port; its time is ours."""
    with VendorServer([GOOD]) as server, source_of(server, time) as source:
        assert source.identity == "alpha_vantage@127.0.0.1"
        assert source.now() == time.now()
        fetch_all(source, daily())
    assert server.probes == 1


def test_a_replay_says_what_it_replays_and_what_time_it_is_there(time):
    """Identity and clock come from the replay's headers, and the clock follows its newest response."""
    headers = {"X-Replay-Source": "packaged", "X-Replay-Clock": "2024-01-05T17:00:00+00:00"}
    with VendorServer([GOOD], headers=headers) as server, source_of(server, time) as source:
        assert source.identity == "replay-packaged"
        assert source.now() == dt.datetime(2024, 1, 5, 17, tzinfo=dt.UTC)
        assert fetch_all(source, daily())["IBM"].frame["date"].to_list() == [dt.date(2024, 1, 4)]
        server.headers["X-Replay-Clock"] = "2024-01-09T11:00:00Z"
        assert fetch_all(source, daily())["IBM"].frame["date"].to_list()[-1] == dt.date(2024, 1, 5)
        assert source.now() == dt.datetime(2024, 1, 9, 11, tzinfo=dt.UTC)
    assert server.probes == 1
    assert server.calls[0]["apikey"] == KEY


def test_a_replay_s_name_is_not_prefixed_twice(time):
    """A replay that calls itself replay-synthetic is that."""
    headers = {"X-Replay-Source": "replay-synthetic"}
    with VendorServer([GOOD], headers=headers) as server, source_of(server, time) as source:
        assert source.identity == "replay-synthetic"


def test_a_request_refused_during_a_trial_costs_no_quota(time, store):
    """While one trial call is under way the other requests are refused without being counted."""
    breaker = VendorBreaker("test", store, clock=time.now)
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed()
    time.sleep(SECONDS_TO_HALF_OPEN)
    assert breaker.admits()
    with VendorServer(good_for) as server, source_of(server, time, store, plan="free", breaker=breaker) as source:
        assert fetch_all(source, daily())["IBM"].outcome is FetchOutcome.CIRCUIT_OPEN
        assert source.calls_left_today() == 23
    assert server.calls == []


def test_a_given_identity_is_not_asked_for(time):
    """The caller may know who answers."""
    with VendorServer([GOOD]) as server, source_of(server, time, identity="replay-synthetic-7") as source:
        assert source.identity == "replay-synthetic-7"
    assert server.probes == 0


def test_a_clock_that_makes_no_sense_is_no_data(time):
    """A replay whose clock has no time zone is not believed."""
    headers = {"X-Replay-Source": "packaged", "X-Replay-Clock": "yesterday"}
    with VendorServer([GOOD], headers=headers) as server, source_of(server, time) as source:
        assert fetch_all(source, daily())["IBM"].outcome is FetchOutcome.UNRECOGNISED


def test_a_server_that_is_not_there_has_no_identity(time):
    """Who answers cannot be guessed: asking raises, fetching reports each request as failed."""
    with VendorServer([GOOD]) as server:
        pass
    with source_of(server, time) as source:
        with pytest.raises(TransportError):
            _ = source.identity
        replies = fetch_all(source, *(daily(f"S{number}") for number in range(8)))
    outcomes = {reply.outcome for reply in replies.values()}
    assert outcomes == {FetchOutcome.TRANSPORT, FetchOutcome.CIRCUIT_OPEN}
    assert sum(reply.attempts for reply in replies.values()) < 8 * ATTEMPTS[FetchOutcome.TRANSPORT]


def test_a_server_with_a_fault_has_no_identity(time):
    """A proxy's error page in front of a replay must not be taken for the replay itself."""
    with (
        VendorServer([GOOD], probe=Scripted(b"bad gateway", status=502)) as server,
        source_of(server, time) as source,
        pytest.raises(ServerFaultError),
    ):
        _ = source.identity
