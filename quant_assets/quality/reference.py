"""One symbol's bars as arrays, and a bar's move against any earlier bar: what the gate decides on.

The bar before is not always what a bar should be compared with: after a withheld bar it is the last accepted one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["LEAST_SLACK", "NEAR", "Move", "SymbolBars"]

NEAR = 4.0
"""Volatilities within which a price has returned to a level, or still holds one; 0.3 % of packaged days move more."""
LEAST_SLACK = 0.05
"""Log slack of the same where a symbol has too little history for a volatility."""
_FIRST_VOLATILITY = 0.02
"""Volatility taken for such a symbol to pick out moves worth a look."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Move:
    """A bar's move since a reference bar.

    Parameters
    ----------
    log_return : float
        Adjusted for recorded corporate actions.
    raw_log_return : float
        As traded.
    action_log : float
        Log factor of the corporate actions between: ``log_return - raw_log_return``.
    scale : float
        Volatility over the sessions between, times the turbulence of the session; NaN with too little history.
    score : float
        Surprise in units of ``scale``, less what the market explains; NaN where the scale is.
    """

    log_return: float
    raw_log_return: float
    action_log: float
    scale: float
    score: float

    @property
    def score_size(self) -> float:
        """Absolute score."""
        return abs(self.score)


@dataclass(frozen=True, slots=True)
class SymbolBars:
    """Bars of one symbol with their measures, oldest first; index i is a row.

    Arrays of shape (n_bars,); NaN where a measure is missing.
    """

    symbol: str
    dates: list[dt.date]
    close: FloatArray
    log_close: FloatArray
    action_log: FloatArray
    session_number: FloatArray
    volatility_1d: FloatArray
    turbulence: FloatArray
    market_cumulated: FloatArray
    expected_cumulated: FloatArray
    volume_log_ratio: FloatArray
    volume_scale: FloatArray
    volume_zscore: FloatArray
    range_zscore: FloatArray
    has_split: npt.NDArray[np.bool_]
    is_stale: npt.NDArray[np.bool_]

    @classmethod
    def from_frame(cls, symbol: str, bars: pl.DataFrame) -> SymbolBars:
        """Take the rows of one symbol, sorted by date.

        Parameters
        ----------
        symbol : str
        bars : pl.DataFrame
            date, close, price_factor, session_number, expected_step (null counts as 0), has_split, is_stale
            (a withheld repeat of earlier bars) and the measures.
        """

        def column(name: str) -> FloatArray:
            return bars[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()

        sessions_since = np.nan_to_num(column("sessions_since"), nan=1.0)
        close, factor = column("close"), column("price_factor")
        return cls(
            symbol=symbol,
            dates=bars["date"].to_list(),
            close=close,
            log_close=np.log(close * factor),
            action_log=np.log(factor),
            session_number=column("session_number"),
            volatility_1d=column("volatility_1d"),
            turbulence=column("turbulence"),
            # In volatilities of one session; a symbol's own volatility turns it back into a return.
            market_cumulated=np.cumsum(np.nan_to_num(column("market_zscore")) * np.sqrt(sessions_since)),
            expected_cumulated=np.cumsum(np.nan_to_num(column("expected_step")) * sessions_since),
            volume_log_ratio=column("volume_log_ratio"),
            volume_scale=column("volume_scale"),
            volume_zscore=column("volume_zscore"),
            range_zscore=column("range_zscore"),
            has_split=bars["has_split"].to_numpy(),
            is_stale=bars["is_stale"].to_numpy(),
        )

    def move(self, row: int, reference: int) -> Move:
        """Move of bar ``row`` since bar ``reference``, in the units of bar ``row``."""
        log_return = self.log_close[row] - self.log_close[reference]
        action = self.action_log[row] - self.action_log[reference]
        sessions = max(1.0, self.session_number[row] - self.session_number[reference])
        scale = self.volatility_1d[row] * np.sqrt(sessions) * self.turbulence[row]
        surprise = log_return - (self.expected_cumulated[row] - self.expected_cumulated[reference])
        market = (self.market_cumulated[row] - self.market_cumulated[reference]) * self.volatility_1d[row]
        if market * surprise > 0:
            surprise = np.sign(surprise) * max(0.0, abs(surprise) - abs(market))
        return Move(float(log_return), float(log_return - action), float(action), float(scale), float(surprise / scale))

    def suspects(self) -> npt.NDArray[np.bool_]:
        """Bars whose move since the bar before is worth a look: large, or with a corporate action."""
        moves = np.abs(np.diff(self.log_close, prepend=self.log_close[:1]))
        actions = np.abs(np.diff(self.action_log, prepend=self.action_log[:1]))
        found: npt.NDArray[np.bool_] = (moves > NEAR * np.nan_to_num(self.volatility_1d, nan=_FIRST_VOLATILITY)) | (
            actions > 0.1
        )
        return found

    def is_near(self, row: int, level_row: int, slack: float = 0.0) -> bool:
        """Whether bar ``row`` is at the level of another, within what the sessions between explain, or ``slack``."""
        move = self.move(row, level_row)
        if not np.isfinite(move.scale):
            return abs(move.log_return) <= max(slack, LEAST_SLACK)
        return move.score_size <= NEAR or abs(move.log_return) <= slack

    def is_nearer(self, row: int, level_row: int, other_row: int) -> bool:
        """Whether bar ``row`` is nearer to the level of one bar than to that of another."""
        return abs(self.move(row, level_row).log_return) < abs(self.move(row, other_row).log_return)
