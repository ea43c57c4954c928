"""Splitting history into training and testing parts by date, purged and with an embargo, once and for everybody.

A row dated t carries a label that is known later, at ``matures_on``. A training row whose label matures on or after the
first tested session has seen what it is tested on, so it is left out (purging); the embargo leaves out a few more
sessions, since what is known just before the border still resembles what comes just after it. Source: Lopez de Prado,
M. (2018), Advances in Financial Machine Learning, ch. 7.

Borders are fixed dates of the calendar, the first days of certain months. They depend neither on where the history ends
nor on how many rows it has, so that a longer history gives the same folds and a few more. All rows of a session fall
into the same part, whatever symbol they belong to.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quant_assets.foundation.errors import UsageError

__all__ = ["Fold", "WalkForward", "calendar_borders", "known_before", "walk_forward_folds"]

Dates = npt.NDArray[np.datetime64]
Rows = npt.NDArray[np.int64]

_MONTHS = (1, 2, 3, 4, 6, 12)


@dataclass(frozen=True, slots=True)
class WalkForward:
    """How history is split.

    Parameters
    ----------
    test_months : int
        Length of a tested part, a divisor of 12; borders lie on the first day of every such month, January included.
    min_train_sessions : int
        Sessions with matured labels that the first training part must have.
    train_sessions : int, optional
        Only the newest so many of them (a rolling window); all by default (an expanding one).
    embargo_sessions : int
        Sessions between the last label's maturity and the first tested session that are left out besides.

    Raises
    ------
    UsageError
        Where a length cannot be.
    """

    test_months: int = 6
    min_train_sessions: int = 504
    train_sessions: int | None = None
    embargo_sessions: int = 5

    def __post_init__(self) -> None:
        if self.test_months not in _MONTHS:
            raise UsageError(f"a tested part lasts {self.test_months} months; choose one of {_MONTHS}")
        if self.min_train_sessions < 1 or self.embargo_sessions < 0:
            raise UsageError("a walk-forward needs at least one training session and an embargo of 0 or more sessions")
        if self.train_sessions is not None and self.train_sessions < self.min_train_sessions:
            raise UsageError(
                f"the rolling window of {self.train_sessions} sessions is shorter than the least training part of "
                f"{self.min_train_sessions}; lengthen it"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One training and one tested part.

    Parameters
    ----------
    number : int
        From 0 in the order of dates.
    test_from, test_until : date
        The tested part begins on ``test_from`` and ends before ``test_until``.
    known_on : date
        Last session whose close the training part may have seen.
    train, test : array of int
        Positions of rows, ascending. Tested rows may have labels that are not known yet.
    """

    number: int
    test_from: dt.date
    test_until: dt.date
    known_on: dt.date
    train: Rows = field(repr=False)
    test: Rows = field(repr=False)


def calendar_borders(first: dt.date, last: dt.date, months: int) -> tuple[dt.date, ...]:
    """First days of every ``months``-th month, January included, after ``first`` and up to ``last``."""
    years = range(first.year, last.year + 1)
    borders = [dt.date(year, month, 1) for year in years for month in range(1, 13, months)]
    return tuple(border for border in borders if first < border <= last)


def known_before(matures_on: Dates, sessions: Dates, border: dt.date, embargo_sessions: int) -> npt.NDArray[np.bool_]:
    """Rows whose label is known, embargo included, before the first session on or after ``border``.

    Parameters
    ----------
    matures_on : array of datetime64[D]
        NaT where a label is not known.
    sessions : array of datetime64[D]
        Sessions of the history, ascending.
    """
    last_known = _last_known(sessions, border, embargo_sessions)
    if last_known is None:
        return np.zeros(len(matures_on), dtype=bool)
    return np.asarray(matures_on <= np.datetime64(last_known))  # NaT compares false


def walk_forward_folds(dates: Dates, matures_on: Dates, scheme: WalkForward) -> tuple[Fold, ...]:
    """Split rows into folds.

    Parameters
    ----------
    dates : array of datetime64[D], shape (n,)
        Session of each row, in any order.
    matures_on : array of datetime64[D], shape (n,)
        Session at whose close the row's label is known; NaT where it is not.
    scheme : WalkForward

    Returns
    -------
    tuple of Fold
        Empty where no training part would be long enough.

    Raises
    ------
    UsageError
        Where a label matures before its own session.
    """
    if bool(np.any(matures_on < dates)):
        raise UsageError("a label matures before the session it belongs to; check how the labels were made")
    if not len(dates):
        return ()
    sessions = np.unique(dates)
    first, last = sessions[0].item(), sessions[-1].item()
    borders = calendar_borders(first, last, scheme.test_months)
    folds: list[Fold] = []
    for number, border in enumerate(borders):
        until = borders[number + 1] if number + 1 < len(borders) else _next_border(border, scheme.test_months)
        known = np.flatnonzero(known_before(matures_on, sessions, border, scheme.embargo_sessions))
        train = _training_window(known, dates, scheme)
        if train is None:
            continue
        test = np.flatnonzero((dates >= np.datetime64(border)) & (dates < np.datetime64(until)))
        known_on = _last_known(sessions, border, scheme.embargo_sessions)
        if len(test) and known_on is not None:
            folds.append(Fold(len(folds), border, until, known_on, train, test))
    return tuple(folds)


def _last_known(sessions: Dates, border: dt.date, embargo_sessions: int) -> dt.date | None:
    """Last session whose close may be known to what is tested from ``border`` on."""
    position = int(np.searchsorted(sessions, np.datetime64(border))) - 1 - embargo_sessions
    known: dt.date | None = sessions[position].item() if position >= 0 else None
    return known


def _training_window(known: Rows, dates: Dates, scheme: WalkForward) -> Rows | None:
    """Training rows inside the rolling window; None where their sessions are too few."""
    trained = np.unique(dates[known])
    if len(trained) < scheme.min_train_sessions:
        return None
    if scheme.train_sessions is None or len(trained) <= scheme.train_sessions:
        return known
    window: Rows = known[dates[known] >= trained[-scheme.train_sessions]]
    return window


def _next_border(border: dt.date, months: int) -> dt.date:
    month = border.month - 1 + months
    return dt.date(border.year + month // 12, month % 12 + 1, 1)
