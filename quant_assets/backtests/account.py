"""The account one session at a time, for whoever decides session by session (an RL environment, a live loop)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quant_assets.backtests import kernel
from quant_assets.backtests.market import Market
from quant_assets.foundation.errors import UsageError

__all__ = ["Account", "open_account", "step"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """State of an account after the close of session ``position``; a value, never changed.

    ``book`` and ``ledger`` are what the compiled step works on; the properties are for people.
    """

    position: int
    book: Floats = field(repr=False)
    ledger: Floats = field(repr=False)

    @property
    def equity(self) -> float:
        """Cash and positions at the session's marks."""
        return float(self.ledger[kernel.EQUITY])

    @property
    def cash(self) -> float:
        """Cash, negative where it is borrowed."""
        return float(self.ledger[kernel.CASH])

    @property
    def shares(self) -> Floats:
        """Shares held, shape (n_symbols,), negative where short."""
        return np.array(self.book[kernel.SHARES])

    @property
    def costs(self) -> float:
        """Trading costs of the session."""
        return float(self.ledger[kernel.COSTS])

    @property
    def is_ruined(self) -> bool:
        """Whether equity has been lost; nothing trades any more."""
        return bool(self.ledger[kernel.RUINED])


def open_account(symbols: int, capital: float, *, position: int = 0) -> Account:
    """An account with cash only, just before session ``position``."""
    book = np.zeros((kernel.BOOK_FIELDS, symbols))
    ledger = np.zeros(kernel.LEDGER_FIELDS)
    ledger[kernel.CASH] = ledger[kernel.EQUITY] = capital
    return Account(position - 1, book, ledger)


def step(account: Account, market: Market, target: Floats, terms: Floats) -> Account:
    """The account after the next session, in which ``target`` was decided at the close.

    Parameters
    ----------
    account : Account
        Left as it is.
    market : Market
        Of which only the next session and the marks before it are read.
    target : ndarray of shape (n_symbols,)
        Weights decided at the close of that session; NaN leaves a symbol alone.
    terms : ndarray
        From :meth:`quant_assets.backtests.rules.Rules.terms`.

    Raises
    ------
    UsageError
        After the last session of the market.
    """
    t = account.position + 1
    if t >= market.panel.shape[0]:
        raise UsageError("the price history ends here; there is no further session to step to")
    book, ledger = account.book.copy(), account.ledger.copy()
    decided = (~np.isnan(target)).astype(np.uint8)[None, :]
    weights = np.nan_to_num(target)[None, :]
    nothing, path = np.zeros((0, kernel.TRIP_FIELDS)), np.empty((kernel.PATH_FIELDS, 1))
    kernel.advance(
        t, t, market.layers, market.clock, weights, decided, terms, book, ledger, nothing, np.zeros((0, 4)), path
    )
    return Account(t, book, ledger)
