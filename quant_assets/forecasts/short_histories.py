"""Returns of a holding before its first bar: what it would have done had it moved with the other holdings.

The rule, per short symbol: ``r = beta * m + e`` where ``m`` is the mean return of the other holdings that traded on the
session. ``beta`` is the least-squares slope on the symbol's own ``n`` returns, pulled towards 1 as if 60 more returns
had said 1 (a normal prior, as in Vasicek 1973, Journal of Finance 28(5)): 30 bars decide a third of it. ``e`` is drawn,
with a seed of the symbol's own, from the residuals of its own returns; with fewer than 20 of them from what the other
holdings did apart from their mean. Such returns feed the simulations; no outcome is ever taken from them.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from quant_assets.forecasts.parameters import Floats

__all__ = ["complete_returns"]

_PRIOR_RETURNS = 60.0
"""Weight of beta = 1 in returns: a quarter of trading. 0 would trust 5 bars blindly, 1,000 would ignore two years."""
_OWN_RESIDUALS = 20
"""Residuals of its own from which a symbol's own spread is usable: the standard error of a volatility is then 16 %."""


def complete_returns(returns: Floats, symbols: Sequence[str], *, seed: int) -> Floats:
    """Fill leading NaN of young symbols.

    Parameters
    ----------
    returns : Floats
        Shape (n, k): log returns; NaN only before a symbol's first return; each row has at least one number.
    symbols : sequence of str
        Names of the columns; part of the seed, so that the order of the columns does not matter.
    seed : int

    Returns
    -------
    Floats
        Shape (n, k), the given numbers untouched and no NaN.
    """
    missing = np.isnan(returns)
    completed = returns.copy()
    totals, counts = np.nansum(returns, axis=1), (~missing).sum(axis=1)
    for column in np.flatnonzero(missing.any(axis=0)).tolist():
        own = ~missing[:, column]
        others = counts - own
        mean = np.divide(
            totals - np.where(own, returns[:, column], 0.0), others, out=np.zeros(len(totals)), where=others > 0
        )
        beta = _shrunk_beta(returns[own, column], mean[own])
        residuals = returns[own, column] - beta * mean[own]
        if len(residuals) < _OWN_RESIDUALS:
            apart = np.delete(returns, column, axis=1) - mean[:, None]
            residuals = apart[np.isfinite(apart)]
        generator = np.random.default_rng([seed, zlib.crc32(symbols[column].encode())])
        gaps = np.flatnonzero(~own)
        drawn = residuals[generator.integers(0, len(residuals), size=len(gaps))] - residuals.mean()
        completed[gaps, column] = beta * mean[gaps] + drawn
    return completed


def _shrunk_beta(own: Floats, mean: Floats) -> float:
    """Slope on the mean of the others, pulled towards 1."""
    if len(own) < 2:
        return 1.0
    centred = mean - mean.mean()
    spread = float(centred @ centred)
    slope = float(centred @ own) / spread if spread > 0 else 1.0
    return (len(own) * slope + _PRIOR_RETURNS) / (len(own) + _PRIOR_RETURNS)
