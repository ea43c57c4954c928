"""The synthetic market as a history, and its truth."""

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import ConfigurationError
from quant_assets.replay.actions import adjusted_closes
from quant_assets.replay.server import ReplayServer
from quant_assets.replay.synthetic.anomalies import AnomalyKind
from quant_assets.replay.synthetic.market import (
    MARKET_SYMBOL,
    SyntheticHistory,
    noise_market,
    reference_market,
    signal_market,
)
from quant_assets.replay.synthetic.parameters import EventRates
from tests.support.replay import call

BUSY = EventRates(
    dividend_payers=0.7,
    split_reviews=0.8,
    anomalies=0.6,
    halts=0.3,
    restatements=0.3,
    late_listings=0.4,
    delistings_ann=0.1,
)


@pytest.fixture(scope="module")
def busy():
    return SyntheticHistory(seed=21, symbols=30, years=12, rates=BUSY)


@pytest.fixture(scope="module")
def truth(busy):
    return busy.truth()


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**31), sessions=st.integers(300, 900), number=st.integers(0, 4))
def test_a_longer_history_is_identical_on_the_overlap(seed, sessions, number):
    """Bars, splits, dividends and restatements of a symbol up to a date do not depend on what is generated after it."""
    symbol = f"SYM{number:03d}"
    brief, longer = (SyntheticHistory(seed=seed, symbols=5, sessions=n, rates=BUSY) for n in (sessions, 1200))
    last = brief.last_session
    for frame in ("bars", "splits", "dividends", "restatements"):
        own, grown = getattr(brief, frame)(symbol), getattr(longer, frame)(symbol)
        assert own.equals(grown.filter(grown.to_series(0) <= last))
    assert brief.bars(MARKET_SYMBOL).equals(longer.bars(MARKET_SYMBOL).filter(pl.col("date") <= last))


def test_a_symbol_does_not_depend_on_how_many_there_are():
    """The second symbol of two is the second of two hundred."""
    few, many = (SyntheticHistory(seed=8, symbols=count, years=3, rates=BUSY) for count in (2, 200))
    assert few.bars("SYM001").equals(many.bars("SYM001"))
    assert few.symbols() == ("MKT", "SYM000", "SYM001")
    assert len(many.symbols()) == 201


def test_true_bars_are_sound(busy):
    """Low, open, close, high in order, positive, in ticks; some volume each session; every session of the listing."""
    calendar = new_york_calendar()
    for symbol in busy.symbols():
        bars = busy.simulated(symbol).true_bars
        if bars.is_empty():
            continue
        assert (bars["low"] <= bars.select(pl.min_horizontal("open", "close")).to_series()).all()
        assert (bars["high"] >= bars.select(pl.max_horizontal("open", "close")).to_series()).all()
        assert (bars["low"] > 0).all()
        assert (bars["volume"] > 0).all()
        for price in ("open", "high", "low", "close"):
            assert (bars[price] == bars[price].round(4)).all()
        listing = busy.listing(symbol)
        last = listing.delisted_on or busy.last_session
        assert bars["date"].to_list() == calendar.sessions_between(listing.listed_on, last)


def test_adjusted_true_closes_give_back_the_true_total_returns(busy):
    """Splits and dividends, missed splits too, explain the raw prices up to the rounding of a tick."""
    checked = 0
    for symbol in busy.symbols()[1:]:
        simulated = busy.simulated(symbol)
        bars = simulated.true_bars
        if bars.height < 300 or bars["close"].min() < 5:
            continue  # a tick is too large a part of a small price
        splits = pl.DataFrame(
            [(date, value) for date, kind, value, _ in simulated.actions if kind == "split"],
            schema={"effective_date": pl.Date, "split_factor": pl.Float64},
            orient="row",
        )
        adjusted = adjusted_closes(bars, splits, busy.dividends(symbol))
        expected = simulated.total_log_returns["log_return"].to_numpy()[1:]
        # Two prices, each within half a cent, of at least five dollars.
        np.testing.assert_allclose(np.diff(np.log(adjusted)), expected, atol=2 * 0.005 / 5 * 1.05)
        checked += 1
    assert checked >= 5


def test_volume_rises_with_absolute_returns(busy):
    """Rank correlation over 0.2 in every long history."""
    for symbol in ("MKT", "SYM000", "SYM001"):
        simulated = busy.simulated(symbol)
        frame = simulated.true_bars.join(simulated.total_log_returns, on="date")
        ratio = pl.col("volume").log().diff()
        size = pl.col("log_return").abs().diff()
        assert frame.select(pl.corr(ratio, size, method="spearman")).item() > 0.2


def test_served_bars_differ_from_true_ones_exactly_where_the_truth_says(busy, truth):
    """Every missing or changed bar lies in a halt or an anomaly, and every anomaly changed each of its bars."""
    seen = set()
    for symbol in busy.symbols():
        true, served = busy.simulated(symbol).true_bars, busy.bars(symbol)
        joined = true.join(served, on="date", how="left", suffix="_served")
        same = pl.all_horizontal(
            pl.col(name) == pl.col(f"{name}_served") for name in ("open", "high", "low", "close", "volume")
        ).fill_null(value=False)
        changed = joined.filter(~same)["date"].to_list()
        own = truth.anomalies.filter((pl.col("symbol") == symbol) & (pl.col("kind") != "missed_split"))
        halts = truth.halts.filter(pl.col("symbol") == symbol)
        stated = [
            date
            for first, last in [*own.select("date", "last_date").rows(), *halts.select("date", "last_date").rows()]
            for date in true.filter(pl.col("date").is_between(first, last))["date"].to_list()
        ]
        assert changed == sorted(stated)
        assert len(stated) == len(set(stated))
        seen |= set(own["kind"])
    assert seen == {str(kind) for kind in AnomalyKind} - {"missed_split"}


def test_a_missed_split_moves_the_price_and_is_listed_nowhere(busy, truth):
    """The raw price steps by about the factor, and SPLITS has no entry."""
    missed = truth.anomalies.filter(pl.col("kind") == "missed_split")
    assert missed.height > 5
    for symbol, date, _, _, factor in missed.rows():
        bars = busy.simulated(symbol).true_bars
        position = bars["date"].search_sorted(date)
        step = bars.item(position - 1, "close") / bars.item(position, "close")
        assert abs(np.log(step / factor)) < 0.35
        assert busy.splits(symbol).filter(pl.col("effective_date") == date).is_empty()
        action = truth.actions.filter(
            (pl.col("symbol") == symbol) & (pl.col("effective_date") == date) & (pl.col("kind") == "split")
        )
        assert action.select("value", "is_listed").rows() == [(factor, False)]


def test_events_of_every_kind_happen(busy, truth):
    """Splits both ways, one with a dividend on the same day, late listings, delistings, halts, restatements."""
    listed = truth.actions.filter(pl.col("is_listed"))
    splits = listed.filter(pl.col("kind") == "split")
    assert (splits["value"] > 1).any()
    assert (splits["value"] < 1).any()
    dividends = listed.filter(pl.col("kind") == "dividend")
    assert splits.join(dividends, on=["symbol", "effective_date"]).height > 0
    assert truth.listings["delisted_on"].drop_nulls().len() > 3
    assert (truth.listings["listed_on"] > dt.date(2000, 1, 3)).sum() > 3
    assert truth.halts.height > 10
    assert truth.restatements.height > 10
    assert (truth.restatements["restated_on"] > truth.restatements["date"]).all()
    assert busy.symbols()[0] == MARKET_SYMBOL


def test_regime_truth_covers_every_session(busy, truth):
    """One row a session, with the names the rest of the system uses."""
    assert truth.regimes["date"].to_list() == new_york_calendar().sessions_between(
        dt.date(2000, 1, 3), busy.last_session
    )
    assert set(truth.regimes["regime"]) <= {"bullish", "bearish", "sideways", "high_volatility"}
    closes = busy.bars(MARKET_SYMBOL)["close"].to_numpy()
    np.testing.assert_allclose(np.diff(np.log(closes)), truth.regimes["log_return"].to_numpy()[1:], atol=1e-4)


def test_named_markets_are_clean():
    """No event at all: every session of every symbol has its true bar."""
    for history in (reference_market(1, symbols=3, years=2), noise_market(1, symbols=3, years=2)):
        truth = history.truth()
        for table in (truth.anomalies, truth.actions, truth.halts, truth.restatements):
            assert table.is_empty()
        for symbol in history.symbols():
            assert history.bars(symbol).equals(history.simulated(symbol).true_bars)
            assert history.bars(symbol).height == 504


def test_noise_has_no_memory_and_the_signal_market_has_the_planted_one():
    """Pooled first-order autocorrelation of ten symbols: nothing, and the planted 0.15, within four standard errors."""

    def pooled(history):
        pairs = [
            history.simulated(symbol).total_log_returns["log_return"].to_numpy() for symbol in history.symbols()[1:]
        ]
        return np.corrcoef(
            np.concatenate([returns[:-1] for returns in pairs]), np.concatenate([returns[1:] for returns in pairs])
        )[0, 1]

    error = 1 / np.sqrt(10 * 20 * 252)
    assert abs(pooled(noise_market(3, symbols=10))) < 4 * error
    assert abs(pooled(signal_market(3, symbols=10)) - 0.15) < 4 * error


def test_identity_tells_markets_apart():
    """The size does not matter, since paths do not depend on it; start, parameters and rates do."""
    assert SyntheticHistory(seed=7).identity == SyntheticHistory(seed=7, symbols=3, years=2).identity == "synthetic-7"
    others = {reference_market(7).identity, noise_market(7).identity, signal_market(7).identity}
    others.add(SyntheticHistory(seed=7, start=dt.date(2010, 1, 4), years=2).identity)
    assert len(others) == 4
    assert all(identity.startswith("synthetic-7-") for identity in others)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"symbols": 0}, {"years": 0}, {"sessions": 0}, {"years": 90}])
def test_impossible_sizes_are_refused(wrong):
    """One sentence with what to change."""
    with pytest.raises(ConfigurationError, match=r"needs a seed|ask for fewer years"):
        SyntheticHistory(**wrong)


def test_a_synthetic_market_is_served(busy, truth):
    """Identity in the header, the default clock after the last session, the same closes, delisted symbols listed."""
    gone, last = next(
        (symbol, date) for symbol, date in truth.listings.select("symbol", "delisted_on").rows() if date is not None
    )
    with ReplayServer(busy) as server:
        response = call(server, "TIME_SERIES_DAILY", symbol="MKT", outputsize="full")
        listing = call(server, "LISTING_STATUS", state="delisted").text
        server.clock.move_to(last - dt.timedelta(days=1))
        earlier = call(server, "LISTING_STATUS", state="delisted").text
    assert response.headers["X-Replay-Source"] == busy.identity
    series = json.loads(response.text)["Time Series (Daily)"]
    assert [float(bar["4. close"]) for bar in series.values()][::-1] == busy.bars("MKT")["close"].to_list()
    assert f"{gone},Synthetic company {int(gone[3:])},NYSE,Stock" in listing
    assert gone not in earlier
