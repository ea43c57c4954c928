"""One symbol of the synthetic market, from its return path to what the vendor would show of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.replay.history import (
    DIVIDENDS_SCHEMA,
    RESTATEMENTS_SCHEMA,
    SPLITS_SCHEMA,
    Listing,
    SymbolFrames,
)
from quant_assets.replay.synthetic.anomalies import AnomalyKind, distort
from quant_assets.replay.synthetic.bars import bar_matrix, intraday_draws, volume_path
from quant_assets.replay.synthetic.parameters import EventRates
from quant_assets.replay.synthetic.paths import MarketPath, SymbolPath
from quant_assets.replay.synthetic.quarters import Plan, plan_events, unlisted_splits
from quant_assets.replay.synthetic.streams import MARKET

__all__ = ["SimulatedSymbol", "simulate_market_index", "simulate_symbol"]

Floats = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]

_PRICE_COLUMNS = ("open", "high", "low", "close")
_MARKET_START = 1000.0
_SPLIT_OVER, _REVERSE_UNDER = 100.0, 5.0
_SPLIT_FACTORS = (2.0, 2.0, 2.0, 3.0, 1.5, 4.0)
_REVERSE_FACTORS = (0.2, 0.1)
_LARGE_SPLIT_OVER, _LARGE_SPLIT = 500.0, 10.0
_LOWEST_MISSED = 8.0
"""A missed split at a lower price is a reverse split."""


@dataclass(frozen=True, slots=True)
class SimulatedSymbol:
    """What is served of a symbol, and the truth behind it.

    ``actions`` holds (date, kind, value, is_listed), ``anomalies`` (first date, last date, kind, magnitude), ``halts``
    (first date, last date). ``dates``, ``true_matrix`` and ``log_returns`` cover every session from listing to
    delisting; read them through :attr:`true_bars` and :attr:`total_log_returns`.
    """

    frames: SymbolFrames
    listing: Listing
    dates: Dates
    true_matrix: Floats
    log_returns: Floats
    actions: list[tuple[dt.date, str, float, bool]]
    anomalies: list[tuple[dt.date, dt.date, str, float]]
    halts: list[tuple[dt.date, dt.date]]

    @property
    def true_bars(self) -> pl.DataFrame:
        """Every session from listing to delisting (``BARS_SCHEMA``), before anomalies, halts and holes.

        Splits and dividends are in it, listed or not.
        """
        return _frame(self.dates, self.true_matrix)

    @property
    def total_log_returns(self) -> pl.DataFrame:
        """True total return of the same sessions: columns ``date`` and ``log_return``."""
        return pl.DataFrame({"date": self.dates, "log_return": self.log_returns})


def simulate_market_index(name: str, market: MarketPath, seed: int, dates: Dates) -> SimulatedSymbol:
    """The market itself as a symbol: an index without events, starting at 1000."""
    close = _MARKET_START * np.exp(np.cumsum(market.log_returns))
    volume = volume_path(market.log_returns, market.volatilities, seed, MARKET)
    draws = intraday_draws(seed, MARKET, len(dates))
    matrix = bar_matrix(
        close=close, log_returns=market.log_returns, volatilities=market.volatilities, volume=volume, draws=draws
    )
    listing = Listing(name, "Synthetic market index", asset_type="Index", listed_on=dates[0].item())
    frames = SymbolFrames(_frame(dates, matrix))
    return SimulatedSymbol(frames, listing, dates, matrix, market.log_returns, [], [], [])


def simulate_symbol(
    name: str, path: SymbolPath, rates: EventRates, *, seed: int, number: int, dates: Dates
) -> SimulatedSymbol:
    """One symbol with everything that happens to it.

    Parameters
    ----------
    name : str
    path : SymbolPath
    rates : EventRates
    seed, number : int
        Seed of the market and number of the symbol, from 1.
    dates : array of datetime64[D]
        Sessions; as many as the path has.
    """
    plan = plan_events(rates, seed, number, len(dates))
    alive = slice(min(plan.listed, len(dates)), min(plan.delisted, len(dates)))
    quarterly_yield = rates.dividend_yield_ann / 4
    paid = np.zeros(len(dates), dtype=bool)
    paid[plan.dividends[plan.dividends < len(dates)]] = True
    unsplit = path.first_price * np.exp(np.cumsum(path.log_returns + np.where(paid, np.log1p(-quarterly_yield), 0.0)))
    splits = _splits(plan, unsplit)
    ratio = np.ones(len(dates))
    for position, factor, _ in splits:
        ratio[position] *= factor
    shares = np.cumprod(ratio)
    close = unsplit / shares
    volume = volume_path(path.log_returns, path.volatilities, seed, number) * shares
    draws = intraday_draws(seed, number, len(dates))
    matrix = bar_matrix(
        close=close, log_returns=path.log_returns, volatilities=path.volatilities, volume=volume, draws=draws
    )
    # The drop on the ex-date is the dividend: close times y / (1 - y), to the hundredth of a cent.
    amounts = np.where(paid, np.round(matrix[:, 3] * quarterly_yield / (1 - quarterly_yield), 4), 0.0)
    actions = _actions(dates, amounts, splits, alive)
    served = matrix.copy()
    present = np.zeros(len(dates), dtype=bool)
    present[alive] = True
    anomalies = _distort_all(plan, splits, served=served, present=present, dates=dates)
    halts = _halt_all(plan, present, dates)
    frames = SymbolFrames(
        _frame(dates[present], served[present]),
        _listed_splits(actions),
        _dividends(actions),
        _restatements(plan, served, present, dates),
    )
    span = dates[alive]
    listing = Listing(
        name,
        f"Synthetic company {number - 1}",
        listed_on=span[0].item() if len(span) else None,
        delisted_on=span[-1].item() if len(span) and plan.delisted < len(dates) else None,
    )
    return SimulatedSymbol(frames, listing, span, matrix[alive], path.log_returns[alive], actions, anomalies, halts)


def _frame(dates: Dates, matrix: Floats) -> pl.DataFrame:
    columns = {name: np.ascontiguousarray(matrix[:, position]) for position, name in enumerate(_PRICE_COLUMNS)}
    return pl.DataFrame({"date": dates, **columns, "volume": matrix[:, 4].astype(np.int64)})


def _splits(plan: Plan, unsplit: Floats) -> list[tuple[int, float, bool]]:
    """Position, factor and whether it is listed, in time order; each depends on the price the day before."""
    wanted = [(position, draw, True) for position, draw in plan.reviews]
    wanted += [(position, factor, False) for position, factor in unlisted_splits(plan)]
    shares, found = 1.0, []
    for position, draw, is_listed in sorted(wanted):
        if not 0 < position < len(unsplit):
            continue
        price = float(unsplit[position - 1]) / shares
        factor = _listed_factor(price, draw) if is_listed else _missed_factor(price, draw)
        if factor is not None:
            shares *= factor
            found.append((position, factor, is_listed))
    return found


def _listed_factor(price: float, draw: float) -> float | None:
    if price > _LARGE_SPLIT_OVER:
        return _LARGE_SPLIT
    if price > _SPLIT_OVER:
        return _SPLIT_FACTORS[int(draw * len(_SPLIT_FACTORS))]
    return _REVERSE_FACTORS[int(draw * len(_REVERSE_FACTORS))] if price < _REVERSE_UNDER else None


def _missed_factor(price: float, factor: float) -> float:
    return factor if price >= _LOWEST_MISSED else _REVERSE_FACTORS[0]


def _actions(
    dates: Dates, amounts: Floats, splits: list[tuple[int, float, bool]], alive: slice
) -> list[tuple[dt.date, str, float, bool]]:
    lived = range(alive.start + 1, alive.stop)
    actions = [
        (dates[position].item(), "split", factor, is_listed)
        for position, factor, is_listed in splits
        if position in lived
    ]
    actions += [
        (dates[position].item(), "dividend", float(amounts[position]), True)
        for position in np.flatnonzero(amounts).tolist()
        if position in lived
    ]
    return sorted(actions)


def _listed_splits(actions: list[tuple[dt.date, str, float, bool]]) -> pl.DataFrame:
    rows = [(date, value) for date, kind, value, is_listed in actions if kind == "split" and is_listed]
    return pl.DataFrame(rows, schema=SPLITS_SCHEMA, orient="row")


def _dividends(actions: list[tuple[dt.date, str, float, bool]]) -> pl.DataFrame:
    rows = [(date, value) for date, kind, value, _ in actions if kind == "dividend"]
    return pl.DataFrame(rows, schema=DIVIDENDS_SCHEMA, orient="row")


def _distort_all(
    plan: Plan,
    splits: list[tuple[int, float, bool]],
    *,
    served: Floats,
    present: npt.NDArray[np.bool_],
    dates: Dates,
) -> list[tuple[dt.date, dt.date, str, float]]:
    missed = {position: factor for position, factor, is_listed in splits if not is_listed}
    truth = []
    for start, distortion in plan.anomalies:
        if start >= len(dates):
            continue
        magnitude = distortion.magnitude
        if distortion.kind is AnomalyKind.MISSED_SPLIT:
            magnitude = missed[start]  # in the prices already
        else:
            distort(served, present, start, distortion)
        last = min(start + distortion.sessions, len(dates)) - 1
        truth.append((dates[start].item(), dates[last].item(), str(distortion.kind), magnitude))
    return truth


def _halt_all(plan: Plan, present: npt.NDArray[np.bool_], dates: Dates) -> list[tuple[dt.date, dt.date]]:
    truth = []
    for start, length in plan.halts:
        if not plan.listed < start < min(plan.delisted - length, len(dates)):
            continue
        present[start : start + length] = False
        truth.append((dates[start].item(), dates[min(start + length, len(dates)) - 1].item()))
    return truth


def _restatements(plan: Plan, served: Floats, present: npt.NDArray[np.bool_], dates: Dates) -> pl.DataFrame:
    """Bars that were first served with another close (within their range) or less volume."""
    rows = []
    for position, draw, size in plan.restatements:
        if position >= len(dates) or not present[position]:
            continue
        _, high, low, close, volume = served[position].tolist()
        field, earlier, value = "volume", float(round(volume * (0.6 + 0.3 * size))), volume
        if draw < 0.5:
            field, earlier, value = "close", round(low + (high - low) * size, 2 if low >= 1 else 4), close
        if earlier != value:
            date = dates[position].item()
            rows.append((date, field, earlier, date + dt.timedelta(days=5 + int(25 * size))))
    return pl.DataFrame(rows, schema=RESTATEMENTS_SCHEMA, orient="row")
