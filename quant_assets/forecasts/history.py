"""Adjusted closes of the holdings on the exchange's sessions, and the returns that were known at a session.

Two rules make the matrix complete. A session without a bar (a gap, a bar withheld by the quality room yesterday)
keeps the last close, so the holding is valued at the last price that can be trusted and the move is booked on the
session when the next bar arrives. Before a symbol's first bar, its returns are filled in from the other holdings
(:mod:`quant_assets.forecasts.short_histories`), so that a young holding is never dropped.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.forecasts.parameters import Bools, Floats
from quant_assets.forecasts.short_histories import complete_returns
from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.errors import DataError

__all__ = ["PriceHistory", "price_history"]


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """Adjusted closes by session and symbol.

    Parameters
    ----------
    symbols : tuple of str
    prices : Floats
        Shape (n_sessions, n_symbols): last known adjusted close; NaN before a symbol's first bar.
    first_bar, last_bar : ndarray of int
        Shape (n_symbols,): row of a symbol's first and newest bar.
    first_session : int
        Number of row 0 among ``exchange_sessions``.
    exchange_sessions : ndarray of datetime64[D]
        Every session of the exchange, also the ones to come.
    """

    symbols: tuple[str, ...]
    prices: Floats
    first_bar: npt.NDArray[np.int64]
    last_bar: npt.NDArray[np.int64]
    first_session: int
    exchange_sessions: npt.NDArray[np.datetime64]

    def __len__(self) -> int:
        return len(self.prices)

    @property
    def sessions(self) -> npt.NDArray[np.datetime64]:
        """Date of each row."""
        return self.exchange_sessions[self.first_session : self.first_session + len(self)]

    def date(self, row: int) -> dt.date:
        """Session of a row; rows past the last one are sessions to come."""
        session: dt.date = self.exchange_sessions[self.first_session + row].item()
        return session

    def days_ahead(self, row: int, horizon: int) -> Floats:
        """Calendar days from a row's session to each of the next ``horizon`` sessions."""
        start = self.first_session + row
        ahead = self.exchange_sessions[start + 1 : start + horizon + 1] - self.exchange_sessions[start]
        return np.asarray(ahead, dtype=np.float64)

    def until(self, row: int) -> PriceHistory:
        """The history as it stood at the close of a row."""
        return PriceHistory(
            self.symbols,
            self.prices[: row + 1],
            self.first_bar,
            np.minimum(self.last_bar, row),
            self.first_session,
            self.exchange_sessions,
        )

    def known_returns(self, row: int, *, window: int, included: Bools, seed: int) -> Floats:
        """Log returns per session known at the close of ``row``, oldest first, without NaN.

        Parameters
        ----------
        row : int
        window : int
            Newest returns at most.
        included : Bools
            Shape (n_symbols,): the holdings wanted; each has a bar at ``row`` or before.
        seed : int
            For the residuals drawn where a symbol is younger than the oldest holding.

        Returns
        -------
        Floats
            Shape (n_returns, n_included); the first return belongs to the session after the oldest holding's first bar.
        """
        chosen = np.flatnonzero(included)
        start = max(int(self.first_bar[chosen].min()), row - window)
        returns = np.diff(np.log(self.prices[start : row + 1, chosen]), axis=0)
        if np.isnan(returns).any():
            return complete_returns(returns, [self.symbols[i] for i in chosen], seed=seed)
        return returns


def price_history(
    prices: pl.DataFrame, symbols: Sequence[str], calendar: TradingCalendar, as_of: dt.date
) -> PriceHistory:
    """Align adjusted closes to the exchange's sessions up to ``as_of``.

    Parameters
    ----------
    prices : polars.DataFrame
        symbol, date, close (adjusted, currency); any order; other symbols and later rows are ignored.
    symbols : sequence of str
        The holdings.
    calendar : TradingCalendar
    as_of : date
        Session of the forecast; nothing later is read.

    Raises
    ------
    DataError
        Where a holding has no bar by ``as_of``, or a close that is not a positive number.
    """
    known = prices.filter(pl.col("symbol").is_in(list(symbols)), pl.col("date") <= as_of).select(
        "symbol", "date", "close"
    )
    bad = known.filter(pl.col("close").is_null() | ~pl.col("close").is_finite() | (pl.col("close") <= 0))
    if bad.height:
        symbol, date, close = bad.row(0)
        raise DataError(f"the adjusted close of {symbol} on {date} is {close}; correct or quarantine that bar.")
    sessions = calendar.sessions
    end = int(np.searchsorted(sessions, np.datetime64(as_of, "D"), side="right"))
    dates = known["date"].to_numpy().astype("datetime64[D]")
    row = np.searchsorted(sessions[:end], dates)
    on_session = sessions[np.minimum(row, end - 1)] == dates
    first = int(row[on_session].min()) if on_session.any() else end
    places = dict(zip(symbols, range(len(symbols)), strict=True))
    column = known["symbol"].replace_strict(places, return_dtype=pl.Int64).to_numpy()
    matrix = np.full((end - first, len(symbols)), np.nan)
    matrix[row[on_session] - first, column[on_session]] = known["close"].to_numpy()[on_session]
    has_bar = np.isfinite(matrix)
    if not has_bar.any(axis=0).all():
        missing = symbols[int(has_bar.any(axis=0).argmin())]
        raise DataError(
            f"the portfolio holds {missing}, which has no price up to {as_of}; fetch it, correct the symbol in the "
            "universe file, or take it out of the portfolio."
        )
    # Row of the newest bar so far; before the first one it is row 0, which holds NaN there.
    newest = np.maximum.accumulate(np.where(has_bar, np.arange(len(matrix))[:, None], 0), axis=0)
    return PriceHistory(
        tuple(symbols),
        np.take_along_axis(matrix, newest, axis=0),
        has_bar.argmax(axis=0).astype(np.int64),
        newest[-1].astype(np.int64),
        first,
        sessions,
    )
