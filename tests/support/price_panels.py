"""Made-up price panels."""

import numpy as np

from quant_assets.strategies import PricePanel


def make_panel(sessions=60, symbols=3, *, seed=0, gaps=0.0, actions=True, drift=0.0005):
    """Random bars with splits, dividends and gaps; volumes small enough for caps to bind."""
    rng = np.random.default_rng(seed)
    shape = (sessions, symbols)
    close = 50.0 * np.exp(np.cumsum(rng.normal(drift, 0.02, shape), axis=0))
    split, dividend = np.ones(shape), np.zeros(shape)
    if actions:
        split[rng.random(shape) < 0.03] = 2.0
        split[rng.random(shape) < 0.01] = 0.25
        split[0] = 1.0
        dividend[rng.random(shape) < 0.05] = 0.4
    close = close / np.cumprod(split, axis=0)
    opening = close * np.exp(rng.normal(0, 0.01, shape))
    high, low = np.maximum(opening, close) * 1.01, np.minimum(opening, close) * 0.99
    volume = rng.integers(200, 2000, shape).astype(float)
    missing = rng.random(shape) < gaps
    missing[:2] = False
    for field in (opening, high, low, close, volume):
        field[missing] = np.nan
    days = np.busday_offset("2020-01-01", np.arange(sessions), roll="forward")
    names = tuple(f"S{i}" for i in range(symbols))
    return PricePanel(days, names, opening, high, low, close, volume, dividend, split)
