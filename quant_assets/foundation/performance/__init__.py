"""Risk and performance measures: plain functions, each with its formula and source, and one fused compiled pass."""

from quant_assets.foundation.performance.activity import (
    average_exposure,
    average_trade,
    profit_factor,
    turnover_ann,
    win_rate,
)
from quant_assets.foundation.performance.drawdowns import Drawdown, drawdown_series, max_drawdown
from quant_assets.foundation.performance.growth import cagr, simple_returns, total_return, volatility_ann
from quant_assets.foundation.performance.market import alpha_beta
from quant_assets.foundation.performance.periods import SESSIONS_PER_YEAR, rate_per_session, years_between
from quant_assets.foundation.performance.ratios import (
    calmar_ratio,
    information_ratio,
    omega_ratio,
    sharpe_ratio,
    sortino_ratio,
)
from quant_assets.foundation.performance.significance import (
    SharpeDifference,
    deflated_sharpe_ratio,
    expected_max_sharpe,
    probabilistic_sharpe_ratio,
    sharpe_difference,
)
from quant_assets.foundation.performance.summary import MEASURE_NAMES, Measures, measure_run
from quant_assets.foundation.performance.tails import cvar, kurtosis, skewness, tail_ratio, value_at_risk

__all__ = [
    "MEASURE_NAMES",
    "SESSIONS_PER_YEAR",
    "Drawdown",
    "Measures",
    "SharpeDifference",
    "alpha_beta",
    "average_exposure",
    "average_trade",
    "cagr",
    "calmar_ratio",
    "cvar",
    "deflated_sharpe_ratio",
    "drawdown_series",
    "expected_max_sharpe",
    "information_ratio",
    "kurtosis",
    "max_drawdown",
    "measure_run",
    "omega_ratio",
    "probabilistic_sharpe_ratio",
    "profit_factor",
    "rate_per_session",
    "sharpe_difference",
    "sharpe_ratio",
    "simple_returns",
    "skewness",
    "sortino_ratio",
    "tail_ratio",
    "total_return",
    "turnover_ann",
    "value_at_risk",
    "volatility_ann",
    "win_rate",
    "years_between",
]
