"""What today's holdings would have been worth in the past, how they would have done, and through the crises.

Today's holdings are bought and held backwards: the value of the same shares (or of the shares that tonight's weights
buy) and the same cash on every past session. A young holding moves with the others before its first bar. This is a
picture of the holdings, not of an account that anybody had.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from quant_assets.forecasts.distribution import Origin
from quant_assets.forecasts.history import PriceHistory
from quant_assets.forecasts.parameters import Floats
from quant_assets.foundation.performance import (
    cagr,
    calmar_ratio,
    cvar,
    max_drawdown,
    sharpe_ratio,
    simple_returns,
    sortino_ratio,
    value_at_risk,
    volatility_ann,
    years_between,
)

__all__ = ["STRESS_WINDOWS", "StressWindow", "equity_rows", "measure_rows", "stress_rows"]

RISK_FREE_RATE = 0.0
"""The measures say how the holdings did, not how they did against a bill whose rate nobody configured."""


@dataclass(frozen=True, slots=True)
class StressWindow:
    """A crisis by name, first and last date."""

    name: str
    start: dt.date
    end: dt.date


STRESS_WINDOWS = (
    StressWindow("dot-com bust", dt.date(2000, 3, 1), dt.date(2002, 10, 31)),
    StressWindow("financial crisis", dt.date(2007, 10, 1), dt.date(2009, 3, 31)),
    StressWindow("pandemic", dt.date(2020, 2, 1), dt.date(2020, 4, 30)),
)


def equity_rows(origin: Origin) -> pl.DataFrame:
    """Rows of ``forecasts.equity_history``: date and value in currency, of an origin with the whole history."""
    return pl.DataFrame(
        {"date": pl.Series(origin.sessions.astype("datetime64[D]")).cast(pl.Date), "value": origin.equity()}
    )


def measure_rows(origin: Origin) -> pl.DataFrame:
    """Rows of ``forecasts.portfolio_measures``: how today's holdings did over the whole history.

    Null where a measure is undefined; all of them where the value was not positive on some session.
    """
    equity = origin.equity()
    names = ("cagr", "volatility_ann", "sharpe", "sortino", "calmar", "max_drawdown", "var_95_1d", "cvar_95_1d")
    values = [float("nan")] * len(names)
    if (equity > 0).all() and len(equity) > 2:
        returns = simple_returns(equity)
        growth = cagr(equity, years_between(origin.sessions[0].item(), origin.sessions[-1].item()))
        depth = max_drawdown(equity).depth
        values = [
            growth,
            volatility_ann(returns),
            sharpe_ratio(returns, risk_free_rate=RISK_FREE_RATE),
            sortino_ratio(returns, risk_free_rate=RISK_FREE_RATE),
            calmar_ratio(growth, depth),
            depth,
            value_at_risk(returns),
            cvar(returns),
        ]
    figures = dict(zip(names, values, strict=True)) | {
        "current_value": origin.positions.value,
        "cash": origin.positions.cash,
        "gross_exposure": float(np.abs(origin.positions.values).sum()),
        "net_exposure": float(origin.positions.values.sum()),
        "holdings": float(len(origin.symbols)),
        "sessions": float(len(equity)),
    }
    return pl.DataFrame(
        {
            "as_of": [origin.date] * len(figures),
            "measure": list(figures),
            "value": pl.Series(list(figures.values()), dtype=pl.Float64).fill_nan(None),
        }
    )


def stress_rows(origin: Origin, history: PriceHistory) -> pl.DataFrame:
    """Rows of ``forecasts.stress_windows``: tonight's positions, held through each crisis from its first day.

    Parameters
    ----------
    origin : Origin
        Tonight, with returns over the whole history.
    history : PriceHistory
        For the holdings that were not listed yet, whose returns follow the others.
    """
    return pl.DataFrame(
        [
            {"as_of": origin.date, "stress_window": window.name} | _through(window, origin, history)
            for window in STRESS_WINDOWS
        ],
        schema_overrides={
            "start_date": pl.Date,
            "end_date": pl.Date,
            "trough_date": pl.Date,
            "recovery_date": pl.Date,
            "recovery_sessions": pl.Int64,
            "value_at_end": pl.Float64,
            "change_pct": pl.Float64,
            "max_loss": pl.Float64,
            "max_loss_pct": pl.Float64,
            "proxied_share": pl.Float64,
        },
    )


_FIGURES = (
    "start_date",
    "end_date",
    "value_at_end",
    "change_pct",
    "max_loss",
    "max_loss_pct",
    "trough_date",
    "recovery_date",
    "recovery_sessions",
    "proxied_share",
)


def _through(window: StressWindow, origin: Origin, history: PriceHistory) -> dict[str, object]:
    """Figures of one crisis, or null ones with a note."""
    start = int(np.searchsorted(origin.sessions, np.datetime64(window.start, "D")))
    end = int(np.searchsorted(origin.sessions, np.datetime64(window.end, "D"), side="right")) - 1
    first, last = origin.sessions[0].item(), origin.sessions[-1].item()
    if end - start < 1:
        note = f"the prices run from {first} to {last} and do not reach this window"
        return dict.fromkeys(_FIGURES) | {"note": note}
    value = _held_value(origin, start)
    if value[0] <= 0:
        note = "the value of the portfolio is not positive, so a loss has no percentage"
        return dict.fromkeys(_FIGURES) | {"note": note}
    notes = [f"prices begin on {first}"] if first > window.start + dt.timedelta(days=7) else []
    notes += [f"prices end on {last}"] if last < window.end else []
    inside = value[: end - start + 1]
    worst = max_drawdown(inside)
    trough = start + worst.trough
    back = np.flatnonzero(value[worst.trough :] >= value[worst.peak])
    recovered = trough + int(back[0]) if worst.depth < 0 and len(back) else None
    figures = (
        origin.sessions[start].item(),
        origin.sessions[end].item(),
        float(inside[-1]),
        100.0 * float(inside[-1] / inside[0] - 1.0),
        float(inside[worst.peak] - inside[worst.trough]),
        -100.0 * worst.depth,
        origin.sessions[trough].item(),
        None if recovered is None else origin.sessions[recovered].item(),
        None if recovered is None else recovered - trough,
        _absent_share(origin, history, origin.sessions[start]),
    )
    return dict(zip(_FIGURES, figures, strict=True)) | {"note": "; ".join(notes)}


def _held_value(origin: Origin, start: int) -> Floats:
    """Value of tonight's positions, bought on row ``start`` and held to tonight."""
    growth = np.exp(np.vstack([np.zeros((1, len(origin.symbols))), np.cumsum(origin.returns[start:], axis=0)]))
    return np.asarray(growth @ origin.positions.values + origin.positions.cash)


def _absent_share(origin: Origin, history: PriceHistory, session: np.datetime64) -> float:
    """Share of the gross exposure in holdings that had no bar yet on the session."""
    firsts = dict(zip(history.symbols, history.first_bar.tolist(), strict=True))
    late = np.array([history.sessions[firsts[symbol]] > session for symbol in origin.symbols])
    gross = np.abs(origin.positions.values)
    return float(gross[late].sum() / gross.sum())
