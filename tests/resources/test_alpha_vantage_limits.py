"""Plans and the distance they ask between calls."""

import datetime as dt
import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.foundation.errors import ConfigurationError
from resources.alpha_vantage.limits import Pacer, Plan, quota_day
from tests.support.fake_time import FakeTime


def starts(plan: Plan, calls: int) -> list[float]:
    """Instants at which so many calls in a row would start."""
    time = FakeTime()
    pacer = Pacer(plan.seconds_between_calls, clock=time.monotonic, sleep=time.sleep)
    instants = []
    for _ in range(calls):
        pacer.wait()
        instants.append(time.monotonic())
    return instants


def busiest(instants: list[float], window: float) -> int:
    """Most calls in any window of so many seconds, borders included; the slow obvious way."""
    return max(sum(start <= other <= start + window for other in instants) for start in instants)


def test_the_free_plan_has_one_worker_one_call_a_second_and_a_margin():
    """25 a day less a margin of 2, and never two calls in one second."""
    plan = Plan.parse("free")
    assert (plan.calls_per_day, plan.workers) == (23, 1)
    assert busiest(starts(plan, 5), 1.0) == 1


@given(st.integers(1, 3000))
def test_a_premium_plan_never_exceeds_its_minute_nor_thirty_a_second(calls_per_minute):
    """No minute holds more calls than the plan, no second more than thirty, wherever it begins."""
    instants = starts(Plan.parse(calls_per_minute), 40)
    assert busiest(instants, 60.0) <= max(calls_per_minute, 1)
    assert busiest(instants, 1.0) <= 30


def test_calls_are_spread_evenly():
    """All distances are equal, and the plan is used to at least nine tenths."""
    instants = starts(Plan.parse("75"), 20)
    distances = {round(b - a, 9) for a, b in itertools.pairwise(instants)}
    assert len(distances) == 1
    assert 60 / 75 <= distances.pop() <= 60 / (75 * 0.9)


@pytest.mark.parametrize("text", [None, "unlimited"])
def test_the_unlimited_plan_never_waits(text):
    """The embedded source has no limit."""
    plan = Plan.parse(text)
    assert (plan.calls_per_day, plan.calls_per_minute) == (None, None)
    assert starts(plan, 5) == [0.0] * 5


@pytest.mark.parametrize("text", ["premium", "0", "-5", "7.5", "", "²"])
def test_an_unknown_plan_is_refused_with_what_to_write(text):
    """The message says what a plan looks like."""
    with pytest.raises(ConfigurationError, match="free"):
        Plan.parse(text)


def test_threads_share_one_distance():
    """Calls of several threads keep the distance between each other, not each for itself."""
    time = FakeTime()
    pacer = Pacer(2.0, clock=time.monotonic, sleep=time.sleep)
    threads = [threading.Thread(target=lambda: [pacer.wait() for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() >= 19 * 2.0


def test_a_hold_delays_the_next_call_and_never_brings_it_forward():
    """After a throttle nobody starts for a while; a shorter hold changes nothing."""
    time = FakeTime()
    pacer = Pacer(1.0, clock=time.monotonic, sleep=time.sleep)
    pacer.wait()
    pacer.hold(10.0)
    pacer.hold(0.1)
    pacer.wait()
    assert time.monotonic() == pytest.approx(10.0)


def test_a_hold_works_without_a_limit_as_well():
    """A server without a known limit may throttle all the same."""
    time = FakeTime()
    pacer = Pacer(0.0, clock=time.monotonic, sleep=time.sleep)
    pacer.hold(3.0)
    pacer.wait()
    pacer.wait()
    assert time.monotonic() == pytest.approx(3.0)


def test_the_quota_day_is_new_york_s():
    """The day begins anew at midnight in New York, summer and winter."""
    assert quota_day(dt.datetime(2024, 1, 9, 4, 59, tzinfo=dt.UTC)) == dt.date(2024, 1, 8)
    assert quota_day(dt.datetime(2024, 1, 9, 5, 0, tzinfo=dt.UTC)) == dt.date(2024, 1, 9)
    assert quota_day(dt.datetime(2024, 7, 9, 4, 0, tzinfo=dt.UTC)) == dt.date(2024, 7, 9)
