"""Prices of several symbols side by side: what a strategy looks at and the simulator trades on.

Prices are as traded, corporate actions are explicit. Series that span them are derived *forwards*: the growth of one
share bought in the first session, splits and reinvested dividends included. A value of session t then depends on rows
dated t or before to the last bit, where a back-adjusted price changes with every later dividend.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.foundation.errors import UsageError

__all__ = ["CASH_ACTIONS", "RATIO_ACTIONS", "PricePanel"]

Floats = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]

RATIO_ACTIONS = ("split", "spin_off")
"""Kinds whose value multiplies the shares held; a spun-off holding counts as reinvested in the parent."""
CASH_ACTIONS = ("dividend", "special_dividend")
_FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, eq=False)
class PricePanel:
    """Bars and corporate actions on one axis of sessions.

    Parameters
    ----------
    dates : datetime64[D] of shape (n_sessions,)
        Ascending: every session on which any symbol of the panel has a bar.
    symbols : tuple of str
        Of length n_symbols.
    open, high, low, close : ndarray of shape (n_sessions, n_symbols)
        As traded, in currency; NaN where the symbol has no bar.
    volume : ndarray of the same shape
        Shares as traded; NaN where unknown, 0 where nothing traded.
    dividend, split : ndarray of the same shape
        Cash per share with this ex-date (0 without one) and the ratio of new shares per old (1 without one), both
        effective before the session's open; a dividend is per new share.
    """

    dates: Dates
    symbols: tuple[str, ...]
    open: Floats = field(repr=False)
    high: Floats = field(repr=False)
    low: Floats = field(repr=False)
    close: Floats = field(repr=False)
    volume: Floats = field(repr=False)
    dividend: Floats = field(repr=False)
    split: Floats = field(repr=False)

    @classmethod
    def from_frames(
        cls, bars: pl.DataFrame, actions: pl.DataFrame | None = None, symbols: Sequence[str] | None = None
    ) -> PricePanel:
        """Build a panel from long tables.

        Parameters
        ----------
        bars : polars.DataFrame
            symbol, date, open, high, low, close, volume as traded; bars to be withheld must be left out.
        actions : polars.DataFrame, optional
            symbol, effective_date, kind (of ``RATIO_ACTIONS`` or ``CASH_ACTIONS``), value. One dated on a day that is
            no session of the panel takes effect in the next session.
        symbols : sequence of str, optional
            Which symbols, in this order; default all, sorted.

        Raises
        ------
        UsageError
            Naming symbols without a single bar.
        """
        present = sorted(bars["symbol"].unique().to_list())
        wanted = tuple(symbols) if symbols is not None else tuple(present)
        if missing := [symbol for symbol in wanted if symbol not in present]:
            raise UsageError(f"no price history for {', '.join(missing)}; choose from {', '.join(present) or 'none'}")
        bars = bars.filter(pl.col("symbol").is_in(wanted))
        events = _events(actions, wanted, bars)
        dates = np.unique(bars["date"].to_numpy().astype("datetime64[D]"))
        rows = np.searchsorted(dates, bars["date"].to_numpy().astype("datetime64[D]"))
        columns = _positions(bars["symbol"], wanted)
        grids = {}
        for name in _FIELDS:
            grid = np.full((len(dates), len(wanted)), np.nan)
            grid[rows, columns] = bars[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            grids[name] = grid
        dividend, split = _action_grids(events, wanted, dates)
        return cls(dates, wanted, dividend=dividend, split=split, **grids)

    @cached_property
    def has_bar(self) -> npt.NDArray[np.bool_]:
        """Where a symbol has a usable close, shape (n_sessions, n_symbols)."""
        return np.asarray(self.close > 0)

    @cached_property
    def mark(self) -> Floats:
        """Last known close in the shares of each session (divided by splits since); 0 before the first bar."""
        marks = np.empty_like(self.close)
        last = np.zeros(len(self.symbols))
        for t in range(len(self.dates)):
            last = np.where(self.has_bar[t], self.close[t], last / self.split[t])
            marks[t] = last
        return marks

    @cached_property
    def growth(self) -> Floats:
        """Shares that one share of the first session has become, dividends reinvested at the ex-date's close."""
        paid = np.divide(self.dividend, self.mark, out=np.zeros_like(self.mark), where=self.mark > 0)
        grown: Floats = np.cumprod(self.split * (1.0 + paid), axis=0, dtype=np.float64)
        return grown

    @cached_property
    def total_return_close(self) -> Floats:
        """Close times growth: what strategies compute signals on; NaN where there is no bar."""
        return self.close * self.growth

    @cached_property
    def total_return_open(self) -> Floats:
        """Open times growth, on the scale of ``total_return_close``."""
        return self.open * self.growth

    @property
    def shape(self) -> tuple[int, int]:
        """Sessions and symbols."""
        return self.close.shape[0], self.close.shape[1]

    def position(self, date: dt.date, *, side: str) -> int:
        """Row of the first session on or after ``date`` (side "start") or the last on or before it (side "end").

        Raises
        ------
        UsageError
            Where the panel has no session there, naming what it covers.
        """
        day = np.datetime64(date)
        start = side == "start"
        row = int(np.searchsorted(self.dates, day, side="left" if start else "right")) - (0 if start else 1)
        if not 0 <= row < len(self.dates):
            raise UsageError(
                f"{date} lies outside the price history, {self.dates[0]} to {self.dates[-1]}; choose dates inside it"
            )
        return row

    def until(self, date: dt.date) -> PricePanel:
        """The same panel without the sessions after ``date``: what was known at that close."""
        rows = int(np.searchsorted(self.dates, np.datetime64(date), side="right"))
        grids = {name: getattr(self, name)[:rows].copy() for name in (*_FIELDS, "dividend", "split")}
        return PricePanel(self.dates[:rows].copy(), self.symbols, **grids)

    def only(self, symbols: Sequence[str]) -> PricePanel:
        """The same sessions with some of the symbols."""
        unknown = [symbol for symbol in symbols if symbol not in self.symbols]
        if unknown:
            raise UsageError(f"no price history for {', '.join(unknown)}; choose from {', '.join(self.symbols)}")
        chosen = [self.symbols.index(symbol) for symbol in symbols]
        grids = {n: np.ascontiguousarray(getattr(self, n)[:, chosen]) for n in (*_FIELDS, "dividend", "split")}
        return PricePanel(self.dates, tuple(symbols), **grids)


def _positions(names: pl.Series, wanted: Sequence[str]) -> npt.NDArray[np.intp]:
    order = pl.DataFrame({"symbol": list(wanted), "position": range(len(wanted))})
    found = names.to_frame("symbol").join(order, on="symbol", how="left", maintain_order="left")
    return found["position"].to_numpy().astype(np.intp)


def _events(actions: pl.DataFrame | None, wanted: Sequence[str], bars: pl.DataFrame) -> pl.DataFrame:
    """Actions of the wanted symbols inside the span of the bars."""
    if actions is None or bars.is_empty():
        schema = {"symbol": pl.String, "effective_date": pl.Date, "kind": pl.String, "value": pl.Float64}
        return pl.DataFrame(schema=schema)
    return actions.filter(
        pl.col("symbol").is_in(wanted), pl.col("effective_date").is_between(bars["date"].min(), bars["date"].max())
    )


def _action_grids(events: pl.DataFrame, wanted: Sequence[str], dates: Dates) -> tuple[Floats, Floats]:
    dividend, split = np.zeros((len(dates), len(wanted))), np.ones((len(dates), len(wanted)))
    # By date, ratios first: days without a session fall together on the next one, and a dividend paid before a split
    # is worth less per new share.
    events = events.sort("effective_date", ~pl.col("kind").is_in(RATIO_ACTIONS), maintain_order=True)
    rows = np.searchsorted(dates, events["effective_date"].to_numpy().astype("datetime64[D]"))
    columns = _positions(events["symbol"], wanted)
    for row, column, kind, value in zip(rows, columns, events["kind"], events["value"], strict=True):
        if kind in RATIO_ACTIONS:
            split[row, column] *= value
            dividend[row, column] /= value
        elif kind in CASH_ACTIONS:
            dividend[row, column] += value
        else:
            known = ", ".join((*RATIO_ACTIONS, *CASH_ACTIONS))
            raise UsageError(f"corporate action of unknown kind {kind!r}; the known kinds are {known}")
    return dividend, split
