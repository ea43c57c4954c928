"""Stored columns of version 2 about a symbol and the market symbol.

Functions are columns, as in ``indicators``. Returns run between bars on which both closes are known: over a halt of the
symbol, or a bar of the market that is missing, both run on to the next such bar, so that they cover the same days.
Source: W. Sharpe (1963), A Simplified Model for Portfolio Analysis, Management Science 9.
"""

from __future__ import annotations

import math

from quant_assets.features import parameters as p
from quant_assets.features.moments import Line, changes_between_known, rolling_pair_regression
from quant_assets.features.windows import Floats, Rows

__all__ = ["idiosyncratic_volatility_ann_252", "market_beta_252", "market_correlation_252"]


def _market_changes(close: Floats, market_close: Floats, rows: Rows) -> Floats:
    """Returns of the symbol and of the market over the same days, and over how many bars."""
    return changes_between_known(close, market_close, rows)


def _market_line(market_changes: Floats, rows: Rows) -> Line:
    """Slope, correlation and residual deviation of the returns within 253 bars against the market's."""
    return rolling_pair_regression(market_changes, 252, p.LEAST_MARKET_PAIRS, p.LEAST_CHANGE, rows)


def market_beta_252(market_line: Line) -> Floats:
    """Slope of 252 bars' returns against the market's."""
    return market_line.slope


def market_correlation_252(market_line: Line) -> Floats:
    """Correlation of 252 bars' returns with the market's."""
    return market_line.correlation


def idiosyncratic_volatility_ann_252(market_line: Line) -> Floats:
    """Standard deviation of what the market's return does not explain, with two degrees of freedom less than pairs."""
    return math.sqrt(p.SESSIONS_A_YEAR) * market_line.residual_std
