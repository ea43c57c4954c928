"""How often the event happened before, per symbol: the naive forecast that every model has to beat.

A symbol's own share is drawn towards the share of all symbols by a year's worth of rows, so that a symbol with a short
history does not get 0 or 1. One rate for all symbols would be the easier thing to beat: on the packaged history stocks
rise over 2 % about three times as often as the index does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["PRIOR_ROWS", "BaseRates", "base_rates"]

PRIOR_ROWS = 252.0


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

    def of(self, symbols: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
        """Rate of each row's symbol."""
        names, codes = np.unique(symbols, return_inverse=True)
        rates = np.array([self.by_symbol.get(str(name), self.pooled) for name in names])
        found: npt.NDArray[np.float64] = rates[codes] if len(names) else np.zeros(0)
        return found


def base_rates(symbols: npt.NDArray[np.str_], labels: npt.NDArray[np.float64]) -> BaseRates:
    """Rates of rows with known labels; the pooled one is kept off 0 and 1 as Laplace's rule does."""
    pooled = (float(labels.sum()) + 1.0) / (len(labels) + 2.0)
    names, codes = np.unique(symbols, return_inverse=True)
    events = np.bincount(codes, weights=labels, minlength=len(names))
    rows = np.bincount(codes, minlength=len(names))
    rates = (events + PRIOR_ROWS * pooled) / (rows + PRIOR_ROWS)
    return BaseRates(pooled, {str(name): float(rate) for name, rate in zip(names, rates, strict=True)})
