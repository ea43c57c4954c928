r"""How often the event happened before, per symbol: the naive forecast that every model has to beat.

Neither of the two obvious rates will do. One rate for all symbols is too easy to beat where symbols differ: on the
packaged history stocks rise over 2 % about three times as often as the index does. Each symbol's own share is too easy
to beat where they do not: on a market of pure noise it is the pooled rate plus noise, and a model that knows nothing
had a better Brier score in 58 of 60 markets. So each symbol's share is drawn to the pooled one, the more so the less
the shares differ beyond what chance alone would make them (DerSimonian and Laird 1986, Controlled Clinical Trials 7):

.. math:: b_i = \frac{n_i m_i + K p}{n_i + K}, \quad K = \frac{p (1 - p)}{\tau^2}

with :math:`\tau^2` the variance of the true shares, estimated from the scatter of :math:`m_i` beyond that of sampling;
without any, every symbol gets the pooled rate. Rows of overlapping labels count for their horizon's part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["BaseRates", "base_rates"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BaseRates:
    """Share of rows with the event.

    Parameters
    ----------
    pooled : float
        Over all symbols; also for a symbol that was not among the rows.
    by_symbol : dict of str to float
    """

    pooled: float
    by_symbol: dict[str, float]

    def of(self, symbols: npt.NDArray[np.str_]) -> Floats:
        """Rate of each row's symbol."""
        names, codes = np.unique(symbols, return_inverse=True)
        rates = np.array([self.by_symbol.get(str(name), self.pooled) for name in names])
        found: Floats = rates[codes] if len(names) else np.zeros(0)
        return found


def base_rates(symbols: npt.NDArray[np.str_], labels: Floats, horizon_days: int) -> BaseRates:
    """Rates of rows with known labels; the pooled one is kept off 0 and 1 as Laplace's rule does.

    Parameters
    ----------
    symbols : array of str, shape (n,)
    labels : array, shape (n,)
    horizon_days : int
        Labels of so many neighbouring rows overlap.
    """
    pooled = (float(labels.sum()) + 1.0) / (len(labels) + 2.0)
    names, codes = np.unique(symbols, return_inverse=True)
    if not len(names):
        return BaseRates(pooled, {})
    rows = np.bincount(codes, minlength=len(names))
    shares = np.bincount(codes, weights=labels, minlength=len(names)) / rows
    independent = rows / horizon_days
    prior = _prior_rows(shares, independent, pooled)
    if prior is None:
        rates = np.full(len(names), pooled)
    else:
        rates = (independent * shares + prior * pooled) / (independent + prior)
    return BaseRates(pooled, {str(name): float(rate) for name, rate in zip(names, rates, strict=True)})


def _prior_rows(shares: Floats, rows: Floats, pooled: float) -> float | None:
    """K above; None where the shares differ no more than by chance."""
    variance = pooled * (1.0 - pooled)
    weights = rows / variance
    total = float(weights.sum())
    middle = float(weights @ shares) / total
    excess = float(weights @ (shares - middle) ** 2) - (len(shares) - 1)
    scale = total - float((weights**2).sum()) / total
    if excess <= 0.0 or scale <= 0.0:
        return None
    return variance * scale / excess
