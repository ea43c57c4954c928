import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.forecasts.holdings import Positions, read_holdings
from quant_assets.foundation.errors import ConfigurationError
from quant_assets.settings import Portfolio
from tests.support.forecast_market import shares, weights


def test_shares_are_valued_at_the_price_and_cash_is_added():
    """Positions are shares times price; a negative number of shares is a short position."""
    positions = shares(cash=1_000, IBM=10, AAPL=-5).at(np.array([100.0, 40.0]))
    assert positions.values.tolist() == [1_000.0, -200.0]
    assert positions.value == 1_800.0
    assert positions.base == 2_200.0
    assert not positions.is_long_only


def test_shares_that_miss_a_split_are_worth_less_without_a_word():
    """After 2 for 1 every close halves: the old number is worth half, the doubled one as much as before."""
    before, after = np.array([100.0, 40.0]), np.array([50.0, 40.0])
    old, new = shares(IBM=10, AAPL=5), shares(IBM=20, AAPL=5)
    assert old.at(after).values[0] == 0.5 * old.at(before).values[0]
    assert new.at(after) == Positions(pytest.approx(old.at(before).values), 0.0)
    assert new.portfolio_id != old.portfolio_id
    assert weights(IBM=0.6, AAPL=0.4).at(after).value == weights(IBM=0.6, AAPL=0.4).at(before).value


def test_weights_have_the_stated_value_at_any_price():
    """Weights are set anew at every origin, and what they leave is cash."""
    holdings = weights(IBM=0.5, AAPL=0.3)
    for price in (1.0, 500.0):
        positions = holdings.at(np.array([price, 2 * price]))
        assert positions.values.tolist() == [50_000.0, 30_000.0]
        assert positions.cash == pytest.approx(20_000.0)


def test_absent_holdings_hand_their_weight_to_the_others():
    """A holding that is too young gives its weight away in proportion; its shares are just not there."""
    present = np.array([True, False])
    assert weights(IBM=0.5, AAPL=0.3).at(np.array([1.0, np.nan]), present).values.tolist() == [80_000.0, 0.0]
    assert shares(cash=5, IBM=2, AAPL=1).at(np.array([10.0, np.nan]), present) == Positions(
        pytest.approx([20.0, 0.0]), 5.0
    )


def test_rounded_weights_are_no_debt():
    """Three times 0.333334 leaves no negative cash behind, so the portfolio stays long only."""
    positions = weights(A=0.333334, B=0.333333, C=0.333333).at(np.ones(3))
    assert positions.cash == 0
    assert positions.is_long_only


@pytest.mark.parametrize(
    ("portfolio", "words"),
    [
        (Portfolio(cash=100, shares={}), "holds nothing"),
        (Portfolio(cash=100, shares={"IBM": 0}), "holds nothing"),
        (Portfolio(cash=0, shares={"IBM": math.nan}), "nan of IBM"),
        (Portfolio(cash=math.inf, shares={"IBM": 1}), "cash is inf"),
        (Portfolio(value=100, weights={"IBM": 0.8, "AAPL": 0.4}), "sum to 1.2"),
        (Portfolio(value=100, weights={"IBM": -1.5}), "sum to -1.5"),
    ],
)
def test_a_portfolio_that_cannot_be_meant_is_refused(portfolio, words):
    """The message is one sentence that names what is wrong."""
    with pytest.raises(ConfigurationError, match=words):
        read_holdings(portfolio)


def test_the_identity_follows_the_holdings_not_their_order():
    """The same holdings in another order, or another value behind the same weights, keep their record."""
    assert weights(A=0.5, B=0.2).portfolio_id == weights(B=0.2, A=0.5).portfolio_id
    doubled = read_holdings(Portfolio(value=200_000, weights={"A": 0.5, "B": 0.2}))
    assert doubled.portfolio_id == weights(A=0.5, B=0.2).portfolio_id
    others = {
        weights(A=0.5, B=0.3).portfolio_id,
        shares(A=0.5, B=0.2).portfolio_id,
        shares(1.0, A=0.5, B=0.2).portfolio_id,
    }
    assert len(others | {weights(A=0.5, B=0.2).portfolio_id}) == 4


@given(
    amounts=st.lists(st.floats(-100, 100).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=6),
    price=st.floats(0.01, 1_000),
    cash=st.floats(-1e5, 1e5),
)
def test_the_base_bounds_the_value(amounts, price, cash):
    """The base is positive and never smaller than the value's size."""
    named = {f"S{i}": amount for i, amount in enumerate(amounts)}
    positions = shares(cash, **named).at(np.full(len(amounts), price))
    assert positions.base > 0
    assert abs(positions.value) <= positions.base * (1 + 1e-12)
