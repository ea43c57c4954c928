"""What people read of the sentinel."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.quality.muting import MutedPatterns
from quant_assets.quality.reports import bad_share, daily_summary, recent_summary, sentinel_measures
from quant_assets.quality.tables import DAILY_SUMMARY, SENTINEL_MEASURES
from tests.support.event_rows import DETECTED, event_rows

DAY, NEXT = dt.date(2013, 2, 28), dt.date(2013, 3, 1)


def quarantined(*rows):
    return pl.DataFrame(
        rows, schema={"symbol": pl.String, "date": pl.Date, "released_at": pl.Datetime("us", "UTC")}, orient="row"
    )


def test_the_summary_counts_a_session():
    """Bars, events by severity, bars still withheld, bars without scores and without volume."""
    scores = pl.DataFrame(
        {
            "date": [DAY, DAY, NEXT],
            "isolation_score": [0.4, None, None],
            "prophet_score": [0.1, None, None],
            "volume_zscore": [0.2, None, 0.3],
        }
    )
    events = event_rows(
        {"event_id": "a", "date": DAY, "severity": "HIGH"},
        {"event_id": "b", "date": DAY, "severity": "LOW"},
        {"event_id": "c", "date": DAY, "severity": "LOW"},
    )
    volumes = pl.DataFrame({"date": [DAY, DAY, NEXT], "volume": [100, 0, None]})
    found = daily_summary(scores, events, quarantined(("A", DAY, None), ("B", DAY, DETECTED)), volumes)
    assert DAILY_SUMMARY.validate(found).rows() == [(DAY, 2, 2, 0, 1, 1, 1, 1), (NEXT, 1, 0, 0, 0, 0, 0, 1)]


def test_the_sentinel_measures_itself():
    """Events per batch, the newest batch, open ones, hours to resolve and the share that was false."""
    events = event_rows(
        {"event_id": "a"},
        {"event_id": "b", "status": "dismissed", "status_at": DETECTED + dt.timedelta(hours=4)},
        {"event_id": "c", "status": "acknowledged", "status_at": DETECTED + dt.timedelta(hours=2)},
        {"event_id": "d", "detected_at": DETECTED + dt.timedelta(days=1), "run_id": "later"},
    )
    found = SENTINEL_MEASURES.validate(sentinel_measures(events, NEXT))
    assert dict(found.select("measure", "value").iter_rows()) == {
        "events_per_batch": 2.0,
        "events_newest_batch": 1.0,
        "events_open": 2.0,
        "median_hours_to_resolve": 3.0,
        "share_dismissed": 0.5,
    }


def test_without_events_there_is_nothing_to_measure():
    """No event gives nulls, not zeros, where a mean would be."""
    found = dict(sentinel_measures(event_rows(), NEXT).select("measure", "value").iter_rows())
    assert found["events_open"] == 0.0
    assert found["share_dismissed"] is found["median_hours_to_resolve"] is found["events_per_batch"] is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], (NEXT, 0, 0.0)),
        ([("A", NEXT, None), ("B", NEXT, None), ("A", DAY, None)], (NEXT, 2, 0.5)),
        ([("A", NEXT, DETECTED)], (NEXT, 0, 0.0)),
    ],
)
def test_the_bad_share_is_of_the_newest_session(rows, expected):
    """Bars of the newest session that are withheld now, over its bars."""
    bars = pl.DataFrame({"symbol": ["A", "A", "B", "C", "D"], "date": [DAY, NEXT, NEXT, NEXT, NEXT]})
    assert bad_share(quarantined(*rows), bars) == expected
    assert bad_share(quarantined(), bars.clear()) == (None, 0, 0.0)


def test_the_last_day_in_words():
    """The status says how many events 24 hours brought, how many are open, and how many bars are withheld."""
    events = event_rows(
        {"event_id": "a", "severity": "HIGH", "details": "close is 100 times too high"},
        {"event_id": "b", "severity": "LOW"},
        {"event_id": "old", "detected_at": DETECTED - dt.timedelta(days=3)},
    )
    line = recent_summary(events, quarantined(("A", NEXT, None)), DETECTED + dt.timedelta(hours=1))
    assert line == "2 events in 24 hours (1 HIGH, 0 MEDIUM, 1 LOW); 3 open in all; 1 bars withheld"


def test_a_dismissal_mutes_its_pattern_up_to_half_as_much_again():
    """The same pattern of the same symbol is quiet up to 1.5 times the size dismissed; other symbols are not."""
    muted = MutedPatterns.from_events(
        event_rows(
            {"event_id": "a", "status": "dismissed", "magnitude": 6.0},
            {"event_id": "b", "status": "dismissed", "magnitude": 4.0},
            {"event_id": "c", "status": "acknowledged", "pattern": "news_move:up"},
            {"event_id": "d", "status": "dismissed", "pattern": "no_volume", "magnitude": None},
        )
    )
    assert muted.muted_by("AAPL", "price_jump:up", 8.9) == "a"
    assert muted.muted_by("AAPL", "price_jump:up", 9.1) is None
    assert muted.muted_by("AAPL", "price_jump:down", 1.0) is None
    assert muted.muted_by("IBM", "price_jump:up", 1.0) is None
    assert muted.muted_by("AAPL", "news_move:up", 1.0) is None
    assert muted.muted_by("AAPL", "no_volume", 99.0) == "d"
