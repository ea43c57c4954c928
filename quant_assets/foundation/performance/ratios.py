"""Reward per unit of risk, annualised by 252 sessions.

``returns`` and ``benchmark`` have shape (n,), simple returns per session as fractions. Rates are effective annual
rates, always explicit. A ratio whose denominator is zero is NaN, except Omega and the profit factor, which are
infinite when there was gain and no loss.
"""

from __future__ import annotations

import numpy as np

from quant_assets.foundation.performance.growth import FLAT_VOLATILITY, Floats
from quant_assets.foundation.performance.periods import SESSIONS_PER_YEAR, rate_per_session

__all__ = ["calmar_ratio", "information_ratio", "omega_ratio", "sharpe_ratio", "sortino_ratio"]


def sharpe_ratio(returns: Floats, *, risk_free_rate: float) -> float:
    """Mean excess return over its sample standard deviation, times sqrt(252).

    Source: Sharpe, W. (1994), "The Sharpe Ratio", Journal of Portfolio Management 21(1), eq. 3 to 6.
    """
    if len(returns) < 2:
        return float("nan")
    deviation = float(np.std(returns, ddof=1))
    if deviation < FLAT_VOLATILITY:
        return float("nan")
    excess = float(np.mean(returns)) - rate_per_session(risk_free_rate)
    return float(excess / deviation * np.sqrt(SESSIONS_PER_YEAR))


def sortino_ratio(returns: Floats, *, risk_free_rate: float) -> float:
    """Mean excess return over the root mean square of its negative part (all n in the mean), times sqrt(252).

    Source: Sortino, F. and Price, L. (1994), "Performance Measurement in a Downside Risk Framework",
    Journal of Investing 3(3), with the risk-free rate as the target return.
    """
    if len(returns) < 2:
        return float("nan")
    excess = returns - rate_per_session(risk_free_rate)
    downside = float(np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2)))
    if downside < FLAT_VOLATILITY:
        return float("nan")
    return float(np.mean(excess) / downside * np.sqrt(SESSIONS_PER_YEAR))


def calmar_ratio(cagr: float, max_drawdown: float) -> float:
    """Compound annual growth rate over the size of the deepest drawdown (``max_drawdown`` <= 0).

    Source: Young, T. (1991), "Calmar Ratio: A Smoother Tool", Futures 20; over the whole period, not 36 months.
    """
    return float("nan") if max_drawdown == 0 else cagr / abs(max_drawdown)


def omega_ratio(returns: Floats, *, risk_free_rate: float) -> float:
    """Sum of excess gains over sum of excess losses, around the risk-free rate of a session.

    Source: Keating, C. and Shadwick, W. (2002), "A Universal Performance Measure".
    """
    excess = returns - rate_per_session(risk_free_rate)
    gains = float(np.sum(np.maximum(excess, 0.0)))
    losses = float(np.sum(np.maximum(-excess, 0.0)))
    if losses == 0:
        return float("inf") if gains > 0 else float("nan")
    return gains / losses


def information_ratio(returns: Floats, benchmark: Floats) -> float:
    """Mean of the return above the benchmark over its sample standard deviation, times sqrt(252).

    Source: Grinold, R. and Kahn, R. (2000), "Active Portfolio Management", 2nd ed., ch. 5.
    """
    if len(returns) < 2 or len(benchmark) != len(returns):
        return float("nan")
    active = returns - benchmark
    deviation = float(np.std(active, ddof=1))
    if deviation < FLAT_VOLATILITY:
        return float("nan")
    return float(np.mean(active) / deviation * np.sqrt(SESSIONS_PER_YEAR))
