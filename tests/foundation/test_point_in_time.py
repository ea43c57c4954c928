"""Views serve what was known and nothing else."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from quant_assets.foundation.errors import UsageError
from quant_assets.foundation.point_in_time import KnownFrame, corrupted_after, past, read_only

DATES = [dt.date(2024, 1, day) for day in (2, 3, 4, 5)]
SEEN = [dt.datetime(2024, 1, day, 23, tzinfo=dt.UTC) for day in (2, 3, 9)]


@pytest.fixture
def frame():
    """Four sessions; the third was restated a week later, the fourth has no recorded instant."""
    return pl.DataFrame({"date": DATES, "close": [1.0, 2.0, 3.0, 4.0], "first_seen_at": [*SEEN, None]})


def test_rows_after_the_session_are_not_served(frame):
    """A view at a session ends with that session."""
    assert KnownFrame(frame).at(DATES[1])["close"].to_list() == [1.0, 2.0]


def test_rows_learned_later_are_not_served(frame):
    """A row of the past that became known afterwards, or at an unknown time, is not served."""
    view = KnownFrame(frame, known_column="first_seen_at")
    known_by = dt.datetime(2024, 1, 6, tzinfo=dt.UTC)
    assert view.at(DATES[3], known_by)["close"].to_list() == [1.0, 2.0]


def test_misuse_is_refused(frame):
    """Asking a bitemporal table without an instant, or with a naive one, is an error rather than a guess."""
    with pytest.raises(UsageError, match="known_by"):
        KnownFrame(frame, known_column="first_seen_at").at(DATES[0])
    with pytest.raises(UsageError, match="known_by"):
        KnownFrame(frame).at(DATES[0], SEEN[0])
    with pytest.raises(UsageError, match="time zone"):
        KnownFrame(frame, known_column="first_seen_at").at(DATES[0], SEEN[0].replace(tzinfo=None))
    with pytest.raises(UsageError, match="seen_at"):
        KnownFrame(frame, known_column="seen_at")


def test_past_of_an_array_is_read_only_and_ends_at_the_session():
    """The past cannot be written and does not lead to the future."""
    whole = np.arange(5.0)
    seen = past(whole, 2)
    np.testing.assert_array_equal(seen, [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="read-only"):
        seen[0] = 9.0
    assert not np.shares_memory(seen, whole)
    with pytest.raises(UsageError, match="outside"):
        past(whole, 5)
    with pytest.raises(ValueError, match="read-only"):
        read_only(whole)[0] = 1.0


def test_corruption_leaves_the_past_alone(frame):
    """Only floats after the session change, and all of them do."""
    wrong = corrupted_after(frame, DATES[1], rng=np.random.default_rng(0))
    assert wrong["close"].to_list()[:2] == [1.0, 2.0]
    assert (wrong["close"] != frame["close"]).to_list() == [False, False, True, True]
    assert wrong["date"].equals(frame["date"])
