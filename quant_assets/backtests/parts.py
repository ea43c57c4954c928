"""A run cut into parts: calendar years, regimes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.foundation.performance import max_drawdown, sharpe_ratio, volatility_ann

__all__ = ["measure_parts"]

Floats = npt.NDArray[np.float64]


def measure_parts(
    returns: Floats, exposure: Floats, labels: npt.NDArray[np.generic], *, risk_free_rate: float
) -> pl.DataFrame:
    """Measures of the sessions under each label, in the labels' order.

    Parameters
    ----------
    returns, exposure : ndarray of shape (n,)
        Return and gross exposure of each session after the first.
    labels : ndarray of shape (n,)
        Which part each session belongs to.

    Returns
    -------
    polars.DataFrame
        part, sessions, total_return, volatility_ann, sharpe, max_drawdown, exposure; undefined is null. Sessions of
        a part need not be neighbours: their returns are compounded as if they were.
    """
    rows = []
    for label in np.unique(labels):
        chosen = labels == label
        own = returns[chosen]
        curve = np.concatenate([[1.0], np.cumprod(1.0 + own)])
        rows.append(
            {
                "part": label.item(),
                "sessions": len(own),
                "total_return": float(curve[-1] - 1.0),
                "volatility_ann": volatility_ann(own),
                "sharpe": sharpe_ratio(own, risk_free_rate=risk_free_rate),
                "max_drawdown": max_drawdown(curve).depth,
                "exposure": float(exposure[chosen].mean()),
            }
        )
    return pl.DataFrame(rows).with_columns(pl.col(pl.Float64).fill_nan(None))
