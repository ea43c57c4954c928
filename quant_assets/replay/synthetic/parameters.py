"""What a synthetic market is made of: regimes, tails, correlation, and how often things happen to a symbol."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from quant_assets.foundation.errors import UsageError

__all__ = [
    "REFERENCE_REGIMES",
    "EventRates",
    "MarketParameters",
    "RegimeParameters",
    "RegimeState",
]


class RegimeState(StrEnum):
    """Names of the market's states."""

    BULLISH = "bullish"
    BEARISH = "bearish"
    SIDEWAYS = "sideways"
    HIGH_VOLATILITY = "high_volatility"


@dataclass(frozen=True, slots=True)
class RegimeParameters:
    """One state: daily mean and volatility of the market's log return in per cent, mean stay in sessions (over 1)."""

    state: RegimeState
    mean_pct: float
    volatility_pct: float
    mean_stay: float

    def __post_init__(self) -> None:
        if self.volatility_pct <= 0 or self.mean_stay <= 1:
            raise UsageError(f"the regime {self.state} needs a volatility over 0 and a mean stay over one session")


REFERENCE_REGIMES: tuple[RegimeParameters, ...] = (
    RegimeParameters(RegimeState.BULLISH, 0.06, 0.9, 120),
    RegimeParameters(RegimeState.BEARISH, -0.12, 1.8, 80),
    RegimeParameters(RegimeState.SIDEWAYS, 0.0, 0.6, 90),
    RegimeParameters(RegimeState.HIGH_VOLATILITY, 0.0, 3.0, 30),
)
"""The reference market of the design document, so that nobody chooses the difficulty."""


@dataclass(frozen=True, slots=True)
class MarketParameters:
    """How returns come about.

    The market's log return is ``mean + volatility * cluster * t`` of its state, with ``t`` Student-t of unit variance.
    A symbol's is ``beta * market + idiosyncratic_ratio * volatility * own cluster * own t``, with beta and ratio drawn
    once for each symbol from the ranges here; with ratio 1 and beta 1 two symbols correlate by one half.

    Parameters
    ----------
    regimes : tuple of RegimeParameters
        At least one. A state that ends goes to each of the others with equal probability.
    tail_degrees : float
        Degrees of freedom of the Student-t residuals; over 2.
    cluster_log_sd : float
        Standard deviation of the log of a slow multiplicative volatility with mean square 1; 0 for none beyond regimes.
    cluster_persistence : float
        Its autocorrelation from one session to the next.
    beta_range, idiosyncratic_range : pair of float
        Ranges of the two factors above.
    autocorrelation : float
        First-order autocorrelation of the idiosyncratic return: a planted signal, 0 for none.
    first_price_range : pair of float
        Range of the price a symbol starts at.
    """

    regimes: tuple[RegimeParameters, ...] = REFERENCE_REGIMES
    tail_degrees: float = 6.0
    cluster_log_sd: float = 0.25
    cluster_persistence: float = 0.97
    beta_range: tuple[float, float] = (0.6, 1.4)
    idiosyncratic_range: tuple[float, float] = (0.7, 1.3)
    autocorrelation: float = 0.0
    first_price_range: tuple[float, float] = (20.0, 120.0)

    def __post_init__(self) -> None:
        if not self.regimes or self.tail_degrees <= 2 or not -1 < self.autocorrelation < 1:
            raise UsageError(
                "a synthetic market needs at least one regime, more than 2 degrees of freedom and an autocorrelation "
                "between -1 and 1"
            )


@dataclass(frozen=True, slots=True)
class EventRates:
    """How often things happen to a symbol: shares and probabilities between 0 and 1.

    Parameters
    ----------
    dividend_payers : float
        Share of symbols that pay a dividend every 63 sessions.
    dividend_yield_ann : float
        Yearly yield of a payer.
    split_reviews : float
        Probability, each 63 sessions, that a symbol splits if its price is over 100 or reverse-splits if under 5.
    anomalies : float
        Probability, each 63 sessions, of one planted anomaly.
    halts : float
        Probability, each 63 sessions, of a trading halt of 2 to 6 sessions.
    restatements : float
        Probability, each 63 sessions, of one bar whose close or volume is corrected 5 to 30 days later.
    late_listings : float
        Share of symbols listed only 60 to 1,250 sessions after the start.
    delistings_ann : float
        Yearly probability that a symbol is delisted.
    """

    dividend_payers: float = 0.6
    dividend_yield_ann: float = 0.02
    split_reviews: float = 0.2
    anomalies: float = 0.08
    halts: float = 0.01
    restatements: float = 0.02
    late_listings: float = 0.1
    delistings_ann: float = 0.01

    @classmethod
    def none(cls) -> EventRates:
        """Nothing but prices: every session of every symbol has its true bar."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
