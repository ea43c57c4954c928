"""Every measure of a finished run in one compiled pass.

The plain functions beside this module are the definitions; this module gives the same numbers (tested) about forty
times faster, which is what lets a search compute all of them for every variant instead of a chosen few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numba
import numpy as np

from quant_assets.foundation.performance.growth import FLAT_VOLATILITY, Floats
from quant_assets.foundation.performance.periods import SESSIONS_PER_YEAR, rate_per_session
from quant_assets.foundation.performance.tail_pass import measure_tails

__all__ = ["MEASURE_NAMES", "Measures", "measure_run", "measure_run_into"]

_REORDER = {"reassoc", "nsz", "contract"}
"""Lets sums run in vector registers; NaN and infinity keep their meaning. Accounts are never compiled like this."""
_FLAT = FLAT_VOLATILITY
_SESSIONS = float(SESSIONS_PER_YEAR)
_SLACK = 1e-12
"""Wider than the rounding of a product, so that no fall is missed before its quotient is taken."""
_NO_FLOATS: Floats = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Measures:
    """Measures of one run; fractions, annualised where the name says ``ann``; NaN is "undefined".

    ``max_drawdown`` is 0 or negative; ``var_95`` and ``cvar_95`` are losses per session, positive;
    ``drawdown_peak``, ``drawdown_trough`` and ``drawdown_recovery`` are positions in the run's sessions (recovery -1
    while it lasts); ``average_trade`` is a fraction of the money put in, ``average_pnl`` is money. ``alpha_ann``,
    ``beta`` and ``information_ratio`` are against the market series given, NaN without one.
    """

    total_return: float
    cagr: float
    volatility_ann: float
    sharpe: float
    sortino: float
    calmar: float
    max_drawdown: float
    drawdown_peak: float
    drawdown_trough: float
    drawdown_recovery: float
    omega: float
    skewness: float
    kurtosis: float
    alpha_ann: float
    beta: float
    information_ratio: float
    probabilistic_sharpe: float
    win_rate: float
    profit_factor: float
    average_trade: float
    average_pnl: float
    turnover_ann: float
    exposure: float
    var_95: float
    cvar_95: float
    tail_ratio: float


MEASURE_NAMES = tuple(field.name for field in fields(Measures))
_TAILS_FROM = MEASURE_NAMES.index("var_95")


def measure_run(
    equity: Floats,
    *,
    years: float,
    risk_free_rate: float,
    gross_exposure: Floats,
    traded: Floats,
    market_returns: Floats | None = None,
    trip_pnl: Floats = _NO_FLOATS,
    trip_returns: Floats = _NO_FLOATS,
) -> Measures:
    """All measures of an equity curve of shape (n_sessions,), n_sessions >= 2.

    ``gross_exposure`` and ``traded`` have its shape, ``market_returns`` has shape (n_sessions - 1,), the trip arrays
    (n_trips,) and hold closed round trips only.
    """
    out = np.empty(len(MEASURE_NAMES))
    measure_run_into(
        out,
        np.empty(len(equity) - 1),
        equity=equity,
        gross_exposure=gross_exposure,
        traded=traded,
        market_returns=_NO_FLOATS if market_returns is None else market_returns,
        trip_pnl=trip_pnl,
        trip_returns=trip_returns,
        rate=rate_per_session(risk_free_rate),
        years=years,
    )
    return Measures(*out.tolist())


def measure_run_into(
    out: Floats,
    returns: Floats,
    *,
    equity: Floats,
    gross_exposure: Floats,
    traded: Floats,
    market_returns: Floats,
    trip_pnl: Floats,
    trip_returns: Floats,
    rate: float,
    years: float,
) -> None:
    """Fill ``out`` (in the order of ``MEASURE_NAMES``); ``returns`` is scratch of shape (n_sessions - 1,)."""
    _measure_paths(equity, gross_exposure, traded, market_returns, trip_pnl, trip_returns, rate, years, returns, out)
    returns.sort()  # NumPy's sort uses vector registers; numba's would take as long as all the rest together
    measure_tails(returns, out[_TAILS_FROM:])


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDER)
def _measure_paths(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    equity: Floats,
    gross_exposure: Floats,
    traded: Floats,
    market_returns: Floats,
    trip_pnl: Floats,
    trip_returns: Floats,
    rate: float,
    years: float,
    returns: Floats,
    out: Floats,
) -> None:
    out[:] = np.nan
    count = len(returns)
    for t in range(count):
        before = equity[t]
        returns[t] = equity[t + 1] / before - 1.0 if before > 0.0 else 0.0
    total = 0.0
    for t in range(count):
        total += returns[t]
    mean = total / count
    _measure_moments(returns, mean, rate, out)
    _measure_drawdown(equity, out)
    out[0] = equity[count] / equity[0] - 1.0
    if years > 0.0:
        out[1] = (max(equity[count], 0.0) / equity[0]) ** (1.0 / years) - 1.0
        if out[6] < 0.0:
            out[5] = out[1] / -out[6]
    if len(market_returns) == count:
        _measure_market(returns, market_returns, mean, rate, out)
    _measure_activity(equity, gross_exposure, traded, trip_pnl, trip_returns, out)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDER)
def _measure_moments(returns: Floats, mean: float, rate: float, out: Floats) -> None:  # pragma: no cover
    count = len(returns)
    second = third = fourth = downside = gains = losses = 0.0
    for t in range(count):
        centred = returns[t] - mean
        square = centred * centred
        second += square
        third += square * centred
        fourth += square * square
        excess = returns[t] - rate
        below = min(excess, 0.0)
        downside += below * below
        gains += excess - below
        losses -= below
    if losses > 0.0:
        out[10] = gains / losses
    elif gains > 0.0:
        out[10] = np.inf
    if count < 2:
        return
    root = math.sqrt(_SESSIONS)
    deviation = math.sqrt(second / (count - 1))
    out[2] = deviation * root
    semi = math.sqrt(downside / count)
    if semi >= _FLAT:
        out[4] = (mean - rate) / semi * root
    if deviation < _FLAT:
        return
    sharpe = (mean - rate) / deviation
    out[3] = sharpe * root
    if count < 3:
        return
    variance = second / count
    skew = third / count / variance**1.5
    kurt = fourth / count / variance**2
    out[11] = skew
    out[12] = kurt
    spread = 1.0 - skew * sharpe + (kurt - 1.0) / 4.0 * sharpe**2
    if spread > 0.0:
        out[16] = 0.5 * math.erfc(-sharpe * math.sqrt(count - 1) / math.sqrt(spread) / math.sqrt(2.0))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _measure_drawdown(equity: Floats, out: Floats) -> None:  # pragma: no cover
    peak = limit = equity[0]
    peak_at = deepest_peak = trough = 0
    depth = 0.0
    for t in range(len(equity)):
        value = equity[t]
        if value > peak:
            peak = value
            peak_at = t
            limit = (depth + _SLACK) * peak + peak
        elif value < limit:  # a comparison in most sessions, a quotient only near the deepest level so far
            fall = value / peak - 1.0
            if fall < depth:
                depth = fall
                deepest_peak, trough = peak_at, t
                limit = (depth + _SLACK) * peak + peak
    recovery = -1
    if trough == 0:
        recovery = 0
    for t in range(trough, len(equity) if trough > 0 else 0):
        if equity[t] >= equity[deepest_peak]:
            recovery = t
            break
    out[6] = depth
    out[7], out[8], out[9] = float(deepest_peak), float(trough), float(recovery)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDER)
def _measure_market(  # pragma: no cover
    returns: Floats, market: Floats, mean: float, rate: float, out: Floats
) -> None:
    count = len(returns)
    if count < 2:
        return
    total = 0.0
    for t in range(count):
        total += market[t]
    market_mean = total / count
    variance = covariance = active = 0.0
    for t in range(count):
        theirs = market[t] - market_mean
        ours = returns[t] - mean
        variance += theirs * theirs
        covariance += theirs * ours
        active += (ours - theirs) * (ours - theirs)
    if math.sqrt(variance / count) >= _FLAT:
        out[14] = covariance / variance
        out[13] = (mean - rate - out[14] * (market_mean - rate)) * _SESSIONS
    deviation = math.sqrt(active / (count - 1))
    if deviation >= _FLAT:
        out[15] = (mean - market_mean) / deviation * math.sqrt(_SESSIONS)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDER)
def _measure_activity(  # noqa: PLR0917  # pragma: no cover - numba knows no keyword-only arguments
    equity: Floats, gross_exposure: Floats, traded: Floats, trip_pnl: Floats, trip_returns: Floats, out: Floats
) -> None:
    sessions = len(equity)
    turnover = exposure = 0.0
    for t in range(sessions):
        exposure += gross_exposure[t]
        if traded[t] > 0.0 and equity[t] > 0.0:
            turnover += traded[t] / equity[t]
    out[21] = turnover / 2.0 / sessions * _SESSIONS
    out[22] = exposure / sessions
    trips = len(trip_pnl)
    if trips == 0:
        return
    won = lost = money = share = 0.0
    winners = 0
    for i in range(trips):
        pnl = trip_pnl[i]
        money += pnl
        share += trip_returns[i]
        if pnl > 0.0:
            won += pnl
            winners += 1
        else:
            lost -= pnl
    out[17] = winners / trips
    if lost > 0.0:
        out[18] = won / lost
    elif won > 0.0:
        out[18] = np.inf
    out[19] = share / trips
    out[20] = money / trips
