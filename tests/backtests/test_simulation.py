"""The compiled account equals a slow one, step by step equals all at once, and its conventions hold."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.backtests import kernel
from quant_assets.backtests.account import open_account, step
from quant_assets.backtests.costs import Costs
from quant_assets.backtests.market import lay_out
from quant_assets.backtests.rules import Rules
from quant_assets.backtests.simulation import Scratch, simulate
from quant_assets.foundation.errors import UsageError
from quant_assets.strategies.targets import Targets
from tests.support.price_panels import make_panel
from tests.support.slow_account import SlowAccount

FREE = Costs(commission_bps=0, half_spread_bps=0)


def always(weights):
    """Targets decided on every session."""
    weights = np.array(weights, dtype=float)
    return Targets(weights, np.ones(weights.shape, dtype=np.uint8))


def once(panel, row, weights):
    """One decision at the close of session ``row``."""
    wanted, decided = np.zeros(panel.shape), np.zeros(panel.shape, dtype=np.uint8)
    wanted[row], decided[row] = weights, 1
    return Targets(wanted, decided)


def run_slowly(panel, targets, rules, costs):
    """Equity path of the slow account."""
    market = lay_out(panel, rules)
    account = SlowAccount(panel, rules, costs, market.layers[kernel.IMPACT])
    path = []
    for t in range(panel.shape[0]):
        days = 0 if t == 0 else (panel.dates[t] - panel.dates[t - 1]).astype(int)
        chosen = {s: float(targets.weights[t, s]) for s in range(panel.shape[1]) if targets.decided[t, s]}
        account.session(t, chosen, days)
        path.append(account.equity)
    return np.array(path), account


RULES = st.builds(
    Rules,
    fill=st.sampled_from(["open", "close"]),
    sizing=st.sampled_from(["fill", "decision"]),
    max_leverage=st.sampled_from([0.8, 1.0, 2.0]),
    whole_shares=st.booleans(),
    participation=st.sampled_from([0.0, 0.05, 0.5]),
    cash_rate_ann=st.sampled_from([0.0, 0.04]),
    reinvest_dividends=st.booleans(),
    halt_limit=st.sampled_from([2, 10]),
)
COSTS = st.builds(
    Costs,
    commission_bps=st.sampled_from([0.0, 5.0, 80.0]),
    per_share=st.sampled_from([0.0, 0.01]),
    minimum=st.sampled_from([0.0, 5.0]),
    impact=st.sampled_from([0.0, 1.0]),
)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    rules=RULES, costs=COSTS, seed=st.integers(0, 10_000), gaps=st.sampled_from([0.0, 0.2]), often=st.floats(0.02, 1)
)
def test_the_compiled_account_equals_the_slow_one(rules, costs, seed, gaps, often):
    """Random long and short weights under random rules leave both accounts with the same equity each session."""
    panel = make_panel(40, 3, seed=seed, gaps=gaps)
    rng = np.random.default_rng(seed)
    weights = rng.uniform(-0.4, 0.6, panel.shape) * (rng.random(panel.shape) < 0.8)
    targets = Targets(weights, (rng.random(panel.shape) < often).astype(np.uint8))
    targets.decided[0] |= weights[0] != 0
    fast = simulate(lay_out(panel, rules), targets, rules, costs)
    slow, account = run_slowly(panel, targets, rules, costs)
    # The compiled sizing stops at a hundred-millionth of equity, the slow one goes on to the end.
    np.testing.assert_allclose(fast.equity, slow, rtol=3e-7, atol=1e-6)
    assert fast.path[kernel.PATH_COSTS].sum() == pytest.approx(account.spent, rel=1e-5, abs=1e-3)


@pytest.mark.parametrize("reinvest", [True, False])
def test_stepping_gives_the_bits_of_the_whole_run(reinvest):
    """An environment that steps session by session sees the very accounts of the vectorised run."""
    panel = make_panel(200, 4, seed=3, gaps=0.05)
    rules = Rules(max_leverage=2.0, reinvest_dividends=reinvest, cash_rate_ann=0.02, participation=0.3)
    costs = Costs(impact=1.0, minimum=1.0)
    rng = np.random.default_rng(0)
    targets = always(rng.uniform(-0.4, 0.5, panel.shape))
    targets.decided[rng.random(panel.shape) < 0.7] = 0
    targets.decided[0] = 1
    market = lay_out(panel, rules)
    whole = simulate(market, targets, rules, costs)
    account, terms = open_account(4, rules.capital), rules.terms(costs)
    for t in range(panel.shape[0]):
        before = account
        kept = (before.book.copy(), before.ledger.copy())
        account = step(account, market, np.where(targets.decided[t], targets.weights[t], np.nan), terms)
        assert np.array_equal(before.book, kept[0])
        assert np.array_equal(before.ledger, kept[1])
        assert account.equity == whole.equity[t]
        assert account.costs == whole.path[kernel.PATH_COSTS, t]
    with pytest.raises(UsageError, match="no further session"):
        step(account, market, np.zeros(4), terms)


def test_zero_cost_reinvested_buy_and_hold_is_the_adjusted_price_ratio():
    """Splits and dividends handled one by one equal the total-return price from the fill, to 1e-12."""
    panel = make_panel(400, 1, seed=5)
    rules = Rules(reinvest_dividends=True)
    run = simulate(lay_out(panel, rules), once(panel, 0, [1.0]), rules, FREE)
    # Back-adjusted as vendors do it, written out: later events divide earlier prices.
    factor = np.ones(400)
    for t in range(1, 400):
        close = panel.close[t, 0]
        factor[:t] /= panel.split[t, 0] * (1 + panel.dividend[t, 0] / close)
    adjusted = panel.close[:, 0] * factor
    bought = panel.open[1, 0] * factor[1]
    np.testing.assert_allclose(run.equity[1:] / rules.capital, adjusted[1:] / bought, rtol=1e-12)


def test_an_order_is_never_filled_on_the_session_that_decided_it(panel):
    """The decision's own bar moves nothing; open and close of the next one are the two fills there are."""
    for fill, price in (("open", panel.open), ("close", panel.close)):
        rules = Rules(fill=fill)
        run = simulate(lay_out(panel, rules), once(panel, 9, [1.0, 0, 0]), rules, FREE)
        assert (run.equity[:10] == rules.capital).all()
        trip = run.trips[0]
        assert (trip[kernel.TRIP_ENTRY], trip[kernel.TRIP_ENTRY_PRICE]) == (10, pytest.approx(price[10, 0]))


def test_dividends_are_paid_in_cash_or_reinvested():
    """Cash dividends stay in cash and earn nothing; reinvested ones buy at the ex-date's close."""
    panel = make_panel(6, 1, actions=False)
    panel.dividend[3, 0] = 2.0
    paid = simulate(lay_out(panel, Rules()), once(panel, 0, [1.0]), Rules(), FREE)
    shares = 100_000 / panel.open[1, 0]
    assert paid.equity[5] == pytest.approx(shares * (panel.close[5, 0] + 2.0))
    assert paid.path[kernel.PATH_DIVIDENDS, 3] == pytest.approx(2 * shares)
    rules = Rules(reinvest_dividends=True)
    again = simulate(lay_out(panel, rules), once(panel, 0, [1.0]), rules, FREE)
    assert again.equity[5] == pytest.approx(shares * (1 + 2.0 / panel.close[3, 0]) * panel.close[5, 0])


@pytest.mark.parametrize(("wanted", "kept"), [(0.0, 0.0), (0.5, 0.5)])
def test_only_dividends_of_what_is_still_held_are_reinvested(wanted, kept):
    """Shares bought at the close of the ex-date are not there to be sold at its open, and no debt is made for them."""
    panel = make_panel(6, 1, actions=False)
    panel.open[:] = panel.close[:] = 10.0
    panel.close[3:] = 8.0
    panel.dividend[3, 0] = 1.0
    weights, decided = np.zeros((6, 1)), np.zeros((6, 1), dtype=np.uint8)
    weights[0], decided[0], weights[2], decided[2] = 1.0, 1, wanted, 1
    rules = Rules(reinvest_dividends=True)
    account, terms, market = open_account(1, rules.capital), rules.terms(FREE), lay_out(panel, rules)
    for t in range(4):
        account = step(account, market, np.where(decided[t], weights[t], np.nan), terms)
    # 10,000 shares receive 10,000; half of 110,000 at the open are 5,500 shares, and 5,500 are reinvested at 8.
    held = kept * 110_000 / 10
    assert account.shares[0] == pytest.approx(held + held / 8)
    assert account.cash == pytest.approx(110_000 - held * 10 - held)


def test_reinvesting_makes_no_debt_where_orders_have_spent_the_dividend():
    """An order for everything takes the dividend's cash too, and nothing is left to reinvest."""
    panel = make_panel(6, 1, actions=False)
    panel.dividend[3, 0] = 1.0
    rules = Rules(reinvest_dividends=True)
    account, terms, market = open_account(1, rules.capital), rules.terms(FREE), lay_out(panel, rules)
    for _ in range(6):
        account = step(account, market, np.array([1.0]), terms)
        assert account.cash >= -1e-7


def test_short_positions_pay_dividends_and_borrow_fees():
    """A short pays the dividend and the fee of every calendar day, and gains what the price falls."""
    panel = make_panel(6, 1, actions=False)
    panel.dividend[3, 0] = 0.5
    rules = Rules(borrow_rate_ann=0.1)
    run = simulate(lay_out(panel, rules), once(panel, 0, [-1.0]), rules, FREE)
    shares, expected = 100_000 / panel.open[1, 0], 200_000.0
    for t in range(2, 6):
        days = (panel.dates[t] - panel.dates[t - 1]).astype(int)
        expected -= shares * panel.close[t - 1, 0] * 0.1 * days / 365 + shares * panel.dividend[t, 0]
    assert run.equity[5] == pytest.approx(expected - shares * panel.close[5, 0])


@pytest.mark.parametrize(
    ("long", "short", "lent"), [(1.5, 0.5, 0.5), (1.0, 0.5, 0.0), (0.5, 0.5, -0.5), (1.5, 0.0, 0.5)]
)
def test_short_sales_finance_no_long_position(long, short, lent):
    """Margin interest falls on what longs cost beyond the equity, whatever shorts have brought in; the rest earns."""
    panel = make_panel(3, 2, actions=False)
    panel.open[:] = panel.close[:] = 10.0
    rules = Rules(max_leverage=3, borrow_rate_ann=0.02, margin_rate_ann=0.08, cash_rate_ann=0.04)
    run = simulate(lay_out(panel, rules), once(panel, 0, [long, -short]), rules, FREE)
    years = (panel.dates[2] - panel.dates[1]).astype(int) / 365
    # The first night is all cash and earns interest before the fill.
    base = run.equity[1]
    expected = base * (lent * (0.08 if lent > 0 else 0.04) + short * 0.02) * years
    assert run.path[kernel.PATH_FINANCING, 2] == pytest.approx(expected)


def test_a_missing_bar_fills_nothing_and_keeps_the_last_price():
    """An order waits through a halt, the position keeps its mark, and the log says so."""
    panel = make_panel(8, 2, actions=False)
    for grid in (panel.open, panel.close):
        grid[3:5, 0] = np.nan
    wanted, decided = np.zeros((8, 2)), np.zeros((8, 2), dtype=np.uint8)
    wanted[0], decided[0] = [1.0, 0.0], 1
    decided[2, 0] = 1
    run = simulate(lay_out(panel, Rules()), Targets(wanted, decided), Rules(), FREE)
    assert run.equity[3] == run.equity[4] == run.equity[2]
    assert run.trips[0, kernel.TRIP_EXIT] == 5
    assert [(int(e[0]), int(e[2])) for e in run.events] == [(3, kernel.NO_FILL), (4, kernel.NO_FILL)]


def test_wanting_nothing_of_an_unlisted_symbol_is_no_order():
    """A zero weight of a symbol without bars and without a position neither waits nor fills the log."""
    panel = make_panel(10, 2, actions=False)
    panel.open[:, 1] = panel.close[:, 1] = np.nan
    run = simulate(lay_out(panel, Rules()), always(np.tile([1.0, 0.0], (10, 1))), Rules(), FREE)
    assert run.event_count == 0


def test_a_volume_of_zero_is_a_halt():
    """A bar on which nothing traded fills nothing."""
    panel = make_panel(8, 1, actions=False)
    panel.volume[1, 0] = 0
    run = simulate(lay_out(panel, Rules()), once(panel, 0, [1.0]), Rules(), FREE)
    assert run.trips[0, kernel.TRIP_ENTRY] == 2


def test_a_symbol_that_stops_trading_is_closed_out_with_a_haircut():
    """After the halt limit a long gets the last price less the haircut, and a short pays as much more."""
    panel = make_panel(30, 1, actions=False)
    panel.close[10:, 0] = panel.open[10:, 0] = np.nan
    for weight, factor in ((0.5, 0.7), (-0.5, 1.3)):
        rules = Rules(halt_limit=5, delisting_haircut=0.3, borrow_rate_ann=0.0)
        run = simulate(lay_out(panel, rules), once(panel, 0, [weight]), rules, FREE)
        shares = weight * 100_000 / panel.open[1, 0]
        assert run.equity[13] == pytest.approx(100_000 + shares * (panel.close[9, 0] - panel.open[1, 0]))
        assert run.equity[-1] == pytest.approx(100_000 + shares * (factor * panel.close[9, 0] - panel.open[1, 0]))
        assert run.trips[0, kernel.TRIP_EXIT] == 14
        assert run.events[0, 2] == kernel.CLOSED_OUT


def test_leverage_is_capped_when_an_order_is_filled():
    """Orders beside a position that has grown are scaled to what the limit leaves, and the log says by how much."""
    panel = make_panel(10, 2, actions=False)
    panel.close[:, 0] = panel.open[:, 0] = [10, 10, 30, 30, 30, 30, 30, 30, 30, 30]
    wanted, decided = np.zeros((10, 2)), np.zeros((10, 2), dtype=np.uint8)
    wanted[0, 0], decided[0, 0] = 0.6, 1
    wanted[3, 1], decided[3, 1] = 0.6, 1
    run = simulate(lay_out(panel, Rules()), Targets(wanted, decided), Rules(), FREE)
    grown = 0.6 * 3 / (0.6 * 3 + 0.4)
    scaled = [e for e in run.events if e[2] == kernel.SCALED]
    assert scaled[0][3] == pytest.approx((1 - grown) / 0.6)
    exposure = run.path[kernel.PATH_GROSS, 4]
    assert exposure <= 1.0 + 1e-9


def test_costs_never_make_debt_of_a_fully_invested_account(panel):
    """All-in orders are sized on what is left after their own costs: cash stays at or above zero."""
    rules = Rules()
    account, terms = open_account(3, rules.capital), rules.terms(Costs(commission_bps=50, minimum=3))
    market = lay_out(panel, rules)
    for t in range(panel.shape[0]):
        account = step(account, market, np.full(3, 1 / 3), terms)
        assert account.cash >= -1e-7, t


def test_the_participation_cap_spreads_an_order_over_sessions():
    """A fill takes at most its share of the session's volume and the rest goes on waiting."""
    panel = make_panel(12, 1, actions=False)
    panel.volume[:] = 1000.0
    rules = Rules(participation=0.1, whole_shares=True)
    account, terms = open_account(1, rules.capital), rules.terms(FREE)
    market = lay_out(panel, rules)
    held = []
    for t in range(12):
        account = step(account, market, np.array([1.0 if t == 0 else np.nan]), terms)
        held.append(account.shares[0])
    assert held[:5] == [0, 100, 200, 300, 400]


def test_an_order_outlives_sessions_whose_cap_is_below_one_share():
    """Where the cap leaves not one whole share the order waits, is logged, and goes on; a full fill ends it."""
    panel = make_panel(6, 1, actions=False)
    panel.open[:] = panel.close[:] = 10.0
    panel.volume[:, 0] = [1000, 9, 40, 9, 60, np.nan]
    rules = Rules(participation=0.1, whole_shares=True, capital=100)
    run = simulate(lay_out(panel, rules), once(panel, 0, [1.0]), rules, FREE)
    assert (run.path[kernel.PATH_TRADED] / 10).tolist() == [0, 0, 4, 0, 6, 0]
    assert [(int(e[0]), int(e[2]), e[3]) for e in run.events] == [
        (t, kernel.CAPPED, n) for t, n in ((1, 0), (2, 4), (3, 0))
    ]


def test_an_unknown_volume_caps_nothing():
    """Without a volume the whole order is filled."""
    panel = make_panel(4, 1, actions=False)
    panel.volume[:] = np.nan
    rules = Rules(participation=0.01)
    run = simulate(lay_out(panel, rules), once(panel, 0, [1.0]), rules, FREE)
    assert run.path[kernel.PATH_TRADED, 1] == pytest.approx(rules.capital)
    assert run.event_count == 0


def test_whole_shares_round_towards_zero_and_splits_pay_cash_in_lieu():
    """Positions are whole; the fraction that a split leaves is paid out at the price before it."""
    panel = make_panel(5, 1, actions=False)
    panel.split[3, 0] = 1.5
    for grid in (panel.open, panel.close, panel.high, panel.low):
        grid[3:] /= 1.5
    rules = Rules(whole_shares=True)
    account, terms, market = open_account(1, 1000.0), rules.terms(FREE), lay_out(panel, rules)
    for t in range(3):
        account = step(account, market, np.array([1.0 if t == 0 else np.nan]), terms)
    bought = account.shares[0]
    assert bought == math.floor(1000.0 / panel.open[1, 0])
    cash = account.cash
    account = step(account, market, np.array([np.nan]), terms)
    assert account.shares[0] == math.floor(bought * 1.5)
    fraction = bought * 1.5 - math.floor(bought * 1.5)
    assert account.cash == pytest.approx(cash + fraction * panel.close[2, 0] / 1.5)


@pytest.mark.parametrize(("weight", "pnl"), [(1.0, -150.0), (-1.0, 150.0)])
def test_a_reverse_split_that_leaves_nothing_ends_the_round_trip(weight, pnl):
    """Three shares that become 0.3 of one are paid out whole, and the trip is booked with its loss or gain."""
    panel = make_panel(6, 1, actions=False)
    panel.open[:] = panel.close[:] = np.array([100, 100, 50, 500, 500, 500.0])[:, None]
    panel.split[3, 0] = 0.1
    rules = Rules(whole_shares=True, capital=350, borrow_rate_ann=0.0)
    run = simulate(lay_out(panel, rules), once(panel, 0, [weight]), rules, FREE)
    assert run.equity[-1] == pytest.approx(350 + pnl)
    trip = run.closed_trips[0]
    assert (trip[kernel.TRIP_EXIT], trip[kernel.TRIP_PNL]) == (3, pytest.approx(pnl))
    assert trip[kernel.TRIP_EXIT_PRICE] == pytest.approx(500)
    assert len(run.trips) == 1


def test_ruin_ends_the_account():
    """A short that loses everything is closed, stays at zero, and is logged."""
    panel = make_panel(6, 1, actions=False)
    panel.close[:, 0] = panel.open[:, 0] = [10, 10, 10, 35, 5, 5]
    run = simulate(lay_out(panel, Rules()), once(panel, 0, [-1.0]), Rules(borrow_rate_ann=0.0), FREE)
    assert run.equity.tolist() == [100_000, 100_000, 100_000, 0, 0, 0]
    assert [int(e[2]) for e in run.events] == [kernel.RUIN]


def test_planned_and_charged_costs_are_the_same_number(panel):
    """What the cost object says a trade costs is what the account pays for it."""
    costs, rules = Costs(commission_bps=7, half_spread_bps=3, per_share=0.02, minimum=4, impact=0.8), Rules()
    market = lay_out(panel, rules)
    run = simulate(market, once(panel, 30, [0.5, 0, 0]), rules, costs)
    trip = run.trips[0]
    scale = market.layers[kernel.IMPACT, 31, 0]
    planned = costs.charge(
        trip[kernel.TRIP_QUANTITY], trip[kernel.TRIP_ENTRY_PRICE], volatility=scale, dollar_volume=1.0
    )
    assert run.path[kernel.PATH_COSTS, 31] == pytest.approx(planned, rel=1e-12)
    value = trip[kernel.TRIP_QUANTITY] * trip[kernel.TRIP_ENTRY_PRICE]
    by_hand = max(4, 0.02 * trip[kernel.TRIP_QUANTITY] + 0.001 * value) + 0.8 * scale * value**1.5
    assert planned == pytest.approx(by_hand)


def test_impact_uses_volume_and_volatility_known_at_the_decision(panel):
    """The impact scale of a session does not change when that session or a later one does."""
    changed = make_panel()
    changed.close[30:] *= 3
    changed.volume[30:] *= 7
    before = lay_out(panel, Rules()).layers[kernel.IMPACT]
    after = lay_out(changed, Rules()).layers[kernel.IMPACT]
    assert np.array_equal(before[:31], after[:31])
    assert before[5:31].min() > 0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000), often=st.floats(0.05, 1.0), reinvest=st.booleans(), capital=st.sampled_from([300, 1e5])
)
def test_round_trips_add_up_to_the_account(seed, often, reinvest, capital):
    """Profit of all round trips, open ones at their mark, is the account's profit: no cent is lost between them."""
    panel = make_panel(50, 3, seed=seed, gaps=0.1)
    rng = np.random.default_rng(seed)
    weights = rng.choice([-0.3, 0.0, 0.3], panel.shape)
    targets = Targets(weights, (rng.random(panel.shape) < often).astype(np.uint8))
    whole = capital < 1000  # few enough shares for reverse splits to leave nothing
    rules = Rules(reinvest_dividends=reinvest, margin_rate_ann=0.0, capital=capital, whole_shares=whole)
    run = simulate(lay_out(panel, rules), targets, rules, Costs(minimum=capital / 1e5))
    assert run.trips[:, kernel.TRIP_PNL].sum() == pytest.approx(run.equity[-1] - rules.capital, abs=1e-6)


def test_a_round_trip_through_a_split_reads_in_the_shares_of_its_entry():
    """Entry and exit prices are as traded; quantity and profit account for the split between them."""
    panel = make_panel(8, 1, actions=False)
    panel.split[4, 0] = 2.0
    for grid in (panel.open, panel.close):
        grid[4:] /= 2
    wanted, decided = np.zeros((8, 1)), np.zeros((8, 1), dtype=np.uint8)
    wanted[0], decided[0], decided[5] = 1.0, 1, 1
    run = simulate(lay_out(panel, Rules()), Targets(wanted, decided), Rules(), FREE)
    trip = run.trips[0]
    shares = 100_000 / panel.open[1, 0]
    assert trip[kernel.TRIP_QUANTITY] == pytest.approx(shares)
    assert trip[kernel.TRIP_EXIT_PRICE] == pytest.approx(panel.open[6, 0])
    assert trip[kernel.TRIP_SPLIT] == 2.0
    assert trip[kernel.TRIP_PNL] == pytest.approx(shares * (2 * panel.open[6, 0] - panel.open[1, 0]))
    assert trip[kernel.TRIP_RETURN] == pytest.approx(2 * panel.open[6, 0] / panel.open[1, 0] - 1)


def test_a_turn_around_is_two_round_trips(panel):
    """Going from long to short closes one trip and opens the other, with the cost shared by size."""
    wanted, decided = np.zeros(panel.shape), np.zeros(panel.shape, dtype=np.uint8)
    wanted[0, 0], decided[0, 0], wanted[20, 0], decided[20, 0] = 0.5, 1, -0.25, 1
    run = simulate(lay_out(panel, Rules()), Targets(wanted, decided), Rules(), Costs())
    assert [math.copysign(1, t[kernel.TRIP_QUANTITY]) for t in run.trips] == [1.0, -1.0]
    assert run.trips[0, kernel.TRIP_EXIT] == run.trips[1, kernel.TRIP_ENTRY] == 21
    assert run.trips[:, kernel.TRIP_OPEN].tolist() == [0.0, 1.0]


def test_a_longer_history_changes_no_earlier_result():
    """Equity up to a session is the same whether the data end there or a year later, bit for bit."""
    panel = make_panel(300, 3, seed=9, gaps=0.05)
    cut = panel.until(panel.dates[180].item())
    rules, costs = Rules(participation=0.2), Costs(impact=1.0)
    rng = np.random.default_rng(0)
    weights = rng.uniform(-0.3, 0.3, panel.shape)
    whole = simulate(lay_out(panel, rules), always(weights), rules, costs)
    short = simulate(lay_out(cut, rules), always(weights[:181]), rules, costs)
    assert np.array_equal(whole.path[:, :181], short.path)


def test_scratch_buffers_change_nothing_and_grow_with_the_trips():
    """Reused buffers give the same result, also when a run has more round trips than they had room for."""
    panel = make_panel(1500, 4, seed=1)
    weights = np.where(np.random.default_rng(0).random(panel.shape) < 0.5, 0.2, 0.0)
    market, scratch = lay_out(panel, Rules()), Scratch()
    for _ in range(2):
        reused = simulate(market, always(weights), Rules(), Costs(), scratch=scratch)
    fresh = simulate(market, always(weights), Rules(), Costs())
    assert len(fresh.closed_trips) > 1100
    assert np.array_equal(reused.trips, fresh.trips)
    assert np.array_equal(reused.path, fresh.path)


def test_impossible_spans_and_shapes_are_refused(panel):
    """Less than two sessions, or targets of another panel, are an error in one sentence."""
    market, targets = lay_out(panel, Rules()), always(np.zeros(panel.shape))
    with pytest.raises(UsageError, match="two sessions"):
        simulate(market, targets, Rules(), Costs(), first=10, last=10)
    with pytest.raises(UsageError, match="shape"):
        simulate(market, always(np.zeros((5, 3))), Rules(), Costs())


@pytest.mark.parametrize(
    "build", [lambda: Rules(capital=0), lambda: Costs(commission_bps=-1), lambda: Rules(max_leverage=11)]
)
def test_impossible_rules_and_costs_are_refused(build):
    """Zero capital, negative costs and absurd leverage are errors."""
    with pytest.raises(ValueError, match=r"greater than|less than"):
        build()
