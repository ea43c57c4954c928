from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.foundation.errors import UsageError
from quant_assets.foundation.walk_forward import WalkForward, calendar_borders, known_before, walk_forward_folds

DAYS = np.arange(np.datetime64("2001-03-05"), np.datetime64("2006-01-10"))
SESSIONS = DAYS[np.is_busday(DAYS)]


def rows(symbols: int, horizon: int, sessions: np.ndarray = SESSIONS):
    """Dates and maturities of a panel; the newest labels are not known."""
    matures = np.concatenate([sessions[horizon:], np.full(horizon, np.datetime64("NaT"))])
    return np.repeat(sessions, symbols), np.repeat(matures, symbols)


def test_borders_are_first_days_of_months():
    """Every third month has a border on its first day, counted from January whatever the history."""
    found = calendar_borders(dt.date(2001, 3, 5), dt.date(2002, 1, 1), 3)
    assert found == (dt.date(2001, 4, 1), dt.date(2001, 7, 1), dt.date(2001, 10, 1), dt.date(2002, 1, 1))


@settings(max_examples=40, deadline=None)
@given(
    horizon=st.integers(1, 30),
    embargo=st.integers(0, 20),
    months=st.sampled_from([1, 3, 6, 12]),
    window=st.sampled_from([None, 260]),
)
def test_no_training_label_is_known_after_its_fold_begins(horizon, embargo, months, window):
    """Every training label matures at least the embargo before the first tested session, and tests never overlap."""
    dates, matures = rows(2, horizon)
    scheme = WalkForward(months, min_train_sessions=250, train_sessions=window, embargo_sessions=embargo)
    tested: list[int] = []
    for fold in walk_forward_folds(dates, matures, scheme):
        first_tested = np.searchsorted(SESSIONS, dates[fold.test].min())
        last_known = np.searchsorted(SESSIONS, matures[fold.train].max())
        assert first_tested - last_known == embargo + 1
        assert fold.known_on == SESSIONS[last_known]
        assert len(np.unique(dates[fold.train])) >= 250
        assert window is None or len(np.unique(dates[fold.train])) <= window
        tested += fold.test.tolist()
    assert len(tested) == len(set(tested))


def test_expanding_training_uses_all_that_was_known():
    """Without a window a training part holds exactly the rows whose label was known, from the first session on."""
    dates, matures = rows(3, 5)
    fold = walk_forward_folds(dates, matures, WalkForward(12, 300, embargo_sessions=0))[0]
    before = dates[fold.test].min()
    expected = [i for i in range(len(dates)) if not np.isnat(matures[i]) and matures[i] < before]
    assert fold.train.tolist() == expected


@pytest.mark.parametrize("cut", ["2003-06-30", "2004-07-01", "2005-03-17"])
def test_a_longer_history_changes_no_earlier_fold(cut):
    """Folds that were complete on a shorter history come out row by row the same on the longer one."""
    scheme = WalkForward(6, 250)
    long_dates, long_matures = rows(2, 5)
    short = SESSIONS[np.datetime64(cut) >= SESSIONS]
    short_folds = walk_forward_folds(*rows(2, 5, short), scheme)
    long_folds = walk_forward_folds(long_dates, long_matures, scheme)
    assert len(short_folds) > 1
    for ours, theirs in zip(short_folds, long_folds, strict=False):
        assert (ours.number, ours.test_from, ours.test_until) == (theirs.number, theirs.test_from, theirs.test_until)
        assert np.array_equal(ours.train, theirs.train)
    for ours, theirs in zip(short_folds[:-1], long_folds, strict=False):
        assert np.array_equal(ours.test, theirs.test)


def test_order_of_rows_does_not_matter():
    """Shuffled rows fall into the same folds."""
    dates, matures = rows(2, 3)
    order = np.random.default_rng(0).permutation(len(dates))
    plain = walk_forward_folds(dates, matures, WalkForward())
    mixed = walk_forward_folds(dates[order], matures[order], WalkForward())
    for ours, theirs in zip(plain, mixed, strict=True):
        assert sorted(order[theirs.train].tolist()) == ours.train.tolist()
        assert sorted(order[theirs.test].tolist()) == ours.test.tolist()


def test_too_short_a_history_has_no_folds():
    """Sixty sessions give no fold, and neither does nothing at all."""
    assert walk_forward_folds(*rows(5, 1, SESSIONS[:60]), WalkForward()) == ()
    empty = np.zeros(0, dtype="datetime64[D]")
    assert walk_forward_folds(empty, empty, WalkForward()) == ()


def test_unknown_labels_are_never_known_before():
    """A label without a maturity is not known on any date."""
    matures = np.array(["2002-01-02", "NaT"], dtype="datetime64[D]")
    assert known_before(matures, SESSIONS, dt.date(2005, 1, 1), 0).tolist() == [True, False]
    assert known_before(matures, SESSIONS, dt.date(2001, 1, 1), 0).tolist() == [False, False]


def test_a_label_known_before_its_session_is_refused():
    """A maturity before the row's own session is a mistake of whoever made the labels."""
    with pytest.raises(UsageError, match="matures before"):
        walk_forward_folds(SESSIONS[5:6], SESSIONS[:1], WalkForward())


@pytest.mark.parametrize(
    "lengths",
    [{"test_months": 5}, {"min_train_sessions": 0}, {"embargo_sessions": -1}, {"train_sessions": 100}],
)
def test_impossible_lengths_are_refused(lengths):
    """Lengths that cannot be are refused with a sentence."""
    with pytest.raises(UsageError):
        WalkForward(**lengths)
