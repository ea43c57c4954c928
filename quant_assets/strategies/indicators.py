"""Indicator series of a panel, each computed once and kept for the next parameter set.

Every value of session t depends on sessions up to t only. Where a symbol has gaps the indicator runs over its bars
and is NaN on the others. TA-Lib does the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import talib

from quant_assets.strategies.panel import PricePanel

__all__ = ["Indicators"]

Floats = npt.NDArray[np.float64]
Series = Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class Indicators:
    """Indicators of ``panel`` on its total-return closes, shape (n_sessions, n_symbols), NaN while warming up.

    Arrays are shared between callers, so they are read-only. Safe to use from several threads: at worst a series is
    computed twice.
    """

    panel: PricePanel
    _known: dict[tuple[object, ...], Floats] = field(default_factory=dict, repr=False)

    def sma(self, window: int) -> Floats:
        """Simple moving average over ``window`` bars."""
        return self._cached(("sma", window), lambda series: talib.SMA(series, window))

    def ema(self, span: int) -> Floats:
        """Exponential moving average with smoothing 2 / (span + 1), started with a simple average."""
        return self._cached(("ema", span), lambda series: talib.EMA(series, span))

    def rsi(self, window: int) -> Floats:
        """Wilder's relative strength index, 0 to 100."""
        return self._cached(("rsi", window), lambda series: talib.RSI(series, window))

    def deviation(self, window: int) -> Floats:
        """Standard deviation of closes over ``window`` bars, n in the denominator (as Bollinger's bands have it)."""
        return self._cached(("deviation", window), lambda series: talib.STDDEV(series, window, 1.0))

    def change(self, sessions: int) -> Floats:
        """Total return over the last ``sessions`` bars, a fraction."""
        return self._cached(("change", sessions), lambda series: talib.ROCP(series, sessions))

    def macd_histogram(self, fast: int, slow: int, signal: int) -> Floats:
        """MACD line (difference of two exponential averages) less its own exponential average."""
        return self._cached(("macd", fast, slow, signal), lambda series: talib.MACD(series, fast, slow, signal)[2])

    def volatility(self, window: int) -> Floats:
        """Standard deviation of the last ``window`` daily log returns, not annualised."""

        def of(series: Floats) -> Floats:
            steps = np.diff(np.log(series))
            # TA-Lib's running sums lose digits on numbers as small as squared returns; this window does not.
            result = np.full(len(series), np.nan)
            if len(steps) >= window:
                result[window:] = np.lib.stride_tricks.sliding_window_view(steps, window).std(axis=1, ddof=1)
            return result

        return self._cached(("volatility", window), of)

    def _cached(self, key: tuple[object, ...], compute: Series) -> Floats:
        known = self._known.get(key)
        if known is None:
            known = self._per_symbol(compute)
            known.flags.writeable = False
            self._known[key] = known
        return known

    def _per_symbol(self, compute: Series) -> Floats:
        closes = self.panel.total_return_close
        result = np.full(closes.shape, np.nan)
        for column in range(closes.shape[1]):
            rows = self.panel.has_bar[:, column]
            series = np.ascontiguousarray(closes[rows, column])
            if len(series):
                result[rows, column] = compute(series)
        return result
