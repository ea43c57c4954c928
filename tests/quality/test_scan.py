"""The sentinel's night as one function over frames."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl
import pytest

from quant_assets.quality.isolation_detector import IsolationSettings
from quant_assets.quality.prophet_detector import ProphetSettings
from quant_assets.quality.scan import scan_bars
from quant_assets.quality.scan_state import ScanResult, ScanSettings, SentinelState
from quant_assets.quality.tables import (
    ANOMALY_EVENTS,
    BAR_SCORES,
    EVENT_CONFIRMATIONS,
    MODELS,
    PROPHET_PREDICTIONS,
    QUARANTINED_PRICES,
    THRESHOLDS,
)
from tests.support.quality_panels import NOW, actions_of, as_stored, changed, made_up_bars, scan_input

PRICES = ("open", "high", "low", "close")
ROW = 250
# Small fits: what is tested is how they are used.
QUICK = ScanSettings(isolation=IsolationSettings(trees=20, minimum_rows=300, window_sessions=150), prophet=None)
MEASURED = ("isolation_score", "prophet_score", "volume_zscore", "residual_zscore", "excursion_zscore")


@pytest.fixture(scope="module")
def bars():
    return made_up_bars(symbols=5, sessions=300)


@pytest.fixture(scope="module")
def dates(bars):
    return bars["date"].unique().sort().to_list()


def scaled(bars, dates, factor, *, symbol="S1", volume=1.0):
    for date in dates:
        bars = changed(bars, symbol, date, **{n: pl.col(n) * factor for n in PRICES}, volume=pl.col("volume") * volume)
    return bars


def merged(state, result):
    """The tables after a scan, as the warehouse would hold them."""

    def put(stored, rows, key):
        return pl.concat([stored.join(rows, on=key, how="anti"), rows]).sort(key)

    return SentinelState(
        scores=put(state.scores, result.scores, BAR_SCORES.key),
        events=put(state.events, result.events, ANOMALY_EVENTS.key),
        quarantined=put(state.quarantined, result.quarantined, QUARANTINED_PRICES.key),
        models=put(state.models, result.models, MODELS.key),
        predictions=put(state.predictions, result.predictions, PROPHET_PREDICTIONS.key),
        trees=state.trees if result.trees is None else result.trees,
        thresholds=put(state.thresholds, result.thresholds, THRESHOLDS.key),
    )


def night(bars, state=None, actions=None, *, settings=QUICK, **changes):
    state = state or SentinelState()
    result = scan_bars(scan_input(as_stored(bars), actions, **changes), state, settings)
    return result, merged(state, result)


def decided(state, status, **where):
    """The state after a person decided about the events that match."""
    match = pl.all_horizontal(pl.col(name) == value for name, value in where.items())
    events = state.events.with_columns(
        pl.when(match).then(pl.lit(status)).otherwise("status").alias("status"),
        pl.when(match).then(pl.lit("ada")).otherwise("status_by").alias("status_by"),
        pl.when(match).then(pl.lit(NOW).cast(pl.Datetime("us", "UTC"))).otherwise("status_at").alias("status_at"),
    )
    return dataclasses.replace(state, events=events)


def withheld(state):
    return state.quarantined.filter(pl.col("released_at").is_null()).select("symbol", "date").rows()


def test_results_fit_their_tables(bars, dates):
    """Every frame of a result passes the validation of its table."""
    wrong = scaled(bars, dates[ROW : ROW + 1], 100.0)
    result, _ = night(wrong)
    for table, frame in (
        (BAR_SCORES, result.scores),
        (ANOMALY_EVENTS, result.events),
        (EVENT_CONFIRMATIONS, result.confirmations),
        (QUARANTINED_PRICES, result.quarantined),
        (MODELS, result.models),
        (THRESHOLDS, result.thresholds),
    ):
        assert table.validate(frame).height == frame.height > 0


def test_every_bar_gets_a_row_of_scores(bars):
    """Scores stand beside every stored bar, not only beside events."""
    result, _ = night(bars)
    assert result.scores.select("symbol", "date").rows() == bars.select("symbol", "date").rows()
    late = result.scores.filter(pl.col("date") > dt.date(2011, 1, 3))
    assert late["isolation_score"].null_count() == 0
    assert late["volume_zscore"].null_count() == 0


def test_a_second_scan_finds_nothing_to_do(bars, dates):
    """With its result stored, a scan of the same bars gives no row."""
    wrong = scaled(bars, dates[ROW : ROW + 1], 100.0)
    _, state = night(wrong)
    again, _ = night(wrong, state)
    assert all(frame.is_empty() for name in ScanResult.__slots__ if (frame := getattr(again, name)) is not None)


def test_night_after_night_equals_one_scan(bars, dates):
    """Scanned one session at a time over a refit date, scores and events are those of one scan of everything."""
    wrong = scaled(scaled(bars, dates[ROW : ROW + 1], 100.0), dates[ROW + 10 :], 0.5, symbol="S3", volume=2.0)
    wrong = changed(wrong, "S2", dates[ROW + 5], close=pl.col("low") * 0.9)
    whole, whole_state = night(wrong)
    state = SentinelState()
    for last in (dates[ROW - 3], *dates[ROW - 2 :]):
        _, state = night(wrong.filter(pl.col("date") <= last), state)
    assert state.scores.drop("bar_updated_at").equals(whole.scores.drop("bar_updated_at"))
    assert state.events.equals(whole_state.events)
    assert withheld(state) == withheld(whole_state)
    assert state.thresholds.equals(whole_state.thresholds)
    assert state.models.equals(whole_state.models)


def test_nothing_looks_ahead(bars, dates):
    """Cut off after any session, the scores, events and thresholds up to it are the same."""
    wrong = scaled(bars, dates[ROW : ROW + 1], 100.0)
    whole, _ = night(wrong)
    for last in (dates[ROW - 1], dates[ROW], dates[ROW + 1]):
        cut, _ = night(wrong.filter(pl.col("date") <= last))
        until = pl.col("date") <= last
        assert cut.scores.equals(whole.scores.filter(until))
        assert cut.events.equals(whole.events.filter(until))
        known = pl.col("calibrated_on") <= last
        assert cut.thresholds.equals(whole.thresholds.filter(known))


def test_corrupting_the_future_changes_nothing_before_it(bars, dates):
    """Garbage after a session leaves everything up to it untouched."""
    rng = np.random.default_rng(5)
    noise = pl.Series(rng.uniform(0.5, 2.0, len(bars)))
    later = pl.col("date") > dates[ROW]
    garbage = bars.with_columns(pl.when(later).then(pl.col(n) * noise).otherwise(n).alias(n) for n in PRICES)
    until = pl.col("date") <= dates[ROW]
    assert night(garbage)[0].scores.filter(until).equals(night(bars)[0].scores.filter(until))


def test_an_event_says_why_and_later_bars_confirm_it_apart(bars, dates):
    """The event holds what was known on the night; the confirmation is a second record with its own date."""
    result, state = night(scaled(bars, dates[ROW : ROW + 1], 0.01))
    event = result.events.filter(pl.col("kind") == "decimal_shift").row(0, named=True)
    assert event["severity"] == "HIGH"
    assert "100 times below the last accepted one" in event["details"]
    assert "next" not in event["details"]
    assert event["detected_at"] == NOW
    confirmation = result.confirmations.row(0, named=True)
    assert (confirmation["event_id"], confirmation["verdict"]) == (event["event_id"], "confirmed")
    assert confirmation["known_date"] == dates[ROW + 1]
    (row,) = result.quarantined.iter_rows(named=True)
    assert (row["event_id"], row["close"] > 0, row["released_at"]) == (event["event_id"], True, None)
    assert withheld(state) == [("S1", dates[ROW])]


def test_the_bar_after_a_bad_one_is_scored_against_the_last_good_one(bars, dates):
    """A sound bar after a shifted one has the score it would have had, near enough."""
    truth, _ = night(bars)
    result, _ = night(scaled(bars, dates[ROW : ROW + 1], 100.0))
    here = (pl.col("symbol") == "S1") & (pl.col("date") == dates[ROW + 1])
    assert abs(result.scores.filter(here)["residual_zscore"].item()) < 4
    assert result.scores.filter(here)["severity"].item() == truth.scores.filter(here)["severity"].item()


def test_a_restated_bar_is_judged_afresh_and_released(bars, dates):
    """The vendor mends a bar: it is scored again, released, and the event confirmed as restated."""
    _, state = night(scaled(bars, dates[-1:], 100.0))
    assert withheld(state) == [("S1", dates[-1])]
    mended = as_stored(bars).with_columns(
        pl.when((pl.col("symbol") == "S1") & (pl.col("date") == dates[-1]))
        .then(pl.col("updated_at") + pl.duration(days=1))
        .otherwise("updated_at")
        .alias("updated_at")
    )
    result = scan_bars(scan_input(mended), state, QUICK)
    assert result.scores.select("symbol", "date").rows() == [("S1", dates[-1])]
    assert result.confirmations["verdict"].to_list() == ["restated"]
    assert result.quarantined["release_reason"].to_list() == ["restated by the vendor"]
    assert withheld(merged(state, result)) == []


def test_a_late_split_releases_the_level(bars, dates):
    """Once the missing action is on record, every bar of the level is released and the event resolved."""
    halved = scaled(bars, dates[ROW:], 0.5, volume=2.0)
    _, state = night(halved)
    assert len(withheld(state)) == len(dates) - ROW
    split = actions_of(("S1", dates[ROW], "split", 2.0))
    result, after = night(halved, state, split)
    assert withheld(after) == []
    assert result.confirmations.select("verdict", "date").rows() == [("resolved", dates[ROW])]
    assert result.events.is_empty()


def test_a_dismissal_releases_and_teaches(bars, dates):
    """A dismissed event's bar is released, and the same pattern on the same symbol is not raised again."""
    first = scaled(bars, dates[ROW : ROW + 1], 1.2)
    cut = first.filter(pl.col("date") <= dates[ROW + 5])
    result, state = night(cut)
    (event,) = result.events.filter(pl.col("kind") == "price_jump").iter_rows(named=True)
    result, state = night(cut, decided(state, "dismissed", event_id=event["event_id"]))
    assert result.quarantined["release_reason"].to_list() == ["dismissed by ada"]
    assert withheld(state) == []
    again = scaled(scaled(first, dates[ROW + 8 : ROW + 9], 1.2), dates[ROW + 8 : ROW + 9], 1.2, symbol="S3")
    result, state = night(again, state)
    jumps = result.events.filter(pl.col("kind") == "price_jump").select("symbol", "date").rows()
    assert jumps == [("S3", dates[ROW + 8])]
    here = (pl.col("symbol") == "S1") & (pl.col("date") == dates[ROW + 8])
    assert result.scores.filter(here).select("severity", "muted_by", "is_withheld").row(0) == (
        None,
        event["event_id"],
        False,
    )


def test_dismissing_a_level_lets_the_symbol_go_on(bars, dates):
    """A person says that the new level is right: its bars are released and the next ones pass."""
    halved = scaled(bars, dates[ROW:], 0.5)
    _, state = night(halved.filter(pl.col("date") <= dates[ROW + 3]))
    assert len(withheld(state)) == 4
    _, state = night(halved, decided(state, "dismissed", kind="unadjusted_split"))
    assert withheld(state) == []


def test_an_alarm_can_be_silenced_but_a_bar_without_a_price_stays_withheld(bars, dates):
    """Dismissing a missing price mutes it; nothing after could work with the bar."""
    broken = changed(bars, "S1", dates[ROW], close=None)
    _, state = night(broken.filter(pl.col("date") <= dates[ROW + 1]))
    assert withheld(state) == [("S1", dates[ROW])]
    worse = changed(broken, "S1", dates[ROW + 3], close=None)
    result, state = night(worse, decided(state, "dismissed", kind="missing_value"))
    assert result.events.filter(pl.col("kind") == "missing_value").is_empty()
    assert withheld(state) == [("S1", dates[ROW]), ("S1", dates[ROW + 3])]


def test_a_dismissed_rule_no_longer_applies_to_the_symbol(bars, dates):
    """An index whose close may lie outside its bar: dismissed once, its bars are scored and pass."""
    odd = changed(bars, "S1", dates[ROW], close=pl.col("high") * 1.0001)
    _, state = night(odd.filter(pl.col("date") <= dates[ROW]))
    later = changed(odd, "S1", dates[ROW + 2], close=pl.col("high") * 1.0001)
    result, state = night(later, decided(state, "dismissed", kind="close_outside_range"))
    assert withheld(state) == []
    here = (pl.col("symbol") == "S1") & (pl.col("date") == dates[ROW + 2])
    assert result.scores.filter(here)["residual_zscore"].item() is not None


def test_calibration_learns_from_dismissals(bars, dates):
    """An acknowledged event is kept out of the calibration, a dismissed one counts as a good bar."""
    spiky = bars
    for row in range(100, 240, 12):  # jumps on heavy volume in one symbol, so that the tail moves
        spiky = changed(spiky, "S2", dates[row], close=pl.col("close") * 1.25, high=pl.col("high") * 1.25)
        spiky = changed(spiky, "S2", dates[row], volume=pl.col("volume") * 8)
    cut = spiky.filter(pl.col("date") < dt.date(2011, 1, 3))
    _, state = night(cut)
    raised = state.events.filter(pl.col("kind") == "news_move").height
    assert raised > 10
    found = {}
    for status in ("acknowledged", "dismissed"):
        result, _ = night(spiky, decided(state, status, kind="news_move"))
        found[status] = result.thresholds.filter(pl.col("measure") == "price_move_quiet")["rows"].unique().item()
    assert found["dismissed"] - found["acknowledged"] == raised


def test_a_universe_of_one_symbol_is_scored(bars, dates):
    """Without a market the plain scores are used, and a shift is still found."""
    alone = scaled(bars, dates[ROW : ROW + 1], 100.0).filter(pl.col("symbol") == "S1")
    result, _ = night(
        alone, settings=dataclasses.replace(QUICK, isolation=IsolationSettings(trees=20, minimum_rows=100))
    )
    assert result.events.filter(pl.col("severity") == "HIGH")["date"].to_list() == [dates[ROW]]
    assert result.scores["residual_zscore"].drop_nulls().len() > 200


def test_a_symbol_with_twenty_bars_has_null_scores_and_certain_rules(bars):
    """Too little history means null scores, never zero; the rules apply all the same."""
    young = bars.group_by("symbol", maintain_order=True).head(20)
    day = young["date"].max()
    broken = changed(young, "S1", day, high=pl.col("low") * 0.9)
    result, _ = night(broken)
    assert all(result.scores[name].null_count() == len(result.scores) for name in MEASURED[:3])
    assert result.events.select("symbol", "kind", "severity").rows() == [("S1", "high_below_low", "HIGH")]


def test_a_detector_that_fails_leaves_the_others_running(bars):
    """A forest that cannot be fitted is recorded; its scores are null and the others are there."""
    settings = ScanSettings(isolation=IsolationSettings(trees=0, minimum_rows=300), prophet=None)
    result, _ = night(bars, settings=settings)
    assert set(result.models["status"]) == {"failed"}
    assert any("n_estimators" in reason for reason in result.models["reason"])
    assert result.scores["isolation_score"].null_count() == len(result.scores)
    assert result.scores["volume_zscore"].drop_nulls().len() > 0


def test_a_day_without_a_volume_feed_is_no_flood_of_events(bars, dates):
    """All volumes missing on one session: prices are scored, volumes are not, nobody is accused."""
    silent = bars.with_columns(pl.when(pl.col("date") == dates[ROW]).then(None).otherwise("volume").alias("volume"))
    before, _ = night(bars)
    result, _ = night(silent)
    here = result.scores.filter(pl.col("date") == dates[ROW])
    assert here["volume_zscore"].null_count() == len(here)
    assert here["residual_zscore"].null_count() == 0
    on_day = pl.col("date") == dates[ROW]
    assert result.events.filter(on_day).height <= before.events.filter(on_day).height


def test_bars_of_the_future_and_doubled_bars_are_withheld(bars, dates):
    """A date after the source's clock, and two bars for one session, never reach anything after."""
    doubled = pl.concat([bars, bars.filter((pl.col("symbol") == "S1") & (pl.col("date") == dates[-2]))])
    result, state = night(doubled.sort("symbol", "date"), as_of=dates[-2], today=dates[-2])
    assert withheld(state) == [
        ("S0", dates[-1]),
        *sorted({("S1", dates[-2]), ("S1", dates[-1])}),
        *((f"S{n}", dates[-1]) for n in (2, 3, 4)),
    ]
    assert set(result.events["kind"]) >= {"future_date", "repeated_date"}


def test_an_imported_history_retries_fits_that_lacked_bars(bars, dates):
    """A fit that failed for want of bars is made once older bars have come in; a made one is never repeated."""
    settings = ScanSettings(isolation=QUICK.isolation, prophet=ProphetSettings(minimum_bars=100, window_bars=150))
    recent = bars.filter((pl.col("date") > dates[-60]) & (pl.col("symbol") == "S1"))
    everything = bars.filter(pl.col("symbol") == "S1")
    _, state = night(recent, settings=settings)
    assert set(state.models.filter(pl.col("method") == "prophet")["status"]) == {"failed"}
    result, state = night(everything, state, settings=settings)
    assert "fitted" in set(result.models.filter(pl.col("method") == "prophet")["status"])
    again, _ = night(everything, state, settings=settings)
    assert again.models.is_empty()


def test_an_empty_warehouse_has_nothing_to_scan(bars):
    """No bars, no rows."""
    result = scan_bars(scan_input(as_stored(bars).clear(), as_of=dt.date(2012, 3, 1)), SentinelState(), QUICK)
    assert result.scores.is_empty()
    assert result.events.is_empty()
