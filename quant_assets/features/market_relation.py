"""Stored columns of version 2 about a symbol and the market symbol.

Functions are columns, as in ``indicators``. The market's return of a row runs from the market's close on the symbol's
bar before to the one on this bar, so that both returns cover the same days also where the symbol was halted. Source:
W. Sharpe (1963), A Simplified Model for Portfolio Analysis, Management Science 9.
"""

from __future__ import annotations

import math

from quant_assets.features.moments import Line, rolling_regression
from quant_assets.features.parameters import SESSIONS_A_YEAR
from quant_assets.features.windows import Floats, Rows, lag, ratio

__all__ = ["idiosyncratic_volatility_ann_252", "market_beta_252", "market_correlation_252"]


def _market_return(market_close: Floats, rows: Rows) -> Floats:
    """Return of the market between this bar and the symbol's bar before."""
    return ratio(market_close, lag(market_close, 1, rows)) - 1.0


def _market_line(price_change_1d: Floats, market_return: Floats, rows: Rows) -> Line:
    """Slope, correlation and residual deviation of the returns of 252 bars against the market's."""
    return rolling_regression(price_change_1d, market_return, 252, rows)


def market_beta_252(market_line: Line) -> Floats:
    """Slope of 252 returns against the market's."""
    return market_line.slope


def market_correlation_252(market_line: Line) -> Floats:
    """Correlation of 252 returns with the market's."""
    return market_line.correlation


def idiosyncratic_volatility_ann_252(market_line: Line) -> Floats:
    """Standard deviation of what the market's return does not explain, with 250 degrees of freedom."""
    return math.sqrt(SESSIONS_A_YEAR) * market_line.residual_std
