import datetime as dt

import numpy as np
import polars as pl
import pytest

from quant_assets.forecasts import causality
from quant_assets.forecasts.causality import models_that_look_ahead, origin_to_prove
from quant_assets.forecasts.distribution import FAILED, ForecastRequest
from quant_assets.forecasts.history import price_history
from quant_assets.forecasts.models import MODEL_NAMES
from quant_assets.forecasts.parameters import BLEND, FILTERED_SIMULATION, MEDIAN, PROPHET, RANDOM_WALK
from quant_assets.forecasts.random_walk import RandomWalk
from quant_assets.forecasts.record import Record, record_from_frame, record_rows
from quant_assets.forecasts.refits import fit_table, make_origin, quarter_of
from quant_assets.forecasts.rolling_origins import corrections_at, extend_record
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.point_in_time import corrupted_after
from tests.support.forecast_market import QUICK, closes, history_of, judged_market, shares, weights

CALENDAR = new_york_calendar()


def whole_record(frame, holdings, *, until=None, **earlier):
    """The record of a frame up to a session, made in one go or on top of an earlier one."""
    history = price_history(frame, holdings.symbols, CALENDAR, until or frame["date"].max())
    before, fits = earlier.get("record", Record.empty(QUICK.horizon_days)), earlier.get("fits", {})
    return extend_record(before, fits, history, holdings, QUICK)


def same(one, two):
    return all(
        np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True)
        for name in ("sessions", "raw", "corrected", "realised")
    )


def test_origins_are_fixed_sessions_of_the_exchange():
    """Origins lie on every fifth session since 1990, from the first quarter with a year behind it."""
    _, _, extension = judged_market()
    sessions = extension.record.sessions
    assert (sessions % 5 == 0).all()
    assert (np.diff(sessions) == 5).all()
    # 2006 had 251 sessions, so the first quarter of 2007 is the first with 250 returns before it.
    refit = int(np.searchsorted(CALENDAR.sessions, np.datetime64("2007-01-01")))
    assert sessions[0] == -(-refit // 5) * 5


def test_cutting_the_future_off_changes_nothing():
    """The record of a shorter history is the record of the longer one as it stood then, to the last bit."""
    frame, holdings, extension = judged_market()
    end = dt.date(2008, 6, 18)
    cut = whole_record(frame, holdings, until=end).record
    assert len(cut.sessions) > 50
    assert same(cut, extension.record.known_by(int(np.searchsorted(CALENDAR.sessions, np.datetime64(end)))))


def test_corrupting_the_future_changes_nothing():
    """With every later close multiplied by a random factor, all that was known by then is identical."""
    frame, holdings, extension = judged_market()
    end = dt.date(2008, 3, 12)
    noise = corrupted_after(frame, end, rng=np.random.default_rng(3))
    corrupted = whole_record(noise, holdings).record
    session = int(np.searchsorted(CALENDAR.sessions, np.datetime64(end)))
    assert same(corrupted.known_by(session), extension.record.known_by(session))
    assert not same(corrupted, extension.record)


@pytest.mark.parametrize(("holdings", "moves"), [(weights(AA=0.6, BB=0.4), False), (shares(AA=600, BB=200), True)])
def test_a_later_dividend_moves_old_origins_of_shares_alone(holdings, moves):
    """A dividend lowers every adjusted close before it: weights are set anew and stay, those of shares shift.

    The second case is a limit that the documentation states: the base follows the adjusted closes.
    """
    frame = closes(["AA", "BB"], 420)
    ex_date = frame["date"].unique().sort().to_list()[-10]
    is_lowered = (pl.col("symbol") == "AA") & (pl.col("date") < ex_date)
    later = frame.with_columns(close=pl.when(is_lowered).then(pl.col("close") * 0.9).otherwise("close"))
    histories = [history_of(one, holdings.symbols).until(380) for one in (frame, later)]
    before, after = (
        make_origin(one, holdings, 380, included=np.array([True, True]), settings=QUICK) for one in histories
    )
    np.testing.assert_allclose(after.returns, before.returns, rtol=0, atol=1e-14)
    walks = [
        RandomWalk().forecast(origin, {}, ForecastRequest(QUICK.horizon_days, 100, 1)) for origin in (before, after)
    ]
    assert (after.positions.base == pytest.approx(before.positions.base, rel=1e-12)) != moves
    assert np.allclose(walks[0].quantiles, walks[1].quantiles, rtol=1e-9, atol=0) != moves


def test_night_by_night_gives_what_one_go_gives():
    """Extending the record session by session ends in the same fits and the same record.

    Fits first, since two of them can differ where the machine fails an optimiser: the message then names the algorithm.
    """
    frame, holdings, extension = judged_market()
    dates = frame["date"].unique().sort().to_list()
    grown = whole_record(frame, holdings, until=dates[-70])
    fits = list(grown.new_fits)
    for end in dates[-69:]:
        step = whole_record(frame, holdings, until=end, record=grown.record, fits=fit_table(fits))
        assert step.changed.sum() <= QUICK.horizon_days * 3
        fits += step.new_fits
        grown = step
    assert fit_table(fits) == fit_table(extension.new_fits)
    for name in ("sessions", "raw", "corrected", "realised"):
        np.testing.assert_array_equal(getattr(grown.record, name), getattr(extension.record, name), err_msg=name)


def test_a_longer_past_moves_no_origin_and_no_refit():
    """With a year more in front, the later origins and refit dates are the same dates."""
    _, holdings, extension = judged_market()
    longer = closes(["AA", "BB"], 400, start=dt.date(2005, 1, 3))
    early = whole_record(longer, holdings)
    assert set(early.record.sessions % 5) == {0}
    both = {fit.refit_date for fit in early.new_fits} | {fit.refit_date for fit in extension.new_fits}
    firsts = {CALENDAR.session_on_or_after(dt.date(day.year, day.month, 1)) for day in both}
    assert both == firsts
    assert {day.month for day in both} <= {1, 4, 7, 10}


def test_outcomes_are_the_gains_of_the_positions():
    """The realised change is that of the weights at the origin, held over the horizon."""
    frame, holdings, extension = judged_market()
    history = history_of(frame, holdings.symbols)
    for place, horizon in ((0, 1), (40, 10), (80, 5)):
        row = int(extension.record.sessions[place]) - history.first_session
        growth = history.prices[row + horizon] / history.prices[row] - 1
        expected = 0.6 * growth[0] + 0.4 * growth[1]
        assert extension.record.realised[place, horizon - 1] == pytest.approx(expected)


def test_the_blend_is_the_mean_of_its_parts():
    """Raw quantiles of the blend average those of the filtered simulation and the random walk."""
    raw = judged_market()[2].record.raw
    parts = [raw[MODEL_NAMES.index(name)] for name in (FILTERED_SIMULATION, RANDOM_WALK)]
    np.testing.assert_allclose(raw[MODEL_NAMES.index(BLEND)], np.mean(parts, axis=0), atol=1.1e-6)


def test_quantiles_are_in_order_everywhere():
    """Corrected quantiles rise with the level at every origin and horizon of every model."""
    record = judged_market()[2].record
    assert (np.diff(record.corrected, axis=-1) >= 0).all()
    np.testing.assert_array_equal(record.corrected[..., MEDIAN], record.raw[..., MEDIAN])


def test_a_young_holding_joins_when_it_is_old_enough():
    """A holding listed late leaves the earlier origins to the other, and joins at a refit with 60 returns."""
    frame = closes(["AA", "BB"], 560)
    listed = frame["date"].unique().sort().to_list()[370]
    young = frame.filter((pl.col("symbol") == "AA") | (pl.col("date") >= listed))
    holdings = weights(AA=0.5, BB=0.5)
    history = history_of(young, holdings.symbols)
    record = whole_record(young, holdings).record
    alone = whole_record(frame, weights(AA=1.0)).record
    rows = record.sessions - history.first_session
    joined = np.array([bool(quarter_of(history, holdings, int(row), QUICK).included[1]) for row in rows])
    assert not joined[rows < 370 + 61].any()
    assert joined[-1]
    np.testing.assert_array_equal(record.realised[~joined], alone.realised[: (~joined).sum()])
    walk = MODEL_NAMES.index(RANDOM_WALK)
    np.testing.assert_array_equal(record.raw[walk][~joined], alone.raw[walk][: (~joined).sum()])


def test_a_model_that_cannot_be_fitted_leaves_a_reason_not_a_number():
    """A short portfolio whose past crosses zero has no Prophet forecasts; the fits say why, the others go on."""
    frame = closes(["AA", "BB"], 420)
    first = frame.group_by("symbol").agg(pl.col("close").first())
    price = dict(first.iter_rows())
    holdings = shares(AA=1_000 / price["AA"], BB=-1_010 / price["BB"])
    extension = whole_record(frame, holdings)
    record, fits = extension.record, extension.new_fits
    failed = [fit for fit in fits if fit.model == PROPHET]
    assert {fit.status for fit in failed} == {FAILED}
    assert all("not positive" in fit.reason for fit in failed)
    assert np.isnan(record.raw[MODEL_NAMES.index(PROPHET)]).all()
    for name in (RANDOM_WALK, FILTERED_SIMULATION, BLEND):
        assert np.isfinite(record.raw[MODEL_NAMES.index(name)]).all()


def test_the_stored_rows_give_the_record_back():
    """Rows of the table, in any order, are the arrays again."""
    record = judged_market()[2].record
    rows = record_rows(record, CALENDAR.sessions).sample(fraction=1.0, shuffle=True, seed=1)
    assert same(record_from_frame(rows, QUICK.horizon_days, CALENDAR.sessions), record)
    assert same(
        record_from_frame(rows.head(0), QUICK.horizon_days, CALENDAR.sessions), Record.empty(QUICK.horizon_days)
    )


def test_corrections_of_a_night_are_those_of_an_origin():
    """On a session that is an origin, tonight's corrections are the ones the record used."""
    record = judged_market()[2].record
    place = 60
    now = corrections_at(record, int(record.sessions[place]), QUICK)
    then = corrections_at(record.known_by(int(record.sessions[place])), int(record.sessions[place]), QUICK)
    np.testing.assert_array_equal(now, then)
    assert now.any()


def test_the_nightly_proof_finds_no_model_that_looks_ahead():
    """The check that runs every night makes a past forecast again on a corrupted future and finds it unchanged."""
    frame, holdings, extension = judged_market()
    as_of = frame["date"].max()
    session = origin_to_prove(extension.record, as_of)
    assert session in extension.record.sessions
    guilty = models_that_look_ahead(
        frame, holdings, extension.record, session, calendar=CALENDAR, as_of=as_of, settings=QUICK
    )
    assert guilty == []
    assert origin_to_prove(Record.empty(10), as_of) is None


@pytest.mark.parametrize(("sessions_ahead", "blind"), [(1, {PROPHET}), (70, set())])
def test_the_nightly_proof_would_notice_a_look_ahead(sessions_ahead, blind):
    """Corrupting that much before the origin, as if models saw that far ahead, changes the numbers of every model.

    Prophet is fitted once a quarter and says changes from today's value, so it uses no close since its last fit.
    """
    frame, holdings, extension = judged_market()
    as_of = frame["date"].max()
    session = int(extension.record.sessions[len(extension.record.sessions) // 2])
    before = CALENDAR.sessions[session - sessions_ahead].item()
    noise = corrupted_after(frame, before, rng=np.random.default_rng(0))
    made = [
        causality._quantiles(price_history(one, holdings.symbols, CALENDAR, as_of), holdings, session, QUICK)
        for one in (frame, noise)
    ]
    same = {name for place, name in enumerate(MODEL_NAMES) if np.array_equal(made[0][place], made[1][place])}
    assert all(np.isfinite(made[0][place]).all() for place in range(len(MODEL_NAMES)))
    assert same == blind
