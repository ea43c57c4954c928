"""Plans and their limits, on a clock of the test's own."""

import datetime as dt

import pytest

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.replay.notices import Notice
from quant_assets.replay.plans import CallLimiter, parse_plan

DAY = dt.date(2013, 3, 2)


class Seconds:
    """A monotonic clock that stands where it is put."""

    def __init__(self):
        self.at = 1000.0

    def __call__(self):
        """Seconds."""
        return self.at


@pytest.fixture
def seconds():
    return Seconds()


def test_a_free_key_has_25_calls_a_day_and_one_a_second(seconds):
    """The 26th call of a day is refused with the daily notice; another day or another key starts afresh."""
    limiter = CallLimiter(parse_plan("free"), seconds)
    for _ in range(25):
        assert limiter.refuse("key", DAY) is None
        seconds.at += 1.0
    assert limiter.refuse("key", DAY) is Notice.DAILY_QUOTA
    assert limiter.refuse("other", DAY) is None
    assert limiter.refuse("key", DAY + dt.timedelta(days=1)) is None


def test_a_free_key_that_calls_twice_within_a_second_is_throttled(seconds):
    """The second call is refused, and costs one of the day's calls all the same."""
    limiter = CallLimiter(parse_plan("free"), seconds)
    assert limiter.refuse("key", DAY) is None
    for _ in range(24):
        seconds.at += 0.01
        assert limiter.refuse("key", DAY) is Notice.FREE_THROTTLE
    seconds.at += 1.0
    assert limiter.refuse("key", DAY) is Notice.DAILY_QUOTA


def test_a_premium_key_has_its_minute(seconds):
    """A plan of 75 answers 75 calls in any sixty seconds, whatever the day's count."""
    limiter = CallLimiter(parse_plan("75"), seconds)
    for _ in range(75):
        assert limiter.refuse("key", DAY) is None
        seconds.at += 0.1
    assert limiter.refuse("key", DAY) is Notice.MINUTE_CAP
    seconds.at = 1000.0 + 60.05
    assert limiter.refuse("key", DAY) is None
    assert limiter.refuse("key", DAY) is Notice.MINUTE_CAP


def test_a_premium_key_has_a_burst_ceiling_of_30_a_second(seconds):
    """The 31st call within a second is refused even on the largest plan."""
    limiter = CallLimiter(parse_plan("1200"), seconds)
    assert [limiter.refuse("key", DAY) for _ in range(30)] == [None] * 30
    assert limiter.refuse("key", DAY) is Notice.BURST
    seconds.at += 1.0
    assert limiter.refuse("key", DAY) is None


def test_an_unlimited_plan_refuses_nothing(seconds):
    """The embedded source is not slowed down."""
    limiter = CallLimiter(parse_plan("unlimited"), seconds)
    assert {limiter.refuse("key", DAY) for _ in range(2000)} == {None}


@pytest.mark.parametrize("name", ["", "premium", "0", "-75", "75/min"])
def test_an_unknown_plan_is_refused(name):
    """The message lists what may be written."""
    with pytest.raises(ConfigurationError, match="free, unlimited or requests a minute"):
        parse_plan(name)
