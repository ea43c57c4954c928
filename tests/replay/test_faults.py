"""Rules that choose which call is answered wrongly."""

import pytest

from quant_assets.foundation.errors import UsageError
from quant_assets.replay.faults import Faults, Transport
from quant_assets.replay.notices import Notice


def kinds_struck(faults, *calls):
    struck = [faults.strike(*call) for call in calls]
    return [fault and fault.kind for fault in struck]


def test_a_rule_strikes_once_unless_told_otherwise():
    """One call is spoilt, the next is right."""
    faults = Faults()
    faults.add("dropped")
    assert kinds_struck(faults, ("IBM", "F"), ("IBM", "F")) == [Transport.DROPPED, None]


def test_a_rule_matches_symbol_and_function():
    """Other calls pass, and are not counted."""
    faults = Faults()
    rule = faults.add(Notice.BURST, symbol="IBM", function="SPLITS", times=2)
    calls = [("IBM", "DIVIDENDS"), ("MSFT", "SPLITS"), ("IBM", "SPLITS"), ("IBM", "SPLITS"), ("IBM", "SPLITS")]
    assert kinds_struck(faults, *calls) == [None, None, Notice.BURST, Notice.BURST, None]
    assert (rule.seen, rule.struck) == (3, 2)


def test_a_rule_may_let_the_first_calls_through():
    """A skip of two strikes the third matching call."""
    faults = Faults()
    faults.add("slow", skip=2, seconds=0.5)
    assert kinds_struck(faults, *[("A", "F")] * 4) == [None, None, Transport.SLOW, None]


def test_the_oldest_striking_rule_decides():
    """Two rules that match are used one after the other, a permanent one last."""
    faults = Faults()
    faults.add("garbage")
    faults.kill("A")
    assert kinds_struck(faults, *[("A", "F")] * 3) == [Transport.GARBAGE, Notice.INVALID_CALL, Notice.INVALID_CALL]
    faults.clear()
    assert kinds_struck(faults, ("A", "F")) == [None]


def test_an_unknown_kind_is_refused_with_the_list():
    """A typing mistake in a drill must not pass for a quiet server."""
    with pytest.raises(UsageError, match="daily_quota"):
        Faults().add("daly_quota")
