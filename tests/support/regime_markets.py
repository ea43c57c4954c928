"""Price histories with known regimes, as the frames that the regimes room reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.reference_market import REFERENCE, reference_path
from quant_assets.regimes.evaluation import reference_closes

MARKET = "MARKET"


def reference_history(sessions=1000, symbols=2, *, seed=1):
    """Closes of a short reference market with its true states."""
    path = reference_path(np.random.default_rng(seed), replace(REFERENCE, sessions=sessions, symbols=symbols))
    return reference_closes(path), path.states


def series_frame(symbol, close, *, first=0):
    """Closes of one symbol on consecutive sessions from 1992, starting at the given one."""
    dates = new_york_calendar().sessions
    start = int(np.searchsorted(dates, np.datetime64("1992-01-02"))) + first
    days = [day.item() for day in dates[start : start + len(close)]]
    return pl.DataFrame({"symbol": symbol, "date": days, "close": np.asarray(close, dtype=float)})


def random_close(sessions, *, seed=0, volatility=0.01):
    """A random walk's prices."""
    rng = np.random.default_rng(seed)
    return 100 * np.exp(np.cumsum(rng.normal(0, volatility, sessions)))
