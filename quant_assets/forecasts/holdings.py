"""What the portfolio holds: read from the universe file, and valued on a session's prices.

Two forms, as in the universe file. With *shares*, the same shares are held on every date, so weights drift. With
*weights*, the portfolio has the same value and weights on every date at which a forecast is made, and is then held
unchanged over the horizon. A negative amount is a short position.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass

import numpy as np

from quant_assets.forecasts.parameters import Bools, Floats
from quant_assets.foundation.errors import ConfigurationError
from quant_assets.settings import Portfolio

__all__ = ["Holdings", "Positions", "read_holdings"]

_ROUNDING = 1e-6
"""Weights such as three times 0.333333 may miss or pass 1 by this much."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Money in each holding at one session, and cash.

    Parameters
    ----------
    values : Floats
        Shape (n_symbols,), in currency; negative is short, 0 is not held on that session.
    cash : float
        In currency; negative is borrowed.
    """

    values: Floats
    cash: float

    @property
    def value(self) -> float:
        """What the portfolio is worth; may be negative with short positions or borrowed cash."""
        return float(self.values.sum() + self.cash)

    @property
    def base(self) -> float:
        """Absolute positions plus absolute cash: the value where nothing is short or borrowed.

        Changes are measured in it, since it never crosses zero.
        """
        return float(np.abs(self.values).sum() + abs(self.cash))

    @property
    def is_long_only(self) -> bool:
        """Whether the portfolio cannot lose more than it is worth."""
        return bool((self.values >= 0).all() and self.cash >= 0)


@dataclass(frozen=True, slots=True)
class Holdings:
    """The portfolio of the universe file.

    Parameters
    ----------
    symbols : tuple of str
    amounts : Floats
        Shape (n_symbols,): shares, or weights as fractions of the value.
    cash : float
        With shares: cash in currency. With weights: 0, the rest is cash.
    value : float
        With weights: the portfolio's value in currency; 0 with shares.
    """

    symbols: tuple[str, ...]
    amounts: Floats
    cash: float
    value: float

    @property
    def are_weights(self) -> bool:
        """Whether ``amounts`` are weights."""
        return self.value > 0

    @property
    def portfolio_id(self) -> str:
        """Twelve hexadecimal digits that change when the holdings do (not with the value behind weights)."""
        amounts = dict(sorted(zip(self.symbols, self.amounts.tolist(), strict=True)))
        text = json.dumps({"weights": amounts} if self.are_weights else {"shares": amounts, "cash": self.cash})
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def at(self, prices: Floats, included: Bools | None = None) -> Positions:
        """Positions on a session.

        Parameters
        ----------
        prices : Floats
            Shape (n_symbols,): adjusted closes of the session; ignored where not included. On a past session they hold
            the dividends paid since, and so do the positions of shares.
        included : Bools, optional
            Shape (n_symbols,): holdings that take part. The weights of the others go to those that do, in proportion;
            the shares of the others are not there.
        """
        taken = np.ones(len(self.symbols), dtype=np.bool_) if included is None else included
        if not self.are_weights:
            return Positions(np.where(taken, self.amounts * prices, 0.0), self.cash)
        weights = np.where(taken, self.amounts, 0.0)
        gross = float(np.abs(weights).sum())
        if gross > 0:
            weights = weights * (float(np.abs(self.amounts).sum()) / gross)
        values = weights * self.value
        cash = self.value - float(values.sum())
        # Rounded weights that miss 1 are no debt of five cents.
        return Positions(values, cash if abs(cash) > _ROUNDING * self.value else 0.0)


def read_holdings(portfolio: Portfolio) -> Holdings:
    """Check the portfolio and turn it into arrays.

    Raises
    ------
    ConfigurationError
        Where nothing is held, an amount is not a number, or the weights sum to more than 1 or less than -1.
    """
    named = portfolio.shares if portfolio.shares is not None else (portfolio.weights or {})
    for symbol, amount in named.items():
        if not math.isfinite(amount):
            raise ConfigurationError(f"the portfolio holds {amount} of {symbol}; write a number in the universe file.")
    amounts = np.array(list(named.values()), dtype=np.float64)
    if not np.any(amounts):
        raise ConfigurationError(
            "the portfolio of the universe file holds nothing; list at least one symbol with an amount other than "
            "zero, or remove the portfolio."
        )
    cash = portfolio.cash or 0.0
    if not math.isfinite(cash):
        raise ConfigurationError(f"the portfolio's cash is {cash}; write a number in the universe file.")
    total = float(amounts.sum())
    if portfolio.weights is not None and not -1 - _ROUNDING <= total <= 1 + _ROUNDING:
        raise ConfigurationError(
            f"the portfolio's weights sum to {total:g}; they may sum to at most 1 (the rest is cash). "
            "Lower them, or state borrowed money as negative cash beside shares."
        )
    return Holdings(tuple(named), amounts, cash, portfolio.value or 0.0)
